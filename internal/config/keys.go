package config

import "strings"

// Key is one line of the table of all keys.
type Key struct {
	Name    string // database.pool_size; actions[].name inside a list
	Type    string // in words
	Default string // as one would write it, or how it is found; "" for none
	Needed  bool
	Meaning string

	kind    kind
	derived bool // Default tells in words what derive does
	field   func(*Config) any
	check   func(any) string // what is wrong with the value, "" for nothing
}

// Env is the environment variable that sets the key; empty inside lists.
func (k Key) Env() string {
	if strings.Contains(k.Name, "[]") {
		return ""
	}
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// Keys is the table of all keys, in the order of a well-written file.
func Keys() []Key {
	keys := append(nodeKeys(), storageKeys()...)
	keys = append(keys, equalKeys()...)
	keys = append(keys, keystoreKeys()...)
	keys = append(keys, trustKeys()...)
	keys = append(keys, backupKeys()...)
	keys = append(keys, actionKeys()...)
	keys = append(keys, hookKeys()...)
	keys = append(keys, agentKeys()...)
	for i := range keys {
		keys[i].Type = keys[i].kind.name
	}
	return keys
}

func nodeKeys() []Key {
	return []Key{
		{Name: "cluster", kind: text, Needed: true, check: checkName,
			field:   func(c *Config) any { return c.Cluster },
			Meaning: "Name of the cluster; the same on all nodes."},
		{Name: "node.name", kind: text, derived: true, Default: "the short host name, lower case", check: checkName,
			field:   func(c *Config) any { return c.Node.Name },
			Meaning: "Name of this node; no two nodes may share one."},
		{Name: "node.address", kind: text, derived: true, Default: "the address of the route to the database", check: checkAddress,
			field:   func(c *Config) any { return c.Node.Address },
			Meaning: "Host name or IP address at which the other nodes reach this one, without a port."},
		{Name: "node.tags", kind: list, check: checkTags,
			field:   func(c *Config) any { return c.Node.Tags },
			Meaning: "Words that describe the node, such as dc:paris or big."},
		{Name: "node.candidate", kind: boolean, Default: "true",
			field:   func(c *Config) any { return c.Node.Candidate },
			Meaning: "Whether the node may hold leases and run jobs; false for a front end only."},
		{Name: "node.weight", kind: integer, Default: "1", check: checkWeight,
			field:   func(c *Config) any { return c.Node.Weight },
			Meaning: "Its share of leases and jobs beside the other nodes: one of weight 2 gets twice as many as one of weight 1."},
		{Name: "node.max_runs", kind: integer, Default: "0", check: checkMaxRuns,
			field:   func(c *Config) any { return c.Node.MaxRuns },
			Meaning: "How many runs of jobs may be open on this node at once; others wait, by priority. 0 is any number."},
		{Name: "node.state_dir", kind: text, derived: true,
			Default: "/var/lib/coterie; for a file outside /etc/coterie the folder NAME.state beside it", check: checkAbsolute,
			field:   func(c *Config) any { return c.Node.StateDir },
			Meaning: "Local folder for what the agent must remember over a restart; never on the share."},
		{Name: "node.room", kind: integer, Default: "2", check: checkRoom,
			field:   func(c *Config) any { return c.Node.Room },
			Meaning: "How many queued requests this node runs at once; 0 for none."},
		{Name: "database.dsn", kind: secretive, check: checkDSN,
			field:   func(c *Config) any { return c.Database.DSN },
			Meaning: "Connection string (key=value words or a postgres:// URL) without a password; what it leaves out comes from libpq's PG* variables."},
		{Name: "database.password_file", kind: text, check: checkPasswordFile,
			field:   func(c *Config) any { return c.Database.PasswordFile },
			Meaning: "File with the password of the database role, not readable by everybody."},
		{Name: "database.connect_timeout", kind: duration, Default: "3s", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.Database.ConnectTimeout },
			Meaning: "How long one attempt to connect may take."},
		{Name: "database.statement_timeout", kind: duration, Default: "5s", check: checkPositive,
			field:   func(c *Config) any { return c.Database.StatementTimeout },
			Meaning: "How long the server lets one statement of the agent run."},
		{Name: "database.pool_size", kind: integer, Default: "4", check: checkPoolSize,
			field:   func(c *Config) any { return c.Database.PoolSize },
			Meaning: "How many connections the agent opens at most."},
		{Name: "database.auto_migrate", kind: boolean, Default: "false",
			field:   func(c *Config) any { return c.Database.AutoMigrate },
			Meaning: "Whether the agent brings the schema up to date when it starts; false leaves that to coterie schema upgrade."},
	}
}

