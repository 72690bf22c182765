package migrate

import (
	"os"
	"path/filepath"
	"testing"
)

// Products that have no property to be told by are known by their files, and find what
// was moved in its old place.
func TestProductsAreMovedByTheirProfilesAndBack(t *testing.T) {
	for product, c := range map[string]struct {
		moved, stays []string
		places       []string
	}{
		"AppBoard": {
			moved:  []string{"server/webapps/enportal/WEB-INF/xmlroot/server/load_stock.txt.disabled", "server/webapps/enportal/WEB-INF/xmlroot/crs/rules.xml"},
			stays:  []string{"server/webapps/enportal/WEB-INF/config/persist.properties", "server/webapps/enportal/WEB-INF/config/license.properties", "server/conf/server.xml"},
			places: []string{"server/webapps/enportal/WEB-INF/xmlroot"},
		},
		"Fiorano": {
			moved:  []string{"server/repository/applications/a/1.0/application.xml", "server/repository/components/c/1.0/c.zip"},
			stays:  []string{"server/bin/server.sh", "server/profiles/haprofile1/primary/FES/conf/fes.cfg", "runtimedata/EnterpriseServers/haprofile1/FES/peers/p.xml"},
			places: []string{"server/repository/applications", "server/repository/components"},
		},
		"MSS": {
			moved:  []string{"deploy/packages/one.zip", "deploy/packages/two.zip"},
			stays:  []string{"certificates/other.cer", "deploy/settings.xml"},
			places: []string{"deploy/packages"},
		},
	} {
		t.Run(product, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := &site{dir: dir, install: filepath.Join(dir, "product"), share: filepath.Join(dir, "share"), plan: filepath.Join(dir, "plan.json")}
			for _, name := range append(c.moved, c.stays...) {
				s.write(t, filepath.Join(s.install, name), "this is "+name)
			}
			if err := os.Mkdir(s.share, 0o755); err != nil {
				t.Fatal(err)
			}
			was := look(t, s.install)
			s.coterie(t, 0, "migrate", "plan", s.install, "--to", s.appdata(), "--accept", "local-disk,unseen-processes", "--out", s.plan)
			s.coterie(t, 0, "migrate", "apply", s.plan, "-y")
			for _, place := range c.places {
				if to, err := os.Readlink(filepath.Join(s.install, place)); err != nil || to != filepath.Join(s.appdata(), place) {
					t.Errorf("%s leads to %q, %v", place, to, err)
				}
			}
			for _, name := range c.moved {
				for _, root := range []string{s.install, s.appdata()} {
					if got := s.read(t, filepath.Join(root, name)); got != "this is "+name {
						t.Errorf("%s is %q", filepath.Join(root, name), got)
					}
				}
			}
			for _, name := range c.stays {
				if _, err := os.Lstat(filepath.Join(s.appdata(), name)); err == nil {
					t.Errorf("%s is on the share", name)
				}
			}
			s.coterie(t, 0, "migrate", "verify", s.plan)
			s.coterie(t, 0, "migrate", "rollback", s.plan, "-y")
			if wrong := Differ(was, look(t, s.install)); len(wrong) > 0 {
				t.Errorf("not as it was: %v", wrong)
			}
			s.coterie(t, 0, "migrate", "apply", s.plan, "-y")
			s.coterie(t, 0, "migrate", "finish", s.plan, "-y", "--alone")
			for _, name := range append(c.moved, c.stays...) {
				if got := s.read(t, filepath.Join(s.install, name)); got != "this is "+name {
					t.Errorf("finished: %s is %q", name, got)
				}
			}
		})
	}
}
