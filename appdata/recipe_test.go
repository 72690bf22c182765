package appdata

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestARecipesMountHasNoRisk(t *testing.T) {
	for _, source := range []string{"nas1:/srv/deploy", "[fd00::7]:/srv/deploy", "//nas1/deploy", "//nas1/deploy/below"} {
		r, err := NewRecipe(source)
		if err != nil {
			t.Fatal(err)
		}
		r.Point, r.User, r.Group, r.Nodes = "/media/deploy", "deploy", "deploy", []string{"app-a", "10.0.0.2", "fd00::2"}
		if err := r.Check(); err != nil {
			t.Error(err)
		}
		found := false
		for _, s := range r.Steps() {
			if s.File != "/etc/fstab" {
				continue
			}
			found = true
			f := strings.Fields(s.Lines[0])
			if len(f) != 6 || f[0] != source || f[1] != r.Point {
				t.Fatalf("%s: %q", source, s.Lines[0])
			}
			for _, risk := range (Mount{FSType: f[2], Source: f[0], Options: f[3]}).Risks() {
				t.Errorf("%s: %v", source, risk)
			}
		}
		if !found {
			t.Errorf("%s: no line of fstab", source)
		}
	}
}

func TestAnAddressStandsAsEachFileReadsIt(t *testing.T) {
	r, err := NewRecipe("[fd00::7]:/srv/deploy")
	if err != nil {
		t.Fatal(err)
	}
	r.Point, r.User, r.Group, r.Nodes = "/media/deploy", "deploy", "deploy", []string{"fd00::2"}
	if got := r.Steps()[0].Lines[0]; !strings.HasPrefix(got, "/srv/deploy fd00::2(rw,") {
		t.Errorf("exports: %s", got)
	}
	// Nobody reads the password in the moment between writing it and closing the file.
	if r, err = NewRecipe("//nas1/deploy"); err != nil {
		t.Fatal(err)
	}
	var before []string
	for _, s := range r.Steps() {
		if s.File == credentials && !slices.Contains(before, "install -m 0600 /dev/null "+credentials) {
			t.Errorf("%s is written before it is closed to others", credentials)
		}
		before = append(before, s.Commands...)
	}
}

func TestTheManualHasTheSameOptions(t *testing.T) {
	page, err := os.ReadFile("../docs/appdata.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{OptionsNFS, OptionsSMB} {
		if !strings.Contains(string(page), "`"+options+"`") {
			t.Errorf("docs/appdata.md does not have %s", options)
		}
	}
}

func TestARecipeOfWhatCannotBeWrittenIsRefused(t *testing.T) {
	for _, source := range []string{"", "nas1", "nas1:", "nas1:srv", ":/srv", "//nas1", "//nas1/", "///deploy", "app@nas1:/srv", "/srv/deploy", `\\nas1\deploy`} {
		if r, err := NewRecipe(source); err == nil {
			t.Errorf("%q: %+v", source, r)
		}
	}
	for name, change := range map[string]func(*Recipe){
		"a blank in the source":   func(r *Recipe) { r.Source = "nas1:/srv/my deploy" },
		"a command in the source": func(r *Recipe) { r.Source = "nas1:/srv;reboot" },
		"a wildcard of a shell":   func(r *Recipe) { r.Point = "/media/[a]" },
		"all of the server":       func(r *Recipe) { r.Source, r.Folder = "nas1:/", "/" },
		"above the folder":        func(r *Recipe) { r.Folder = "/srv/.." },
		"a group as the user":     func(r *Recipe) { r.User = "@deploy" },
		"a group of hosts":        func(r *Recipe) { r.Nodes = []string{"@apps"} },
		"a variable of Samba":     func(r *Recipe) { r.Folder = "/srv/%u" },
		"a relative folder":       func(r *Recipe) { r.Point = "media" },
		"the root":                func(r *Recipe) { r.Point = "/media/.." },
		"a line in the folder":    func(r *Recipe) { r.Point = "/media\n/etc" },
		"an option as a node":     func(r *Recipe) { r.Nodes = []string{"-o"} },
		"everybody as a node":     func(r *Recipe) { r.Nodes = []string{"*"} },
		"a command as the user":   func(r *Recipe) { r.User = "$(id)" },
		"no user":                 func(r *Recipe) { r.User = "" },
	} {
		r, err := NewRecipe("nas1:/srv/deploy")
		if err != nil {
			t.Fatal(err)
		}
		r.Point, r.User, r.Group, r.Nodes = "/media/deploy", "deploy", "deploy", []string{"app-a"}
		change(&r)
		if r.Check() == nil {
			t.Errorf("%s: not refused: %+v", name, r)
		}
	}
}
