package keystore

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// sample is a file of testdata/files, and what is in it.
type sample struct {
	name  string
	pass  Passwords
	want  []string // kind:alias:certificates, sorted
	fails error
}

func (f sample) path() string { return filepath.Join("testdata", "files", f.name) }

func (f sample) bytes(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(f.path())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func samples(t testing.TB) []sample {
	t.Helper()
	list, err := os.Open("testdata/files.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	kinds := map[string]error{"error:no-mac": ErrNoMAC, "error:unsupported": ErrUnsupported, "error:format": ErrFormat}
	var all []sample
	for lines := bufio.NewScanner(list); lines.Scan(); {
		f := strings.Fields(lines.Text())
		s := sample{name: f[0], pass: Passwords{Store: Password(strings.TrimPrefix(f[1], "-"))}}
		if f[2] != "-" {
			s.pass.Keys = []Password{Password(f[2])}
		}
		for _, w := range f[3:] {
			if kinds[w] != nil {
				s.fails = kinds[w]
				continue
			}
			s.want = append(s.want, w)
		}
		all = append(all, s)
	}
	return all
}

// summary is what a store has, in the words of files.txt.
func summary(s *Store) []string {
	var got []string
	for _, e := range s.Entries {
		kind := string(e.Kind)
		if e.Kind == Key && e.Sealed() {
			kind = "sealed"
		}
		got = append(got, strings.ReplaceAll(fmt.Sprintf("%s:%s:%d", kind, e.Alias, len(e.Chain)), " ", "_"))
	}
	sort.Strings(got)
	return got
}

func same(got, want []string) bool {
	sort.Strings(want)
	return strings.Join(got, " ") == strings.Join(want, " ")
}

func TestFilesOfKeytoolAndOpenSSLAreReadRight(t *testing.T) {
	all := samples(t)
	if len(all) < 60 {
		t.Errorf("%d files, want 60 at least", len(all))
	}
	for _, f := range all {
		s, err := Read(f.bytes(t), f.pass)
		if f.fails != nil {
			if !errors.Is(err, f.fails) {
				t.Errorf("%s: got %v, want %v", f.name, err, f.fails)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
			continue
		}
		if got := summary(s); !same(got, f.want) {
			t.Errorf("%s: got %v, want %v", f.name, got, f.want)
		}
		for _, e := range s.Entries {
			if e.Kind == Key && e.Key != nil && len(e.Chain) > 0 && !strings.Contains(f.name, "dsa") {
				if err := e.belongs(e.Chain[0]); err != nil {
					t.Errorf("%s: %s: %v", f.name, e.Alias, err)
				}
			}
			for i := 1; i < len(e.Chain); i++ {
				if err := e.Chain[i-1].X509.CheckSignatureFrom(e.Chain[i].X509); err != nil {
					t.Errorf("%s: %s: certificate %d of the chain: %v", f.name, e.Alias, i, err)
				}
			}
		}
	}
}

func TestAWrongPasswordIsToldAsSuch(t *testing.T) {
	for _, f := range samples(t) {
		if f.fails != nil || strings.HasPrefix(f.name, "pem-") || strings.Contains(f.name, "nopass") || strings.Contains(f.name, "nomac") {
			continue
		}
		if s, err := Read(f.bytes(t), Passwords{Store: f.pass.Store + "x"}); !errors.Is(err, ErrPassword) {
			t.Errorf("%s: got %v, %v", f.name, s, err)
		}
	}
}

// What is written is read again, in each form that can hold it.
func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	for i, f := range samples(t) {
		if f.fails != nil || testing.Short() && i%4 != 0 {
			continue
		}
		s, err := Read(f.bytes(t), f.pass)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []Format{PKCS12, JKS} {
			pass := f.pass.Store
			if form == PKCS12 && asciiPassword(pass) != nil {
				if _, err := Write(s, form, pass); !errors.Is(err, ErrNotASCII) {
					t.Errorf("%s with a password that Java refuses: %v", f.name, err)
				}
				pass = "changeit"
			}
			out, err := Write(s, form, pass)
			if cannotHold(s, form) {
				if !errors.Is(err, ErrSealed) {
					t.Errorf("%s as %s: got %v", f.name, form, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s as %s: %v", f.name, form, err)
				continue
			}
			again, err := Read(out, Passwords{Store: pass, Keys: f.pass.Keys})
			if err != nil {
				t.Errorf("%s as %s: %v", f.name, form, err)
				continue
			}
			compare(t, f.name+" as "+string(form), s, again)
		}
	}
}

// cannotHold tells whether something in the store stays closed and is of another form.
func cannotHold(s *Store, form Format) bool {
	for _, e := range s.Entries {
		if e.Sealed() && e.from != form {
			return true
		}
	}
	return false
}

// compare holds the entries of two stores against each other, byte for byte.
func compare(t *testing.T, name string, was, is *Store) {
	t.Helper()
	for _, e := range was.Entries {
		if e.Kind == Loose {
			continue
		}
		got, err := is.Entry(e.Alias)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Kind != e.Kind || string(got.Key) != string(e.Key) || got.Password != e.Password || len(got.Chain) != len(e.Chain) {
			t.Errorf("%s: %s is %s with %d certificates, want %s with %d", name, e.Alias, got.Kind, len(got.Chain), e.Kind, len(e.Chain))
			continue
		}
		if e.Sealed() && string(got.sealed) != string(e.sealed) {
			t.Errorf("%s: %s stayed closed, and is not the same", name, e.Alias)
		}
		if e.Kind == Key && !e.Created.IsZero() && !got.Created.Equal(e.Created) {
			t.Errorf("%s: %s was made at %v, now %v", name, e.Alias, e.Created, got.Created)
		}
		for i := range e.Chain {
			if string(got.Chain[i].DER) != string(e.Chain[i].DER) {
				t.Errorf("%s: %s: certificate %d is another", name, e.Alias, i)
			}
		}
	}
}