func storageKeys() []Key {
	return []Key{
		{Name: "appdata.path", kind: text, Needed: true, check: checkSharedPath,
			field:   func(c *Config) any { return c.AppData.Path },
			Meaning: "The shared application-data folder, as mounted on this node."},
		{Name: "appdata.layout", kind: text, Default: "generic", check: checkOneOf("generic", "ucd"),
			field:   func(c *Config) any { return c.AppData.Layout },
			Meaning: "What the application keeps where, and so what each file is to the cluster: generic (all is shared) or ucd (UrbanCode and DevOps Deploy)."},
		{Name: "appdata.check_every", kind: duration, Default: "5s", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.AppData.CheckEvery },
			Meaning: "How often the folder is probed."},
		{Name: "appdata.answer_within", kind: duration, Default: "2s", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.AppData.AnswerWithin },
			Meaning: "How long the folder may let whoever looks at it wait before it counts as hanging. Longer for storage that is slow and well; what hangs is known so much later."},
		{Name: "appdata.watch", kind: boolean, Default: "false",
			field:   func(c *Config) any { return c.AppData.Watch },
			Meaning: "Whether what this host changes in it is told to the journal at once; costs the kernel a kilobyte per folder."},
		{Name: "appdata.listen", kind: boolean, Default: "false",
			field:   func(c *Config) any { return c.AppData.Listen },
			Meaning: "Whether one of the nodes that say so listens to the file server of an SMB share, which tells what any host changes in it, so that it is in the journal at once."},
		{Name: "appdata.critical", kind: list, check: checkFolders,
			field:   func(c *Config) any { return c.AppData.Critical },
			Meaning: "Files and folders in it, such as conf/server.keystore or conf, at which this node looks each second, so that what any host changes there is in the journal within 2.5 s; of a folder what is in it, not below."},
		{Name: "appdata.expect_mount", kind: list, check: checkWords,
			field:   func(c *Config) any { return c.AppData.ExpectMount },
			Meaning: "File system types of which the folder must be one, such as nfs4 or cifs; empty for any."},
		{Name: "appdata.logs", kind: list, check: checkFolders,
			field:   func(c *Config) any { return c.AppData.Logs },
			Meaning: "Folders of logs in it, such as var/log; the action coterie.expire-logs deletes their old files."},
		{Name: "certificates.files", kind: list, check: checkPlaces,
			field:   func(c *Config) any { return c.Certificates.Files },
			Meaning: "Certificates, keystores and folders of them that the action coterie.check-certificates looks at; below appdata.path unless absolute."},
		{Name: "certificates.endpoints", kind: list, check: checkEndpoints,
			field:   func(c *Config) any { return c.Certificates.Endpoints },
			Meaning: "Addresses, each host:port, whose served certificate it looks at, such as those of the nodes."},
		{Name: "certificates.password_file", kind: text, check: checkPasswordFile,
			field:   func(c *Config) any { return c.Certificates.PasswordFile },
			Meaning: "File with the passwords of those keystores, one per line, not readable by everybody."},
	}
}

