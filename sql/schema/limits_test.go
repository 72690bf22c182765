package schema_test

import (
	"strings"
	"testing"

	"github.com/lib/pq"
)

func TestALeaseHasANameThatCanBeTold(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	for what, name := range map[string]string{
		"nothing":           "",
		"too long":          strings.Repeat("x", 201),
		"64 KiB":            strings.Repeat("x", 64<<10),
		"too long in bytes": strings.Repeat("\u00e9", 101),
		"a new line":        "a\nb",
		"a tab":             "a\tb",
		"an escape":         "a\x1b[2Jb",
		"a bell":            "\a",
		"a delete":          "a\x7f",
	} {
		_, err := db.Exec(`SELECT coterie.lease_declare(ARRAY[$1], NULL)`, name)
		refused(t, err, what, "23514")
	}
	_, err := db.Exec(`SELECT coterie.lease_declare(ARRAY[$1], NULL)`, "a\x00b")
	refused(t, err, "a zero byte", "22021")
	_, err = db.Exec(`SELECT coterie.lease_declare(ARRAY[$1], NULL)`, "a\xff")
	refused(t, err, "bytes that are no text", "22021")
	_, err = db.Exec(`SELECT coterie.lease_declare(ARRAY[NULL], NULL)`)
	refused(t, err, "null", "23502")
	if n := scalar[int](t, db, `SELECT count(*) FROM coterie.leases`); n != 0 {
		t.Errorf("%d leases were made", n)
	}
}

// Names are bytes: what looks alike to a person is another lease, and each has
// its own holder.
func TestNamesThatLookAlikeAreDifferentLeases(t *testing.T) {
	t.Parallel()
	db := holding(t)
	alike := []string{"nightly", "Nightly", "nightly ", " nightly", "n\u0456ghtly", "caf\u00e9", "cafe\u0301", strings.Repeat("x", 200), "%", "_", "a'b", `a"b`, "a\\b"}
	db.MustExec(`SELECT coterie.lease_declare($1, 'work')`, pq.StringArray(alike))
	tokens := map[int64]string{}
	for _, name := range alike {
		token := claim(t, db, "app-a", 1, name, 0)
		if other, twice := tokens[token]; twice || token == 0 {
			t.Errorf("%q has token %d, and so has %q", name, token, other)
		}
		tokens[token] = name
		if _, err := db.Exec(assertSQL, name, token); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for token, name := range tokens {
		for _, other := range alike {
			if other != name {
				_, err := db.Exec(assertSQL, other, token)
				refused(t, err, other+" with the token of "+name, "CT001")
			}
		}
	}
}

// Whoever writes past our functions is held to what rows must be all the same.
func TestRowsThatCannotBeAreRefused(t *testing.T) {
	db := holding(t)
	for _, statement := range []string{
		`UPDATE coterie.lease SET node = NULL WHERE node IS NOT NULL`,
		`UPDATE coterie.lease SET incarnation = NULL WHERE node IS NOT NULL`,
		`UPDATE coterie.lease SET acquired_at = NULL WHERE node IS NOT NULL`,
		`UPDATE coterie.lease SET token = -1`,
		`UPDATE coterie.lease SET freed_by = 'magic'`,
		`UPDATE coterie.lease SET name = name || E'\n'`,
		`INSERT INTO coterie.lease (name, node) VALUES ('half', 'app-a')`,
		`UPDATE coterie.session SET incarnation = 0 WHERE node = 'app-a'`,
		`UPDATE coterie.session SET node = '' WHERE node = 'app-a'`,
		`UPDATE coterie.session SET node = node || E'\t'`,
		`INSERT INTO coterie.session (node, incarnation, ttl, expires_at) VALUES (repeat('x', 201), 1, '6s', coterie.clock())`,
		`INSERT INTO coterie.event (kind) VALUES ('Lease Claimed')`,
		`INSERT INTO coterie.event (kind) VALUES ('')`,
	} {
		_, err := db.Exec(statement)
		refused(t, err, statement, "23514")
	}
}

func TestImpossibleTermsAreRefused(t *testing.T) {
	t.Parallel()
	db := holding(t)
	for _, terms := range []string{
		"session_ttl = '0'", "heartbeat = '0'", "margin = '0'",
		"session_ttl = '-6s'", "heartbeat = '-1s'", "margin = '-1s'",
		"session_ttl = NULL", "heartbeat = NULL", "margin = NULL",
		"heartbeat = '49ms'", "margin = '49ms'", "session_ttl = '601s'",
		"session_ttl = '1 month'", "session_ttl = '1 year -364 days'",
		"session_ttl = '4.5s'",                    // 2 x 1.5 + 1.5 leaves nothing
		"heartbeat = '2.25s'",                     // 2 x 2.25 + 1.5 = 6
		"margin = '3s'",                           // 2 x 1.5 + 3 = 6
		"heartbeat = '100ms', margin = '5.8s'",    // a margin that leaves no trust
		"session_ttl = '1s', heartbeat = '400ms'", // each sound, not together
		"session_ttl = '150ms', heartbeat = '50ms', margin = '50ms'",
	} {
		_, err := db.Exec(`UPDATE coterie.setting SET ` + terms)
		refused(t, err, terms, "23514", "23502")
	}
	// The margin may be longer than the heartbeat.
	for _, terms := range []string{
		"heartbeat = '1s', margin = '3.9s'",
		"heartbeat = '50ms', margin = '5.8s'",
		"session_ttl = '151ms', heartbeat = '50ms', margin = '50ms'",
		"session_ttl = '10min', heartbeat = '1s', margin = '9min'",
	} {
		if _, err := db.Exec(`UPDATE coterie.setting SET ` + terms); err != nil {
			t.Errorf("%s: %v", terms, err)
		}
	}
}
