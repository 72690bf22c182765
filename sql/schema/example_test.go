package schema_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/coterie-ha/coterie/sql/schema"
)

func ExampleOpen() {
	_, err := schema.Open(context.Background(), schema.Options{DSN: "host=/nonexistent dbname=deploy user=coterie_app_a password=secret"})
	fmt.Println(errors.Is(err, schema.ErrUnreachable), errors.Is(err, schema.ErrLogin))
	fmt.Println(err)
	// Output:
	// true false
	// connect to database "deploy" at /nonexistent/.s.PGSQL.5432 as "coterie_app_a": the server cannot be reached: dial unix /nonexistent/.s.PGSQL.5432: connect: no such file or directory
}

func ExampleMigrate() {
	ctx := context.Background()
	db, err := schema.Open(ctx, schema.Options{DSN: server.DSN("template1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	if _, err := schema.Check(ctx, db); err != nil {
		fmt.Println(err)
	}
	// Output: check the schema's version: the database has no coterie schema
}