func keystoreKeys() []Key {
	return []Key{
		{Name: "keystore.file", kind: text, check: checkAbsolute,
			field:   func(c *Config) any { return c.Keystore.File },
			Meaning: "Keystore of the server on this node; the agent puts the active version in its place. Empty when no server here has one."},
		{Name: "keystore.name", kind: text, Default: "server", check: checkName,
			field:   func(c *Config) any { return c.Keystore.Name },
			Meaning: "Name under which its versions are staged."},
		{Name: "keystore.properties", kind: text, check: checkAbsolute,
			field:   func(c *Config) any { return c.Keystore.Properties },
			Meaning: "File of the server that names the alias, such as installed.properties; no other byte of it is changed."},
		{Name: "keystore.property", kind: text, Default: "tomcat.key.alias",
			field:   func(c *Config) any { return c.Keystore.Property },
			Meaning: "Key in that file."},
		{Name: "keystore.hosts", kind: list, check: checkWords,
			field:   func(c *Config) any { return c.Keystore.Hosts },
			Meaning: "Names by which clients call the server; a certificate that is not for one of them is refused."},
		{Name: "keystore.address", kind: text, check: checkEndpoint,
			field:   func(c *Config) any { return c.Keystore.Address },
			Meaning: "Address of the server, host:port, which must show the certificate in a handshake."},
		{Name: "keystore.reload", kind: text, Default: "none", check: checkOneOf("none", "manager", "command", "restart"),
			field:   func(c *Config) any { return c.Keystore.Reload },
			Meaning: "How the server takes its keystore up: manager (Tomcat's, at keystore.url), command, restart (by the command, drained and one node at a time) or none (it finds it by itself)."},
		{Name: "keystore.url", kind: secretive, check: checkManager,
			field:   func(c *Config) any { return c.Keystore.URL },
			Meaning: "Address of the manager's sslReload, such as http://127.0.0.1:8080/manager/text/sslReload."},
		{Name: "keystore.user", kind: text,
			field:   func(c *Config) any { return c.Keystore.User },
			Meaning: "User of the manager, with the role manager-script."},
		{Name: "keystore.password_file", kind: text, check: checkPasswordFile,
			field:   func(c *Config) any { return c.Keystore.PasswordFile },
			Meaning: "File with that user's password, not readable by everybody."},
		{Name: "keystore.command", kind: list,
			field:   func(c *Config) any { return c.Keystore.Command },
			Meaning: "Program and arguments that reload or restart the server; run without a shell."},
		{Name: "keystore.drain_for", kind: duration, Default: "10s", check: checkPositive,
			field:   func(c *Config) any { return c.Keystore.DrainFor },
			Meaning: "How long a node is drained before its server is restarted, so that load balancers see it and requests end."},
		{Name: "keystore.patience", kind: duration, Default: "30s", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.Keystore.Patience },
			Meaning: "How long the server may take to show a new certificate."},
		{Name: "keystore.check_every", kind: duration, Default: "3s", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.Keystore.CheckEvery },
			Meaning: "How often the agent looks at the file and the certificate that the server shows."},
		{Name: "keystore.copy", kind: text, check: checkFolder,
			field:   func(c *Config) any { return c.Keystore.Copy },
			Meaning: "File below appdata.path, such as conf/server.keystore, that is to have the active version as well; one node writes it, under a lease."},
		{Name: "keystore.encryption", kind: text, derived: true, Default: "conf/encryption.keystore with the layout ucd", check: checkFolder,
			field:   func(c *Config) any { return c.Keystore.Encryption },
			Meaning: "File below appdata.path that a node must see as the others do before it may be ready; it is never written."},
		{Name: "renewal.command", kind: list,
			field:   func(c *Config) any { return c.Renewal.Command },
			Meaning: "Program and arguments that renew the certificate, such as an ACME client; run without a shell, on one node at a time. Empty when nobody renews it here."},
		{Name: "renewal.user", kind: text,
			field:   func(c *Config) any { return c.Renewal.User },
			Meaning: "User as whom it runs; that of the agent unless set."},
		{Name: "renewal.file", kind: text, check: checkAbsolute,
			field:   func(c *Config) any { return c.Renewal.File },
			Meaning: "Keystore that the program leaves: PKCS12 or JKS."},
		{Name: "renewal.password_file", kind: text, check: checkPasswordFile,
			field:   func(c *Config) any { return c.Renewal.PasswordFile },
			Meaning: "File with its password, not readable by everybody."},
		{Name: "renewal.alias", kind: text,
			field:   func(c *Config) any { return c.Renewal.Alias },
			Meaning: "Alias of the key in it that is served; the only one unless set."},
		{Name: "renewal.before", kind: duration, Default: "720h", check: checkPositive,
			field:   func(c *Config) any { return c.Renewal.Before },
			Meaning: "How long before the active certificate ends it is renewed."},
		{Name: "renewal.timeout", kind: duration, Default: "10m", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.Renewal.Timeout },
			Meaning: "How long the program may take."},
		{Name: "renewal.retry", kind: duration, Default: "1h", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.Renewal.Retry },
			Meaning: "How long after a failure it is run again; twice as long after each further one, a day at most."},
		{Name: "renewal.activate", kind: boolean, Default: "false",
			field:   func(c *Config) any { return c.Renewal.Activate },
			Meaning: "Whether what was staged so is brought to all nodes at once, as by coterie keystore activate."},
	}
}

