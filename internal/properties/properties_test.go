package properties

import (
	"errors"
	"strings"
	"testing"
)

const installed = "#Thu Nov 19 10:00:00 CET 2026\r\ntomcat.keystore.password=changeit\r\n\r\ntomcat.key.alias=tomcat\r\nserver.url=https\\://app.example.org\\:8443\r\n"

func TestAPropertyIsSetAndNoOtherByteChanges(t *testing.T) {
	for name, c := range map[string]struct{ text, value, want string }{
		"as the installer writes it": {installed, "next", strings.Replace(installed, "alias=tomcat", "alias=next", 1)},
		"the same":                   {installed, "tomcat", installed},
		"added":                      {"a=b\n", "next", "a=b\ntomcat.key.alias=next\n"},
		"added to CRLF":              {"a=b\r\n", "next", "a=b\r\ntomcat.key.alias=next\r\n"},
		"added without an end":       {"a=b", "next", "a=b\ntomcat.key.alias=next\n"},
		"nothing there":              {"", "next", "tomcat.key.alias=next\n"},
		"colon":                      {"tomcat.key.alias : old\n", "next", "tomcat.key.alias : next\n"},
		"white space":                {"  tomcat.key.alias\told\n", "next", "  tomcat.key.alias\tnext\n"},
		"a key alone":                {"tomcat.key.alias\nb=c\n", "next", "tomcat.key.alias=next\nb=c\n"},
		"an empty value":             {"tomcat.key.alias=\nb=c", "next", "tomcat.key.alias=next\nb=c"},
		"the last of two":            {"tomcat.key.alias=a\ntomcat.key.alias=b\n", "next", "tomcat.key.alias=a\ntomcat.key.alias=next\n"},
		"a comment":                  {"#tomcat.key.alias=a\n! tomcat.key.alias=b\n", "next", "#tomcat.key.alias=a\n! tomcat.key.alias=b\ntomcat.key.alias=next\n"},
		"a comment is not continued": {"# c \\\ntomcat.key.alias=a\n", "next", "# c \\\ntomcat.key.alias=next\n"},
		"a value in lines":           {"tomcat.key.alias=a\\\n   b\\\n   c\nd=e\n", "next", "tomcat.key.alias=next\nd=e\n"},
		"a key in lines":             {"tomcat.\\\n   key.alias=a\n", "next", "tomcat.\\\n   key.alias=next\n"},
		"a key in escapes":           {"tomcat\\u002ekey\\.alias=a\n", "next", "tomcat\\u002ekey\\.alias=next\n"},
		"in another's value":         {"x=y\\\ntomcat.key.alias=a\n", "next", "x=y\\\ntomcat.key.alias=a\ntomcat.key.alias=next\n"},
		"old Macintosh":              {"a=b\rtomcat.key.alias=c\r", "next", "a=b\rtomcat.key.alias=next\r"},
		"Latin-1 stays":              {"n=\xe9\ntomcat.key.alias=c\n", "n\u00e4chster", "n=\xe9\ntomcat.key.alias=n\\u00E4chster\n"},
		"what must be escaped":       {"tomcat.key.alias=c\n", " a=b:c\\ #\U0001f511", "tomcat.key.alias=\\ a\\=b\\:c\\\\ \\#\\uD83D\\uDD11\n"},
		"two backslashes":            {"a=b\\\\\ntomcat.key.alias=c\n", "next", "a=b\\\\\ntomcat.key.alias=next\n"},
	} {
		got, err := Text(c.text).Set("tomcat.key.alias", c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
		}
		if value, ok := got.Get("tomcat.key.alias"); !ok || value != c.value {
			t.Errorf("%s: reads %q, %v", name, value, ok)
		}
	}
}

func TestWhatCannotBePropertiesIsLeftAlone(t *testing.T) {
	for _, text := range []string{"a=b\x00", "a=b\\", string(make([]byte, Most+1))} {
		if got, err := Text(text).Set("k", "v"); !errors.Is(err, ErrNot) {
			t.Errorf("%.10q: %.10q, %v", text, got, err)
		}
	}
	if v, ok := Text("a=b").Get("k"); ok {
		t.Errorf("got %q", v)
	}
}

func FuzzProperties(f *testing.F) {
	f.Add([]byte(installed), "tomcat.key.alias", "next")
	f.Add([]byte("a\\\n b : c\\\n  d\n#x\\\nk v"), "k", " v\\")
	f.Add([]byte("tomcat\\u002ekey=\\\r\n  x\r"), "tomcat.key", "\u00fc")
	f.Add([]byte("b : c\\\n  \\\n"), "w", " v\\") // what comes behind would be more of b
	f.Add([]byte("\\ "), " ", "\\")               // a key that is an escaped space, and nothing behind it
	f.Add([]byte("w\\"), "w", "v")                // a key that is continued by nothing
	f.Add([]byte("a=b\n# C:\\conf\\\n"), "w", "v")
	f.Fuzz(func(t *testing.T, text []byte, key, value string) {
		if key == "" || strings.ToValidUTF8(key, "") != key || strings.ToValidUTF8(value, "") != value {
			return
		}
		p := Text(text)
		before := map[string]string{}
		p.each(func(begin, end int) {
			if at, ok := p.property(begin, end); ok {
				before[at.key] = unescape(p[at.value:at.end])
			}
		})
		set, err := p.Set(key, value)
		if err != nil {
			return
		}
		if got, ok := set.Get(key); !ok || got != value {
			t.Fatalf("set %q to %q, reads %q in %q", key, value, got, set)
		}
		for k, v := range before {
			if got, ok := set.Get(k); k != key && (!ok || got != v) {
				t.Fatalf("set %q: %q was %q and is %q in %q", key, k, v, got, set)
			}
		}
		if again, err := set.Set(key, value); err != nil || string(again) != string(set) {
			t.Fatalf("set twice: %q, %q, %v", set, again, err)
		}
	})
}

// What is put behind a line that is continued would be more of that line.
func TestNothingIsPutBehindALineThatIsContinued(t *testing.T) {
	for text, fits := range map[string]bool{"a=b\\\n": false, "a=b\\": false, "a=b\\\n  \\\r\n": false, "a=b\\\\\n": true, "# C:\\conf\\\n": true, "# C:\\": true, "": true} {
		set, err := Text(text).Set("w", "v")
		if (err == nil) != fits {
			t.Errorf("%q: %q, %v", text, set, err)
		}
		if got, _ := set.Get("w"); fits && got != "v" {
			t.Errorf("%q became %q", text, set)
		}
	}
}
