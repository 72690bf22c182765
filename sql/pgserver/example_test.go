package pgserver_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/coterie-ha/coterie/sql/pgserver"
)

func ExampleStart() {
	ctx := context.Background()
	s, err := pgserver.Start(ctx, pgserver.Options{MaxConns: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := ask(ctx, s.DSN("postgres"), "SELECT current_setting('max_connections')")
	fmt.Println(answer, errors.Join(err, s.Stop()))
	// Output: 20 <nil>
}
