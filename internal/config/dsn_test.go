package config

import (
	"testing"

	"github.com/lib/pq"
)

// The driver is the judge of where a connection string has its password.
func TestAPasswordIsFoundWhereTheDriverFindsIt(t *testing.T) {
	for _, dsn := range []string{
		"", "host=db1 dbname=deploy user=app",
		"host=db1 password=pw", "password = pw", "host=h password='p w' user=u", `user='o\'password=x' host=h`,
		`user=x\ password=y`, "password=''", "password= host=h", `host=h password=\'`, "host=h\tpassword=pw\n",
		"postgres://app:pw@db1:5433/deploy", "postgres://app@db1/deploy", "postgres://app:@db1/deploy", "postgres://db1:5432/deploy",
		"postgresql://app:p%40w@[::1]:5432/x", "postgres:///deploy?host=/run/postgresql", "postgres://h/d?password=pw", "postgres://h/d?user=password",
	} {
		driver, err := pq.NewConfig(dsn)
		if err != nil {
			t.Fatalf("%s: %v", dsn, err)
		}
		got, err := hasPassword(dsn)
		if want := driver.Password != ""; got != want || err != nil {
			t.Errorf("%s: got %t, %v, want %t", dsn, got, err, want)
		}
	}
}

func TestAURLMayNameSeveralHosts(t *testing.T) {
	for dsn, want := range map[string]bool{
		"postgres://app@db1:5432,db2:5433/deploy":    false,
		"postgres://app:pw@db1:5432,db2:5433/deploy": true,
	} {
		if got, err := hasPassword(dsn); got != want || err != nil {
			t.Errorf("%s: got %t, %v", dsn, got, err)
		}
	}
}
