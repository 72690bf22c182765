package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The text is a promise to people who read it at night: see the golden file.
func TestEverythingThatIsWrongIsToldAtOnce(t *testing.T) {
	m := testMachine(t)
	_, err := m.install(t, `database:
  connect_timeout: 15
  pool_sise: 4
appdata:
  path: ~/share
  check_every: fifteen
  layout: udc
node:
  state_dir:
  candidate: yes
Cluster: deploy-prod
cluster: Deploy Prod
listen: 127.0.0.1:7480
actions:
  - name: audit-purge
    command: /opt/ucd/bin/purge --days 90
  - name: audit-purge
    command: [no-such-program-here]
  - name: report
    http: {url: "http://ana:s3cret@localhost/x", expect: 20}
    dir: /tmp
  - nam: x
`, "COTERIE_NODE_NAME=App C", "COTERIE_DATABASE_POOL_SIZE=many", "COTERIE_HTTP_LISTN=:7480", "COTERIE_ACTIONS=[]")
	if err == nil {
		t.Fatal("no error")
	}
	got := strings.ReplaceAll(err.Error(), m.etc, "/etc/coterie") + "\n"
	golden := filepath.Join("testdata", "faults.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestEachWrongValueIsToldInWords(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"hook for all":           {"hooks: [{name: x, files: [conf], jobs: [a], command: [/bin/true]}]", `3:19 hooks[0].files stands beside on or jobs; a hook is for files or for runs`},
		"trust unlocked":         {"trust: {jks: /srv/trust.jks}", `trust.password_file is needed for trust.pkcs12 and trust.jks; there is no default password`},
		"trust twice":            {"trust: {pem: /srv/trust.pem, pkcs12: /srv/trust.pem, password_file: /none}", `3:9 trust.pem "/srv/trust.pem" is also trust.pkcs12`},
		"trust not reloaded":     {"trust: {pem: /srv/trust.pem, reload: true}", `3:30 trust.reload needs keystore.file, and manager or command in keystore.reload`},
		"files outside":          {"hooks: [{name: x, files: [../conf], command: [/bin/true]}]", `3:19 hooks[0].files has "../conf", which is no pattern of a path in the share, such as conf/*.keystore`},
		"word for a duration":    {"drain: {deadline: fifteen}", `3:19 drain.deadline: "fifteen" is not a duration (write 15s, 2m)`},
		"number for a duration":  {"drain: {deadline: 15}", `3:19 drain.deadline: "15" has no unit (write 15s, 15m)`},
		"negative duration":      {"drain: {deadline: -1s}", `3:19 drain.deadline: "-1s" is negative`},
		"no duration":            {"drain: {deadline: 0}", `3:9 drain.deadline must be longer than 0`},
		"short timeout":          {"database: {connect_timeout: 10ms}", `3:12 database.connect_timeout is 10ms; at least 1s`},
		"word for a number":      {"database: {pool_size: four}", `3:23 database.pool_size: "four" is not a whole number`},
		"fraction":               {"database: {pool_size: 4.5}", `3:23 database.pool_size: "4.5" is not a whole number`},
		"pool of one":            {"database: {pool_size: 1}", `3:12 database.pool_size is 1; 2 to 100 (one connection is the heartbeat's own)`},
		"yes":                    {"node: {candidate: yes}", `3:19 node.candidate: "yes" is neither true nor false`},
		"one word for a list":    {"node: {tags: big}", `3:14 node.tags: "big" is not a list (write [a, b])`},
		"list in a list":         {"node: {tags: [[a]]}", `3:15 node.tags[0]: a list is not a text`},
		"tag twice":              {"node: {tags: [a, a]}", `3:8 node.tags has "a" twice`},
		"list for a word":        {"node: {name: [a]}", `3:14 node.name: a list is not a text`},
		"group for a word":       {"node: {name: {a: b}}", `3:14 node.name: a group of keys is not a text`},
		"word for a group":       {"node: app-a", `3:7 node: "app-a" is not a group of keys`},
		"nothing for a value":    {"drain: {deadline: }", `3:19 drain.deadline has no value; write one or remove the line`},
		"capital in a name":      {"node: {name: App-A}", `3:8 node.name "App-A" has the capital A; allowed: a-z 0-9 . -, at most 63`},
		"look-alike in a name":   {"node: {name: аpp}", `3:8 node.name "аpp" has the character 'а'; allowed: a-z 0-9 . -, at most 63`},
		"quote in a name":        {`node: {name: "a';b"}`, `3:8 node.name "a';b" has the character '\''; allowed: a-z 0-9 . -, at most 63`},
		"long name":              {"node: {name: " + strings.Repeat("a", 64) + "}", `3:8 node.name "` + strings.Repeat("a", 60) + `..." is 64 long; allowed: a-z 0-9 . -, at most 63`},
		"hyphen first":           {"node: {name: -a}", `3:8 node.name "-a" begins or ends with a dot or a hyphen`},
		"address with a port":    {"node: {address: 'app-a:80'}", `3:8 node.address "app-a:80" has a port; write "app-a" without ":80"`},
		"no address":             {"node: {address: 'app a'}", `3:8 node.address "app a" is neither an IP address nor a host name`},
		"relative state":         {"node: {state_dir: var}", `3:8 node.state_dir "var" is not an absolute path`},
		"home":                   {"node: {state_dir: '~/var'}", `3:8 node.state_dir "~/var" begins with ~, which only a shell knows; write the whole path`},
		"variable in a path":     {"node: {state_dir: $HOME/var}", `3:8 node.state_dir "$HOME/var" has a $; variables are not unfolded, write the whole path`},
		"state on the share":     {"node: {state_dir: /srv/share/a}", `3:8 node.state_dir "/srv/share/a" lies in appdata.path, which all nodes share; it must be a local folder`},
		"dsn with a password":    {"database: {dsn: 'host=h password=s3cret'}", `3:12 database.dsn has a password, which would show in files and process lists; put it into a file and set database.password_file`},
		"URL with a password":    {"database: {dsn: 'postgres://u:s3cret@h/d'}", `3:12 database.dsn has a password, which would show in files and process lists; put it into a file and set database.password_file`},
		"query with a password":  {"database: {dsn: 'postgres://h/d?password=s3cret'}", `3:12 database.dsn has a password, which would show in files and process lists; put it into a file and set database.password_file`},
		"blanks in a password":   {`database: {dsn: "host=h password = 's3 cret'"}`, `3:12 database.dsn has a password, which would show in files and process lists; put it into a file and set database.password_file`},
		"no dsn":                 {"database: {dsn: 's3cret'}", `3:12 database.dsn is not written as key=value words (word 1)`},
		"open quote":             {`database: {dsn: "user='s3cret"}`, `3:12 database.dsn has a quote that is not closed (word 1)`},
		"no port":                {"http: {listen: localhost}", `3:8 http.listen "localhost" is not an address with a port, such as 127.0.0.1:7480 or :7480`},
		"port too high":          {"http: {listen: ':70000'}", `3:8 http.listen ":70000" has the port "70000"; 0 to 65535`},
		"long socket":            {"http: {socket: /" + strings.Repeat("s", 107) + "}", `3:8 http.socket is 108 bytes long, and a Unix socket may have 107; set a shorter one ("/` + strings.Repeat("s", 59) + `...")`},
		"check path":             {"http: {check_path: check.jsp}", `3:8 http.check_path "check.jsp" must begin with / and name a page`},
		"check path of ours":     {"http: {check_path: /metrics}", `3:8 http.check_path "/metrics" has a meaning of its own`},
		"level":                  {"log: {level: inof}", `3:7 log.level "inof" is none of debug, info, warn, error; did you mean "info"?`},
		"version twice":          {"app: {version: 1, version_file: /v}", `3:19 app.version_file and app.version are both set; keep one`},
		"action of nothing":      {"actions: [{name: a}]", `3:11 actions[0] has neither command nor http nor sql; say what it does`},
		"action of empty http":   {"actions: [{name: a, http: }]", `3:11 actions[0] has neither command nor http nor sql; say what it does`},
		"action of both":         {"actions: [{name: a, command: [/x], http: {url: 'http://h/'}}]", `3:11 actions[0] has both command and http; keep one`},
		"action twice":           {"actions: [{name: a, command: [/x]}, {name: a, command: [/x]}]", `3:38 actions[1].name "a" is already the name of actions[0]`},
		"action without a name":  {"actions: [{command: [/x]}]", `3:11 actions[0].name is empty`},
		"action is a word":       {"actions: [a]", `3:11 actions[0]: "a" is not a group of keys`},
		"actions are no list":    {"actions: {a: b}", `3:10 actions: a group of keys is not a list (begin each member with "- name:")`},
		"command as one text":    {"actions: [{name: a, command: /x --y}]", `3:30 actions[0].command: "/x --y" is not a list (there is no shell; write ["/opt/app/bin/tool", "--days", "90"])`},
		"command in one member":  {"actions: [{name: a, command: [tool --y]}]", `3:21 actions[0].command "tool --y" has a blank: program and arguments are members of their own, [tool, --y]`},
		"command at home":        {"actions: [{name: a, command: [~/x]}]", `3:21 actions[0].command "~/x" begins with ~, which only a shell knows; write the whole path`},
		"relative command":       {"actions: [{name: a, command: [./x]}]", `3:21 actions[0].command "./x" is a relative path; write the whole path`},
		"command not in PATH":    {"actions: [{name: a, command: [no-such-x]}]", `3:21 actions[0].command "no-such-x" is not found in PATH; write the whole path`},
		"empty command":          {"actions: [{name: a, command: []}]", `3:21 actions[0].command is empty`},
		"NUL":                    {`actions: [{name: a, command: ["/x", "a\0b"]}]`, `3:37 actions[0].command[1]: "a\x00b" has a NUL character`},
		"environment":            {"actions: [{name: a, command: [/x], env: [s3cret]}]", `3:36 actions[0].env member 0 is not NAME=value`},
		"environment of ours":    {"actions: [{name: a, command: [/x], env: [COTERIE_TOKEN=1]}]", `3:36 actions[0].env has COTERIE_TOKEN; COTERIE_ variables are given by the agent`},
		"environment twice":      {"actions: [{name: a, command: [/x], env: [A=1, A=2]}]", `3:36 actions[0].env has A twice`},
		"user":                   {"actions: [{name: a, command: [/x], user: 'a:b'}]", `3:36 actions[0].user "a:b" is not the name of a user`},
		"URL with a user":        {"actions: [{name: a, http: {url: 'http://u:s3cret@h/'}}]", `3:28 actions[0].http.url has a user or password in it; send a header instead`},
		"no URL":                 {"actions: [{name: a, http: {method: GET}}]", `3:21 actions[0].http.url is needed`},
		"URL of a file":          {"actions: [{name: a, http: {url: 'file:///etc/passwd'}}]", `3:28 actions[0].http.url must begin with http:// or https://`},
		"method":                 {"actions: [{name: a, http: {url: 'http://h/', method: post}}]", `3:46 actions[0].http.method "post" is none of GET, HEAD, POST, PUT, PATCH, DELETE`},
		"status":                 {"actions: [{name: a, http: {url: 'http://h/', expect: 0}}]", `3:46 actions[0].http.expect is 0; a status is 100 to 599`},
		"header":                 {"actions: [{name: a, http: {url: 'http://h/', headers: [s3cret]}}]", `3:46 actions[0].http.headers member 0 is not "Name: value"`},
		"header in a header":     {`actions: [{name: a, http: {url: 'http://h/', headers: ["A: b\r\nC: d"]}}]`, `3:46 actions[0].http.headers member 0 is not "Name: value"`},
		"user of http":           {"actions: [{name: a, user: u, http: {url: 'http://h/'}}]", `3:21 actions[0].user has no meaning for http`},
		"key twice":              {"node: {name: a, name: b}", `3:17 node.name stands here a second time; first at 3:8`},
		"group twice":            {"appdata: {path: /x}", `3:1 appdata stands here a second time; first at 2:1`},
		"key with a dot":         {"node.name: a", `3:1 unknown key "node.name"; write it in its group, node: {name: ...}`},
		"key like a list":        {"actions[]: {name: a}", `3:1 unknown key "actions[]"`},
		"unknown key":            {"storage: {path: x}", `3:1 unknown key "storage"`},
		"unknown key in a group": {"database: {pool_sise: 4}", `3:12 unknown key "database.pool_sise"; did you mean "pool_size"?`},
		"unknown key in a list":  {"actions: [{name: a, comand: [/x]}]", `3:21 unknown key "actions[0].comand"; did you mean "command"?`},
		"unknown group":          {"nod: {name: a}", `3:1 unknown key "nod"; did you mean "node"?`},
		"key in another group":   {"check_path: /x", `3:1 unknown key "check_path"; did you mean "http.check_path"?`},
		"merge key":              {"x: &x {name: a}\nnode: {<<: *x}", `3:1 unknown key "x"`},
		"second document":        {"---\ncluster: d", `3:1 a second document begins here; only one is read`},
		"tab":                    {"node:\n\tname: a", `4:1 this is not YAML: found character that cannot start any token`},
		"list for a key":         {"[a]: b", `3:1 a key must be a word`},
	} {
		t.Run(name, func(t *testing.T) {
			got := faults(t, least+c.yaml+"\n")
			if !slices.Contains(got, c.want) {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), c.want)
			}
			for _, text := range got {
				if strings.Contains(text, "s3cret") && !strings.Contains(name, "command") {
					t.Errorf("repeats a secret: %s", text)
				}
			}
		})
	}
}