func trustKeys() []Key {
	return []Key{
		{Name: "trust.address", kind: text, check: checkEndpoint,
			field:   func(c *Config) any { return c.Trust.Address },
			Meaning: "Address, host:port, at which the other nodes call the server of this one by TLS; the certificate that it shows there is published. Empty when none is called."},
		{Name: "trust.host", kind: text, check: checkAddress,
			field:   func(c *Config) any { return c.Trust.Host },
			Meaning: "Name that its certificate must be for; empty for the host of trust.address."},
		{Name: "trust.certificates", kind: list, check: checkFilesHere,
			field:   func(c *Config) any { return c.Trust.Certificates },
			Meaning: "Files (PEM or DER) whose first certificate the server shows or is about to show: it is trusted before it is shown."},
		{Name: "trust.pkcs12", kind: text, check: checkAbsolute,
			field:   func(c *Config) any { return c.Trust.PKCS12 },
			Meaning: "File into which the trust store is written as PKCS12; empty for none."},
		{Name: "trust.jks", kind: text, check: checkAbsolute,
			field:   func(c *Config) any { return c.Trust.JKS },
			Meaning: "File into which it is written as JKS; empty for none."},
		{Name: "trust.pem", kind: text, check: checkAbsolute,
			field:   func(c *Config) any { return c.Trust.PEM },
			Meaning: "File into which it is written as a PEM bundle; empty for none."},
		{Name: "trust.password_file", kind: text, check: checkPasswordFile,
			field:   func(c *Config) any { return c.Trust.PasswordFile },
			Meaning: "File with the password of trust.pkcs12 and trust.jks, not readable by everybody."},
		{Name: "trust.reload", kind: boolean, Default: "false",
			field:   func(c *Config) any { return c.Trust.Reload },
			Meaning: "Whether the server is asked to read its files anew, as keystore.reload says, after the trust store has changed."},
		{Name: "trust.check_every", kind: duration, Default: "5s", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.Trust.CheckEvery },
			Meaning: "How often the agent looks at the files and at the certificate that the server shows."},
		{Name: "trust.test_every", kind: duration, Default: "1m", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.Trust.TestEvery },
			Meaning: "How often it calls the servers of all nodes, to see whether it trusts them."},
	}
}

func backupKeys() []Key {
	return []Key{
		{Name: "backup.folder", kind: text, check: checkFolder,
			field:   func(c *Config) any { return c.Backup.Folder },
			Meaning: "Folder below appdata.path for backups of the database; the action coterie.backup writes them."},
		{Name: "backup.dsn", kind: secretive, Default: "that of database", derived: true, check: checkDSN,
			field:   func(c *Config) any { return c.Backup.DSN },
			Meaning: "Connection string of the role that reads the database for a backup; it must be a member of pg_read_all_data, or own what is backed up."},
		{Name: "backup.password_file", kind: text, Default: "that of database", derived: true, check: checkPasswordFile,
			field:   func(c *Config) any { return c.Backup.PasswordFile },
			Meaning: "File with the password of that role, not readable by everybody."},
		{Name: "backup.program", kind: text, Default: "the newest pg_dump found", derived: true, check: checkAbsolute,
			field:   func(c *Config) any { return c.Backup.Program },
			Meaning: "pg_dump; not older than the server."},
		{Name: "app.version", kind: text,
			field:   func(c *Config) any { return c.App.Version },
			Meaning: "Version of the application on this node."},
		{Name: "app.version_file", kind: text, check: checkAbsolute,
			field:   func(c *Config) any { return c.App.VersionFile },
			Meaning: "File whose text is the version of the application, instead of app.version."},
	}
}

