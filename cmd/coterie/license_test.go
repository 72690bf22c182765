package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/coterie-ha/coterie/license"
)

// signFiles leaves licence files beside a script, and in $KEY what verifies them.
func signFiles(env *testscript.Env) error {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	env.Setenv("KEY", base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)))
	d := license.Document{Serial: "ACME-1", Issuer: "ACME", Pools: []license.Grant{{Pool: "floating", Seats: 3}}}
	good, err := license.Sign(d, key)
	d.Serial, d.Cluster = "ACME-2", "0190f5a0-0000-7000-8000-000000000000"
	other, err2 := license.Sign(d, key)
	return errors.Join(err, err2,
		os.WriteFile(filepath.Join(env.WorkDir, "acme.lic"), good, 0o644),
		os.WriteFile(filepath.Join(env.WorkDir, "tampered.lic"), bytes.Replace(good, []byte(`"signature": "`), []byte(`"signature": "AAAA`), 1), 0o644),
		os.WriteFile(filepath.Join(env.WorkDir, "other.lic"), other, 0o644))
}