func TestAFaultOfAnOverriddenValueIsStillTold(t *testing.T) {
	got := faults(t, least+"drain: {deadline: soon}\n", "COTERIE_DRAIN_DEADLINE=1m")
	if len(got) != 1 || !strings.Contains(got[0], "soon") {
		t.Errorf("got %q", got)
	}
}

func TestAnUnknownVariableOfAGroupIsAMistake(t *testing.T) {
	got := faults(t, least, "COTERIE_NODE_NMAE=a", "COTERIE_TOKEN=4", "COTERIE_JOB=j", "COTERIE_NODE=n", "COTERIE_CONFIG=")
	want := []string{"COTERIE_NODE_NMAE no key has this variable; did you mean COTERIE_NODE_NAME?"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNeededAndMissingIsTold(t *testing.T) {
	got := faults(t, "# nothing\n")
	want := []string{
		"cluster is needed: name of the cluster; the same on all nodes",
		"appdata.path is needed: the shared application-data folder, as mounted on this node",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatAFileThatIsNotYAMLDoesNotSayIsNotTold(t *testing.T) {
	got := faults(t, "cluster: [\n")
	want := []string{"1:1 this is not YAML: did not find expected node content"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAHostWithoutAUsableNameMustNameTheNode(t *testing.T) {
	m := testMachine(t)
	m.hostname = func() (string, error) { return "app_c", nil }
	_, err := m.install(t, least)
	if err == nil || !strings.Contains(err.Error(), `node.name "app_c" has the character '_'`) {
		t.Errorf("got %v", err)
	}
	m.hostname = func() (string, error) { return "", errors.New("no name") }
	if _, err = m.install(t, least); err == nil || !strings.Contains(err.Error(), "the host has no name") {
		t.Errorf("got %v", err)
	}
	if _, err = m.install(t, least+"node: {name: app-c}\n"); err != nil {
		t.Error(err)
	}
}

func TestAPasswordFileOpenToEverybodyIsRefused(t *testing.T) {
	secret := write(t, filepath.Join(t.TempDir(), "password"), "s3cret\n")
	content := least + "database: {dsn: 'host=/run/postgresql', password_file: " + secret + "}\n"
	got := faults(t, content)
	if len(got) != 1 || !strings.Contains(got[0], "is open to everybody (mode 0644): chmod o= "+secret) {
		t.Errorf("got %q", got)
	}
	if err := os.Chmod(secret, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := faults(t, content); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestALongListOfFaultsIsCut(t *testing.T) {
	var b strings.Builder
	for range 500 {
		b.WriteString("- x\n")
	}
	_, err := testMachine(t).install(t, least+"actions:\n"+b.String())
	if err == nil || !strings.HasSuffix(err.Error(), "and 475 more") {
		t.Errorf("got %v", err)
	}
}