func actionKeys() []Key {
	return []Key{
		{Name: "actions[].name", kind: text, Needed: true,
			Meaning: "Name of the action, by which jobs refer to it."},
		{Name: "actions[].command", kind: list,
			Meaning: "Program and arguments; run without a shell. The program is an absolute path or found in PATH."},
		{Name: "actions[].user", kind: text, Default: "the user of the agent", derived: true,
			Meaning: "Operating system user who runs the program."},
		{Name: "actions[].dir", kind: text, Default: "node.state_dir", derived: true,
			Meaning: "Working folder of the program."},
		{Name: "actions[].env", kind: list,
			Meaning: "Environment of the program, each as NAME=value."},
		{Name: "actions[].params", kind: list,
			Meaning: "Values that a job may hand over, each as NAME TYPE BOUNDS, such as \"days int 1..365 = 90\"; {days} in an argument, address, body or statement stands for the value."},
		{Name: "actions[].sha256", kind: text,
			Meaning: "Digest that the program must have; what is run is the very file that was checked."},
		{Name: "actions[].limits.open_files", kind: integer,
			Meaning: "Files that each process of the program may have open."},
		{Name: "actions[].limits.processes", kind: integer,
			Meaning: "Processes that its user may have; root is exempt."},
		{Name: "actions[].limits.file_mb", kind: integer,
			Meaning: "Size of a file that it may write, in MiB."},
		{Name: "actions[].limits.memory_mb", kind: integer,
			Meaning: "Address space of each process, in MiB."},
		{Name: "actions[].limits.cpu", kind: duration,
			Meaning: "Processor time of each process."},
		{Name: "actions[].http.method", kind: text, Default: "GET",
			Meaning: "Method of the request."},
		{Name: "actions[].http.url", kind: secretive, Needed: true,
			Meaning: "Address of the request, http or https, without user and password."},
		{Name: "actions[].http.headers", kind: list,
			Meaning: "Headers of the request, each as \"Name: value\"."},
		{Name: "actions[].http.body", kind: text,
			Meaning: "Body of the request."},
		{Name: "actions[].http.expect", kind: integer, Default: "any 2xx", derived: true,
			Meaning: "Status that counts as success."},
		{Name: "actions[].http.timeout", kind: duration,
			Meaning: "How long one request may take; the timeout of the job holds in any case."},
		{Name: "actions[].http.success", kind: text,
			Meaning: "FIELD=VALUE of a JSON answer that means success, such as state=done."},
		{Name: "actions[].http.failure", kind: text,
			Meaning: "FIELD=VALUE of a JSON answer that means failure."},
		{Name: "actions[].http.progress", kind: text,
			Meaning: "Field of a JSON answer that has the percentage."},
		{Name: "actions[].http.message", kind: text,
			Meaning: "Field of a JSON answer that says what is done."},
		{Name: "actions[].http.poll", kind: duration,
			Meaning: "How often to ask again, at the Location that was answered, until success or failure."},
		{Name: "actions[].sql.statement", kind: text, Needed: true,
			Meaning: "One statement, run in the shared database in one transaction with the check of the run's token."},
		{Name: "actions[].sql.role", kind: text, Default: "the node's own", derived: true,
			Meaning: "Role that runs the statement; the node's login must be a member of it."},
	}
}

func hookKeys() []Key {
	return []Key{
		{Name: "hooks[].name", kind: text, Needed: true,
			Meaning: "Name of the hook."},
		{Name: "hooks[].on", kind: list, Default: "all", derived: true,
			Meaning: "What it tells of runs: failed, missed, lost, recovered, long_running."},
		{Name: "hooks[].jobs", kind: list, Default: "all", derived: true,
			Meaning: "Jobs that it tells of, by name or pattern such as report-*."},
		{Name: "hooks[].files", kind: list,
			Meaning: "Instead of runs: paths in the share whose changes it acts upon, once on each node; patterns such as conf/*.keystore, a folder for all below it."},
		{Name: "hooks[].command", kind: list,
			Meaning: "Program and arguments, run without a shell; it finds what it tells in COTERIE_ variables."},
		{Name: "hooks[].user", kind: text, Default: "the user of the agent", derived: true,
			Meaning: "Operating system user who runs the program."},
		{Name: "hooks[].env", kind: list,
			Meaning: "Environment of the program, each as NAME=value."},
		{Name: "hooks[].http.method", kind: text, Default: "POST", derived: true,
			Meaning: "Method of the request."},
		{Name: "hooks[].http.url", kind: secretive, Needed: true,
			Meaning: "Address of the request; its body is what it tells, as JSON."},
		{Name: "hooks[].http.headers", kind: list,
			Meaning: "Headers of the request, each as \"Name: value\"."},
		{Name: "hooks[].http.expect", kind: integer, Default: "any 2xx", derived: true,
			Meaning: "Status that counts as told."},
		{Name: "hooks[].timeout", kind: duration, Default: "30s", derived: true,
			Meaning: "How long telling may take."},
	}
}

