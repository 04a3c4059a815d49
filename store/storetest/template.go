package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store"
)

// template is the database that this process migrated and clones, or "" while there is none.
var template struct {
	sync.Mutex
	name string
}

// migratedTemplate returns the name of a migrated database, made on first use. Cloning it takes some
// tens of milliseconds, where migrating each test's database would take ten times that.
func migratedTemplate() (string, error) {
	template.Lock()
	defer template.Unlock()
	if template.name != "" {
		return template.name, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	server, name := os.Getenv(databaseEnv), databaseName("template")
	if err := execute(ctx, server, "CREATE DATABASE "+quote(name)); err != nil {
		return "", fmt.Errorf("storetest: create the template: %w", err)
	}
	template.name = name
	if _, err := store.Migrate(ctx, withDatabase(server, name)); err != nil {
		return "", fmt.Errorf("storetest: migrate the template: %w", err)
	}
	return name, nil
}

// dropTemplate removes the template, if one was made.
func dropTemplate() error {
	template.Lock()
	defer template.Unlock()
	if template.name == "" {
		return nil
	}
	name := template.name
	template.name = ""
	return dropDatabase(os.Getenv(databaseEnv), name)
}

// databaseName is unique on a server that several test processes share, on one machine or many.
func databaseName(kind string) string {
	return fmt.Sprintf("leversync_%s_%d_%s", kind, os.Getpid(), strings.ToLower(rand.Text()[:10]))
}

func dropDatabase(server, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	return execute(ctx, server, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)")
}

// execute runs one statement on a connection of its own.
func execute(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

func quote(identifier string) string { return pgx.Identifier{identifier}.Sanitize() }

// withDatabase is a server's URL with another database.
func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic("storetest: " + databaseEnv + " is not a URL") // execute has parsed it before
	}
	u.Path = "/" + name
	return u.String()
}
