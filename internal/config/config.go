package config

import (
	"os"
	"time"

	"github.com/spf13/pflag"
)

// Config is a checked configuration: whoever holds one need not look again.
type Config struct {
	Cluster  string
	Node     Node
	Database Database
	AppData  AppData
	Equal    Equal
	App      App
	HTTP     HTTP
	Actions  []Action
	Hooks    []Hook
	Drain    Drain
	License  License
	Log      Log

	Certificates Certificates
	Keystore     Keystore
	Renewal      Renewal
	Trust        Trust
	Backup       Backup

	file    string
	origins map[string]Origin
}

// Node is this member of the cluster.
type Node struct {
	Name      string
	Address   string // empty: the address of the route to the database
	Tags      []string
	Candidate bool
	Weight    int    // its share of the leases beside other nodes, 1 to 100
	MaxRuns   int    `mapstructure:"max_runs"` // 0: any number
	StateDir  string `mapstructure:"state_dir"`
	Room      int    // runs that are taken from queues at once
}

// Database says how to reach PostgreSQL.
type Database struct {
	DSN              string
	PasswordFile     string        `mapstructure:"password_file"`
	ConnectTimeout   time.Duration `mapstructure:"connect_timeout"`
	StatementTimeout time.Duration `mapstructure:"statement_timeout"`
	PoolSize         int           `mapstructure:"pool_size"`
	AutoMigrate      bool          `mapstructure:"auto_migrate"`
}

// AppData is the application-data folder that all nodes share.
type AppData struct {
	Path       string
	Layout     string
	CheckEvery time.Duration `mapstructure:"check_every"`
	// AnswerWithin is how long it may let whoever looks at it wait.
	AnswerWithin time.Duration `mapstructure:"answer_within"`
	Watch        bool          // tell the journal at once what this host changes in it
	Listen       bool          // have the file server of an SMB share tell the journal what anybody changes in it
	Critical     []string      // files and folders in it that are looked at each second
	ExpectMount  []string      `mapstructure:"expect_mount"` // file system types; empty: any
	Logs         []string      // folders in it whose old files may be deleted
}

// Equal are files that this node has of its own and that must be as on the others.
type Equal struct {
	Root       string        // empty: none are looked at
	Paths      []string      // patterns below Root
	Ignore     []string      // patterns
	Secret     []string      // patterns
	XML        []string      // FILE#ELEMENT/ELEMENT@ATTRIBUTE
	Properties []string      // FILE#KEY
	Lines      []string      // FILE#EXPRESSION
	Every      time.Duration // how often they are looked at
	Watch      bool          // also when this host's kernel tells of a change
	Names      int           // looked at a second, at most; 0: no limit
	MiB        int           `mapstructure:"mib"` // read a second, at most; 0: no limit
}

// wrong tells what the group lacks.
func (e Equal) wrong() string {
	switch {
	case e.Root == "" && len(e.Paths)+len(e.Ignore)+len(e.Secret)+len(e.XML)+len(e.Properties)+len(e.Lines) > 0:
		return "is needed beside the other keys of equal: the folder below which the files are"
	case e.Root != "" && len(e.Paths) == 0:
		return "needs equal.paths: which files below it must be equal on all nodes"
	}
	return ""
}

// Certificates are what the action coterie.check-certificates looks at.
type Certificates struct {
	Files        []string // absolute, or below AppData.Path; folders are looked through
	Endpoints    []string // host:port
	PasswordFile string   `mapstructure:"password_file"` // of keystores, one per line
}

// Keystore is the keystore of this node's server, which versions are put in place of.
type Keystore struct {
	Name         string
	File         string // empty: no server here
	Properties   string // of the server
	Property     string // in it, that names the alias
	Hosts        []string
	Address      string // host:port that must show the certificate
	Reload       string // none, manager, command or restart
	URL          string
	User         string
	PasswordFile string `mapstructure:"password_file"`
	Command      []string
	DrainFor     time.Duration `mapstructure:"drain_for"`
	Patience     time.Duration
	CheckEvery   time.Duration `mapstructure:"check_every"`
	Copy         string        // below AppData.Path, where the active version lies as well; empty: nowhere
	Encryption   string        // below AppData.Path, which all nodes must see alike; empty: what the layout has
}

// Renewal has the certificate of the keystore renewed before it ends.
type Renewal struct {
	Command      []string // empty: nobody renews it here
	User         string
	File         string // that the command leaves
	PasswordFile string `mapstructure:"password_file"`
	Alias        string
	Before       time.Duration
	Timeout      time.Duration
	Retry        time.Duration
	Activate     bool
}

// Trust is how this node's server is called by the others, and where whom they trust
// is written.
type Trust struct {
	Address      string   // host:port; empty: no server is called here
	Host         string   // that its certificate is for; empty: that of Address
	Certificates []string // files whose first certificate the server shows or will show
	PKCS12       string
	JKS          string
	PEM          string
	PasswordFile string        `mapstructure:"password_file"` // of PKCS12 and JKS
	Reload       bool          // have the server read it anew as Keystore says
	CheckEvery   time.Duration `mapstructure:"check_every"`
	TestEvery    time.Duration `mapstructure:"test_every"`
}

