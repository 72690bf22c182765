package migrate

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// An attribute that is there with another value is not the same.
func TestAttributesAreComparedWithTheirValues(t *testing.T) {
	open := func(name string, attributes map[string]string) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		for attribute, value := range attributes {
			if err := unix.Fsetxattr(int(f.Fd()), attribute, []byte(value), 0); err != nil {
				t.Skipf("NOT TESTED: %s holds no attributes: %v", f.Name(), err)
			}
		}
		return f
	}
	a := open("a", map[string]string{"user.tier": "production", "user.owner": ""})
	for name, c := range map[string]struct {
		has  map[string]string
		want bool
	}{
		"the same":             {map[string]string{"user.tier": "production", "user.owner": ""}, true},
		"one more":             {map[string]string{"user.tier": "production", "user.owner": "", "user.x": "y"}, true},
		"another value":        {map[string]string{"user.tier": "test", "user.owner": ""}, false},
		"a value that is more": {map[string]string{"user.tier": "production2", "user.owner": ""}, false},
		"one is missing":       {map[string]string{"user.tier": "production"}, false},
		"none":                 {nil, false},
	} {
		if got, err := sameAttributes(a, open("b", c.has)); got != c.want || err != nil {
			t.Errorf("%s: the same %v, %v; want %v", name, got, err, c.want)
		}
		if got, err := sameAttributes(open("b", nil), a); !got || err != nil {
			t.Errorf("nothing to be kept: %v, %v", got, err)
		}
	}
}
