package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"testing"
)

// secretName is what a variable that holds a secret, or what tells of one, is called.
var secretName = regexp.MustCompile(`(?i)(token|secret|password|apikey|signature|refresh|hash|mac|state|cookie)$`)

// comparedPlainly are comparisons of such names that give nobody anything to time, with the reason.
var comparedPlainly = map[string]string{
	"failed: v with lever.VerdictBadToken":                  "a verdict",
	"list: page.Next with token":                            "a page token of Lever's: a place in a list",
	"RenewCredential: cur.Secret with refused":              "both ours: what Postgres has, and what Lever refused",
	"Changed: k.RawHash with p.RawHash":                     "of bodies: what has changed",
	"UpsertPrepared: k.BodyHash with r.bodyHash":            "of bodies: what has changed",
	"UpsertPrepared: k.RawHash with r.rawHash":              "of bodies: what has changed",
	"look: v.parent.RawHash with hashes[v.parent.RemoteID]": "of bodies: what has changed",
}

// How long a comparison takes must tell nothing of a secret. What is handed in is looked up in Postgres by its SHA-256, of which
// nobody can choose a beginning, or compared by hmac.Equal or subtle.ConstantTimeCompare: no secret is compared with ==, byte by
// byte, or by a prefix.
func TestSecretsAreNotComparedPlainly(t *testing.T) {
	t.Parallel()
	met := map[string]bool{}
	eachGoFile(t, func(path string, file *ast.File) {
		var in string
		ast.Inspect(file, func(node ast.Node) bool {
			var sides []ast.Expr
			switch n := node.(type) {
			case *ast.FuncDecl:
				in = n.Name.Name
			case *ast.BinaryExpr:
				if n.Op == token.EQL || n.Op == token.NEQ {
					sides = []ast.Expr{n.X, n.Y}
				}
			case *ast.CallExpr:
				switch types.ExprString(n.Fun) {
				case "bytes.Equal", "bytes.Compare", "strings.Compare", "strings.EqualFold", "strings.HasPrefix", "slices.Equal":
					sides = n.Args
				}
			}
			if len(sides) != 2 || plain(sides[0]) || plain(sides[1]) || !secret(sides[0]) && !secret(sides[1]) {
				return true
			}
			at := fmt.Sprintf("%s: %s with %s", in, types.ExprString(sides[0]), types.ExprString(sides[1]))
			met[at] = true
			if comparedPlainly[at] == "" {
				t.Errorf("%s, %s: compare by hash, hmac.Equal or subtle.ConstantTimeCompare, or say here why not", path, at)
			}
			return true
		})
	})
	for at := range comparedPlainly {
		if !met[at] {
			t.Errorf("%s is compared no longer", at)
		}
	}
}

// secret reports whether an expression is named like a secret.
func secret(e ast.Expr) bool {
	switch x := e.(type) {
	case *ast.Ident:
		return secretName.MatchString(x.Name)
	case *ast.SelectorExpr:
		return x.Sel.Name != "State" && secretName.MatchString(x.Sel.Name)
	case *ast.CallExpr:
		return len(x.Args) == 1 && secret(x.Args[0])
	}
	return false
}

// plain reports whether an expression is known to everybody: a literal, a constant's name, nil.
func plain(e ast.Expr) bool {
	switch x := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return x.Name == "nil" || x.Name == "true" || x.Name == "false"
	}
	return false
}