func agentKeys() []Key {
	return []Key{
		{Name: "http.listen", kind: text, Default: "127.0.0.1:7480", check: checkListen,
			field:   func(c *Config) any { return c.HTTP.Listen },
			Meaning: "Address and port of the read-only HTTP listener; port 0 takes a free one."},
		{Name: "http.socket", kind: text, derived: true,
			Default: "/run/coterie/agent.sock; for a file outside /etc/coterie agent.sock in node.state_dir", check: checkSocket,
			field:   func(c *Config) any { return c.HTTP.Socket },
			Meaning: "Unix socket for the local application and the command line."},
		{Name: "http.check_path", kind: text, check: checkCheckPath,
			field:   func(c *Config) any { return c.HTTP.CheckPath },
			Meaning: "A second path that answers like /check, such as /enportal/check.jsp."},
		{Name: "drain.deadline", kind: duration, Default: "10m", check: checkPositive,
			field:   func(c *Config) any { return c.Drain.Deadline },
			Meaning: "How long a drain waits for what still runs."},
		{Name: "license.trusted_keys", kind: list, check: checkWords,
			field:   func(c *Config) any { return c.License.TrustedKeys },
			Meaning: "Public keys (Ed25519, in base64) whose licence files are taken."},
		{Name: "license.source", kind: text, Default: "none", check: checkOneOf("none", "sql", "log"),
			field:   func(c *Config) any { return c.License.Source },
			Meaning: "Where to see who is at work, for an application that asks for no seats: none, sql (its table of sessions) or log (its access log)."},
		{Name: "license.pool", kind: text,
			field:   func(c *Config) any { return c.License.Pool },
			Meaning: "Pool in which those are counted."},
		{Name: "license.dsn", kind: secretive, check: checkDSN,
			field:   func(c *Config) any { return c.License.DSN },
			Meaning: "Connection string of the application's own database, without a password."},
		{Name: "license.password_file", kind: text, check: checkPasswordFile,
			field:   func(c *Config) any { return c.License.Password },
			Meaning: "File with the password for it, not readable by everybody."},
		{Name: "license.query", kind: text,
			field:   func(c *Config) any { return c.License.Query },
			Meaning: "Query whose columns are holder, session and host of whoever is at work on this node; the last two may be left out."},
		{Name: "license.log", kind: text, check: checkAbsolute,
			field:   func(c *Config) any { return c.License.Log },
			Meaning: "Access log of the application on this node."},
		{Name: "license.pattern", kind: text,
			field:   func(c *Config) any { return c.License.Pattern },
			Meaning: "Regular expression for a line of it, with groups named holder and, perhaps, session and host."},
		{Name: "license.every", kind: duration, Default: "10s", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.License.Every },
			Meaning: "How often the source is read."},
		{Name: "license.window", kind: duration, Default: "15m", check: checkAtLeastSecond,
			field:   func(c *Config) any { return c.License.Window },
			Meaning: "How long after a line of the log its holder is taken to be at work."},
		{Name: "log.level", kind: text, Default: "info", check: checkOneOf("debug", "info", "warn", "error"),
			field:   func(c *Config) any { return c.Log.Level },
			Meaning: "What is logged: debug, info, warn or error and worse."},
		{Name: "log.format", kind: text, Default: "auto", check: checkOneOf("auto", "text", "json"),
			field:   func(c *Config) any { return c.Log.Format },
			Meaning: "text, json, or auto: text on a terminal, json elsewhere."},
	}
}

// Explain finds a key by its name. When there is none, near is the most similar
// name, or empty.
func Explain(name string) (key Key, near string, ok bool) {
	var names []string
	for _, k := range Keys() {
		if k.Name == name {
			return k, "", true
		}
		names = append(names, k.Name)
	}
	return Key{}, Nearest(name, names), false
}
