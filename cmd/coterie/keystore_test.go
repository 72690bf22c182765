package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/coterie-ha/coterie/keystore"
)

// keystoreFiles gives scripts the keystores of package keystore, and files that
// they cannot write down themselves.
func keystoreFiles(env *testscript.Env) error {
	dir, err := filepath.Abs("../../keystore/testdata/files")
	if err != nil {
		return err
	}
	env.Setenv("KEYSTORES", dir)
	whole, err := os.ReadFile(filepath.Join(dir, "pkcs12-ec.ks"))
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"bom":     []byte("\xef\xbb\xbfchangeit\n"),
		"crlf":    []byte("changeit\r\n"),
		"cut.p12": whole[:len(whole)/2],
	} {
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func TestAPasswordIsTheOnlyLineOfItsFile(t *testing.T) {
	for text, want := range map[string]keystore.Password{
		"changeit": "changeit", "changeit\n": "changeit", "changeit\r\n": "changeit", "": "", "\n": "", " a b \n": " a b ", "пароль\n": "пароль",
	} {
		if got, err := onePassword([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, string(got), err)
		}
	}
	for _, text := range []string{"a\nb", "a\n\n", "\xef\xbb\xbfa", "\xff\xfea\x00", "a\x00", "a\xff", string(make([]byte, mostPassword+1))} {
		if got, err := onePassword([]byte(text)); err == nil {
			t.Errorf("%.20q: %q", text, string(got))
		}
	}
}
