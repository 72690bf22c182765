// Package config reads how this node reaches and sees things, and hands it out
// as one plain, checked struct.
//
// A value comes from the first of these that has it:
//
//	flag            --database-pool-size 8
//	environment     COTERIE_DATABASE_POOL_SIZE=8      (empty counts as unset)
//	file            database: {pool_size: 8}
//	default         4
//
// The file is named by -c or $COTERIE_CONFIG, or else it is the first of
// /etc/coterie/coterie.yaml and $XDG_CONFIG_HOME/coterie/coterie.yaml that
// exists. What must be equal on all nodes is not here but in the database.
//
// One table (keys) lists every key with its kind, default and meaning; reading,
// checking, "config show --origin" and "config explain" all go by it. A key
// that is not in the table is an error, because a key without effect would be
// a lie. Everything that is wrong is told at once: in the file with line and
// column, in the environment with the name of the variable.
//
// The file is walked as YAML nodes before viper sees a value. viper then does
// what it is good at, laying the four layers over one another, and meets only
// typed values under lower-case keys. What it would do to anything else (fold
// the case of keys, split them at dots, turn 15 into 15 nanoseconds) has a test
// by name in traps_test.go. No other package imports viper, and nothing here
// outlives Load: a changed file is a new Config, never a mutated one.
package config
