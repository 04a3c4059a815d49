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

// template is the database that this process migrated and clones, or "" while there is none, and the role that
// owns it and its clones: a plain one, as in a deployment, because a superuser passes every row-level security policy.
var template struct {
	sync.Mutex
	name  string
	owner *url.Userinfo
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
	var err error
	if template.owner, err = createOwner(ctx, server); err != nil {
		return "", err
	}
	if err := execute(ctx, server, "CREATE DATABASE "+quote(name)+" OWNER "+quote(template.owner.Username())); err != nil {
		return "", fmt.Errorf("storetest: create the template: %w", err)
	}
	template.name = name
	if _, err := store.Migrate(ctx, owned(server, name, template.owner)); err != nil {
		return "", fmt.Errorf("storetest: migrate the template: %w", err)
	}
	return name, nil
}

// createOwner makes the role that is to own databases of tests. Where only half of it could be made, it returns it, too.
func createOwner(ctx context.Context, server string) (*url.Userinfo, error) {
	owner, password := databaseName("owner"), rand.Text()
	if err := execute(ctx, server, "CREATE ROLE "+quote(owner)+" LOGIN PASSWORD '"+password+"'"); err != nil {
		return nil, fmt.Errorf("storetest: create the role of the tests' databases: %w", err)
	}
	// An administrator made it for them, as a deployment may have to: see store.Wall.
	if err := execute(ctx, server, "CREATE ROLE "+quote(owner+"_reader")+" ROLE "+quote(owner)); err != nil {
		return url.UserPassword(owner, password), fmt.Errorf("storetest: create the role that reads: %w", err)
	}
	return url.UserPassword(owner, password), nil
}

// dropTemplate removes the template and its role, if they were made.
func dropTemplate() error {
	template.Lock()
	defer template.Unlock()
	if template.owner == nil {
		return nil
	}
	server, name, owner := os.Getenv(databaseEnv), template.name, template.owner.Username()
	template.name, template.owner = "", nil
	if name != "" {
		if err := dropDatabase(server, name); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	return execute(ctx, server, "DROP ROLE "+quote(owner)+", "+quote(owner+"_reader"))
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

// owned is a server's URL with another database, for its owner.
func owned(server, name string, owner *url.Userinfo) string {
	u, err := url.Parse(server)
	if err != nil {
		panic("storetest: " + databaseEnv + " is not a URL") // execute has parsed it before
	}
	u.Path, u.User = "/"+name, owner
	return u.String()
}
