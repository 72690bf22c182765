package properties

import "testing"

func TestWhatWasSetIsTakenBackToTheByte(t *testing.T) {
	for _, text := range []string{installed, "a=b\n", "a=b\r\n", "", "  tomcat.key.alias\told\n", "tomcat.key.alias\nb=c\n",
		"#x\n\ntomcat.key.alias = a\\\n   b\n d=e", "tomcat.key.alias=\\u0041\nx=y", "a=b\rtomcat.key.alias=c\r"} {
		was, there := Text(text).Raw("tomcat.key.alias")
		set, err := Text(text).Set("tomcat.key.alias", "/media/share/appdata")
		if err != nil {
			t.Fatal(err)
		}
		if there == (was == nil) {
			t.Fatalf("%q: %q, %v", text, was, there)
		}
		if back := set.Restore("tomcat.key.alias", was); string(back) != text {
			t.Errorf("%q became %q", text, back)
		}
	}
}

func TestTheLineOfAPropertyIsNamed(t *testing.T) {
	for text, want := range map[string]int{installed: 4, "tomcat.key.alias=x": 1, "a=b": 0, "a=b\\\n c\n#\n tomcat.key.alias=x\n": 4, "a=b\rtomcat.key.alias=c\r": 2} {
		if got := Text(text).Line("tomcat.key.alias"); got != want {
			t.Errorf("%q: line %d, want %d", text, got, want)
		}
	}
}
