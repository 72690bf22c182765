package keytool

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/coterie-ha/coterie/internal/properties"
)

// Java reads what was set, and all else as before.
func TestJavaReadsThePropertiesAlike(t *testing.T) {
	javac, java := need(t, "javac"), need(t, "java")
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), javac, "-d", dir, samples+"/Props.java").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	texts := []string{
		"#x\r\ntomcat.key.alias=tomcat\r\nserver.url=https\\://app\\:8443\r\n", "a=b\\\n  c\nk : v\n#x\\\n k2 v2\n\\u006b3=\\u00fc\nk4\n", "\xe9=\xfc\nk\\ 5=\\ v\\\\\n", "a=b\rc=d\r\n\r\n!c\n  e  =  f  \n", "k\\=6=v\n=x\n: y\n",
		"tomcat.key.alias=a\\\r\n\tb\r\nz=1\\\n\\\n2\n", "a\\\n=b\n", "q=\\q\n",
	}
	for i, text := range texts {
		set, err := properties.Text(text).Set("tomcat.key.alias", " neu=\t")
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{"before": []byte(text), "after": set} {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)+"."+name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := exec.CommandContext(t.Context(), java, "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8", "-cp", dir, "Props", dir, "tomcat.key.alias", " neu=\t").CombinedOutput()
	if want := fmt.Sprintf("%d alike\n", len(texts)); err != nil || string(out) != want {
		t.Errorf("%v, %s", err, out)
	}
}