// TakesPart says whether this node publishes or renders anything.
func (t Trust) TakesPart() bool {
	return t.Address != "" || len(t.Certificates) > 0 || t.PKCS12 != "" || t.JKS != "" || t.PEM != ""
}

// Backup is what the action coterie.backup writes, and where.
type Backup struct {
	Folder       string // below AppData.Path; empty: no backups
	DSN          string // empty: that of Database
	PasswordFile string `mapstructure:"password_file"`
	Program      string // pg_dump
}

// App is the application beside which the agent runs.
type App struct {
	Version     string
	VersionFile string `mapstructure:"version_file"`
}

// HTTP is the agent's read-only listener and its local socket.
type HTTP struct {
	Listen    string
	Socket    string
	CheckPath string `mapstructure:"check_path"`
}

// Action is something that a job may run. Actions are defined in the local file
// and nowhere else, so who can write the database still cannot choose programs.
// Exactly one of Command, HTTP and SQL is set.
type Action struct {
	Name    string
	Command []string
	User    string
	Dir     string
	Env     []string // NAME=value
	Params  []string // what it takes, each as ParseParam reads it
	Limits  Limits
	SHA256  string // of the program; empty: any
	HTTP    *Request
	SQL     *Statement
}

// Request is an HTTP request that a job makes.
type Request struct {
	Method  string
	URL     string
	Headers []string // Name: value
	Body    string
	Expect  int           // 0: any 2xx
	Timeout time.Duration // of one request; 0: none of its own

	// What a JSON answer says: FIELD=VALUE, FIELD=VALUE, FIELD, FIELD.
	Success, Failure, Progress, Message string
	Poll                                time.Duration // 0: not asked again
}

// Limits bound each process of a program. Zero leaves a limit as it is.
type Limits struct {
	OpenFiles int `mapstructure:"open_files"`
	Processes int
	FileMB    int `mapstructure:"file_mb"`
	MemoryMB  int `mapstructure:"memory_mb"`
	CPU       time.Duration
}

// Statement is one statement in the shared database.
type Statement struct {
	Statement string
	Role      string // empty: the node's own
}

// Hook tells somebody what became of runs, or acts when files of the share change.
// Exactly one of Command and HTTP is set.
type Hook struct {
	Name    string
	Files   []string // patterns of paths in the share; empty: it is for runs
	On      []string // failed, missed, lost, recovered, long_running; empty: all
	Jobs    []string // names or patterns such as report-*; empty: all
	Command []string
	User    string
	Env     []string // NAME=value
	HTTP    *Request
	Timeout time.Duration
}

// Drain says how a node is emptied.
type Drain struct {
	Deadline time.Duration
}

// License says which licence files are trusted, and whence seats are counted that
// no application asks for.
type License struct {
	TrustedKeys []string `mapstructure:"trusted_keys"` // base64 of Ed25519 public keys
	Source      string   // none, sql or log
	Pool        string   // for whose seats the source counts
	DSN         string
	Password    string `mapstructure:"password_file"`
	Query       string
	Log         string
	Pattern     string
	Every       time.Duration
	Window      time.Duration // how long a line of the log counts
}

// Log says what is logged, and how.
type Log struct {
	Level  string
	Format string
}

// Options say where to look.
type Options struct {
	File  string         // of -c; empty: search
	Env   []string       // like os.Environ, which it is when nil
	Flags *pflag.FlagSet // flags named by FlagName count when they were given; may be nil
}

// File is the file that was read, absolute; empty when there was none.
func (c *Config) File() string { return c.file }

// Load finds, reads and checks the configuration. What is wrong with it comes
// back as one *Error that tells everything; errors.Is(err, ErrNotFound) says
// that there was no file.
func Load(opts Options) (*Config, error) {
	return thisMachine.load(opts)
}

// machine is what Load takes from the computer it runs on; tests bring their own.
type machine struct {
	etc      string
	run      string
	lib      string
	hostname func() (string, error)
}

var thisMachine = machine{
	etc:      "/etc/coterie",
	run:      "/run/coterie",
	lib:      "/var/lib/coterie",
	hostname: os.Hostname,
}

func (m machine) load(opts Options) (*Config, error) {
	env := parseEnvironment(opts.Env)
	file, places, err := m.find(opts.File, env)
	if err != nil {
		return nil, err
	}
	r := newReader(file)
	var layers layers
	if file != "" {
		if layers.file, err = r.readFile(); err != nil {
			return nil, err
		}
	}
	layers.env = r.readEnv(env)
	layers.flags = r.readFlags(opts.Flags)
	if file == "" && len(layers.env) == 0 && len(layers.flags) == 0 && len(r.faults) == 0 {
		return nil, &Error{Places: places}
	}
	c, err := layers.merge()
	if err != nil {
		return nil, err
	}
	c.file, c.origins = file, r.origins
	m.derive(c, r)
	r.check(c, env)
	if len(r.faults) > 0 {
		return nil, &Error{File: file, Places: places, Faults: r.sorted()}
	}
	return c, nil
}
