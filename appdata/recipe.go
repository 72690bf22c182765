package appdata

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Options of mount by which nothing is lost, and by which a node soon sees what
// another has written. Risks has nothing to say about them.
const (
	OptionsNFS = "vers=4.2,hard,proto=tcp,actimeo=1,lookupcache=positive"
	OptionsSMB = "vers=3.1.1,cache=strict,closetimeo=0,actimeo=1,echo_interval=10,mfsymlinks,file_mode=0640,dir_mode=0750"
)

// Recipe is how a folder of a file server becomes the share of a cluster.
type Recipe struct {
	FSType string // nfs4 or cifs
	Source string // nas1:/srv/deploy, //nas1/deploy
	Point  string // where each node mounts it
	Folder string // the folder on the file server
	Nodes  []string
	User   string // whom the files belong to, on each node and on the file server
	Group  string
}

// Step is one thing to do by hand: on which machine, the file to write or to add to,
// its lines, and the commands after it. A step may lack the file or the commands.
type Step struct {
	Where    string   `json:"where"`
	File     string   `json:"file,omitempty"`
	Lines    []string `json:"lines,omitempty"`
	Commands []string `json:"commands,omitempty"`
}

// NewRecipe reads what is to be mounted: HOST:/FOLDER for NFS, //HOST/NAME for SMB.
func NewRecipe(source string) (Recipe, error) {
	if strings.HasPrefix(source, "//") {
		r := Recipe{FSType: "cifs", Source: source}
		host, name := r.split()
		if host == "" || name == "" {
			return Recipe{}, fmt.Errorf("%q is not //HOST/NAME", source)
		}
		r.Folder = "/srv/" + name
		return r, nil
	}
	r := Recipe{FSType: "nfs4", Source: source}
	host, folder := r.split()
	if host == "" || strings.ContainsAny(host, "/@") || !path.IsAbs(folder) {
		return Recipe{}, fmt.Errorf("%q is neither HOST:/FOLDER (NFS) nor //HOST/NAME (SMB)", source)
	}
	r.Folder = folder
	return r, nil
}

// split gives the file server, and what it exports: a folder by NFS, a name by SMB.
func (r Recipe) split() (host, export string) {
	if rest, smb := strings.CutPrefix(r.Source, "//"); smb {
		host, rest, _ = strings.Cut(rest, "/")
		export, _, _ = strings.Cut(rest, "/")
		return host, export
	}
	return splitSource(r.Source)
}

// literal is what a shell, fstab, exports(5) and smb.conf take as it stands: no blank, no
// wildcard, nothing that means a group of users or hosts, or a variable.
var literal = regexp.MustCompile(`^[A-Za-z0-9_./:][A-Za-z0-9_./:+-]*$`)

// Check refuses what some of the files or a shell would read otherwise, and folders that
// are not for the application alone: they are given to its user.
func (r Recipe) Check() error {
	for _, folder := range []string{r.Point, r.Folder} {
		if !path.IsAbs(folder) || path.Clean(folder) != folder || folder == "/" {
			return fmt.Errorf("the folder %q must begin with /, without . and .., and be more than that", folder)
		}
	}
	host, _ := r.split()
	rest := strings.TrimPrefix(strings.TrimPrefix(r.Source, "//"), "["+host+"]")
	for _, word := range slices.Concat([]string{host, rest, r.Point, r.Folder, r.User, r.Group}, r.Nodes) {
		if !literal.MatchString(word) {
			return fmt.Errorf("%q has characters that fstab, exports, smb.conf or a shell would read otherwise", word)
		}
	}
	return nil
}

// Steps are what to do, in this order.
func (r Recipe) Steps() []Step {
	fstab := Step{
		Where: "each node", File: "/etc/fstab",
		Lines:    []string{strings.Join([]string{r.Source, r.Point, r.FSType, r.options(), "0", "0"}, " ")},
		Commands: []string{"mkdir -p " + r.Point, "systemctl daemon-reload", "mount " + r.Point},
	}
	steps := []Step{r.nfsServer(), fstab}
	if r.FSType == "cifs" {
		steps = []Step{
			r.smbServer(),
			{Where: "each node", Commands: []string{"install -d -m 0755 " + path.Dir(credentials), "install -m 0600 /dev/null " + credentials}},
			{Where: "each node", File: credentials, Lines: []string{"username=" + r.User, "password=..."}},
			fstab,
		}
	}
	return append(steps,
		Step{Where: "each node", File: "coterie.yaml", Lines: []string{"appdata:", "  path: " + r.Point, "  expect_mount: [" + r.FSType + "]"}},
		Step{Where: "one node, once", Commands: []string{"coterie init"}},
		Step{Where: "each node", Commands: []string{"coterie appdata check"}})
}

// credentials is a file, since what stands in fstab is read by everybody.
const credentials = "/etc/coterie/share.credentials"

// options are those of fstab: a host starts also while the file server is away, and its
// agent says that the share is not mounted. With bg systemd tries it again and again.
func (r Recipe) options() string {
	if r.FSType == "cifs" {
		return OptionsSMB + ",credentials=" + credentials + ",uid=" + r.User + ",gid=" + r.Group + ",_netdev,nofail"
	}
	return OptionsNFS + ",_netdev,bg"
}

func (r Recipe) nfsServer() Step {
	var clients []string
	for _, n := range r.Nodes { // an address of IPv6 stands without brackets, which are a wildcard there
		clients = append(clients, n+"(rw,sync,no_subtree_check,root_squash)")
	}
	return Step{
		Where: "the file server", File: "/etc/exports.d/coterie.exports",
		Lines:    []string{r.Folder + " " + strings.Join(clients, " ")},
		Commands: []string{r.folderCommand(), "exportfs -ra"},
	}
}

func (r Recipe) folderCommand() string {
	return "install -d -o " + r.User + " -g " + r.Group + " -m 0750 " + r.Folder
}

// smbServer leaves to Samba what it does well by itself: its locks hold between hosts,
// and what a client may remember it takes back when another one writes.
func (r Recipe) smbServer() Step {
	_, name := r.split()
	lines := []string{
		"[" + name + "]", "path = " + r.Folder, "read only = no", "valid users = " + r.User,
		"create mask = 0640", "directory mask = 0750", "hosts allow = " + strings.Join(r.Nodes, " "),
	}
	return Step{
		Where: "the file server", File: "/etc/samba/smb.conf", Lines: lines,
		Commands: []string{
			r.folderCommand(),
			"smbpasswd -a " + r.User, "testparm -s", "systemctl restart smbd",
		},
	}
}
