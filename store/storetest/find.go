package storetest

import (
	"fmt"
	"slices"
	"strings"
)

// Find looks for texts, whatever their case, in every column of every table of ours that can hold one: texts, JSON, bytes, ids
// and lists of them. It returns where they are, as "text in table.column", in order.
func (db *DB) Find(texts ...string) []string {
	db.t.Helper()
	columns := Column[string](db, `SELECT format('%I.%I %s', c.table_name, c.column_name, c.udt_name) FROM information_schema.columns c
JOIN pg_class p ON p.relname = c.table_name AND p.relnamespace = c.table_schema::regnamespace AND p.relkind IN ('r', 'p') AND NOT p.relispartition
WHERE c.table_schema = 'leversync' AND c.udt_name IN ('text', '_text', 'json', 'jsonb', 'bytea', 'uuid', '_uuid', 'varchar') ORDER BY 1`)
	var found []string
	for _, c := range columns {
		name, kind, _ := strings.Cut(c, " ")
		table, column, _ := strings.Cut(name, ".")
		value := fmt.Sprintf("%s::text", column)
		if kind == "bytea" {
			value = fmt.Sprintf("encode(%s, 'escape')", column)
		}
		for _, x := range Column[string](db, fmt.Sprintf(`SELECT x FROM unnest($1::text[]) x WHERE EXISTS (SELECT FROM %s WHERE position(lower(x) IN lower(%s)) > 0)`, table, value), texts) {
			found = append(found, fmt.Sprintf("%q in %s", x, name))
		}
	}
	slices.Sort(found)
	return found
}
