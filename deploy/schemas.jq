# From one of Kubernetes' OpenAPI documents, the schema of one kind, for kubeconform: strict, with all it refers to.
# jq --arg kind Deployment -f schemas.jq apps/v1.json
def strict:
  if type == "object" then
    (if (.properties | type) == "object" and (has("additionalProperties") | not) then . + {additionalProperties: false} else . end)
    | with_entries(select(.key | startswith("x-kubernetes") | not)) | map_values(strict)
  elif type == "array" then map(strict) else . end;
.components.schemas as $all
| [$all | to_entries[] | select(any(.value["x-kubernetes-group-version-kind"][]?; .kind == $kind)) | .key][0] as $name
| if $name == null then error("no schema of \($kind)") else
  {"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/components/schemas/\($name)", components: {schemas: ($all | map_values(strict))}} end
