package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/jobs/upkeep"
	"github.com/coterie-ha/coterie/sql/schema"
)

// What an agent calls itself with for built-in jobs, in processes that may hang on the
// share and be killed; and the actions that do so, where the configuration asks for them.
const (
	verbCertificates   = "check-certificates"
	certificatesAction = "coterie.check-certificates"
	verbBackup         = "back-up"
	backupAction       = "coterie.backup"
)

// builtins are the actions of built-in jobs that this node's configuration asks for.
func (a *agent) builtins() map[string]jobs.Action {
	actions := map[string]jobs.Action{}
	if len(a.cfg.AppData.Logs) > 0 {
		actions[expireAction] = a.expireAction()
	}
	if len(a.cfg.Certificates.Files)+len(a.cfg.Certificates.Endpoints) > 0 {
		actions[certificatesAction] = a.ourselves(verbCertificates)
	}
	if a.cfg.Backup.Folder != "" {
		backup := a.ourselves(verbBackup, "--keep={keep}", "--what={what}")
		backup.Takes = []jobs.Param{
			{Name: "keep", Type: jobs.IntParam, Min: 1, Max: 1000, Default: "7", Optional: true},
			{Name: "what", Type: jobs.WordParam, Words: []string{"all", "coterie"}, Default: "all", Optional: true},
		}
		actions[backupAction] = backup
	}
	return actions
}

// ourselves is this program as a command of its own, with this agent's configuration.
func (a *agent) ourselves(verb string, args ...string) jobs.Exec {
	argv := []string{"/proc/self/exe", verb}
	if file := a.cfg.File(); file != "" {
		argv = append(argv, "-c", file)
	}
	return jobs.Exec{Argv: append(argv, args...), Dir: "/", Env: inherited(), Spawn: a.spawn}
}

// inherited is the part of this process's environment that is configuration.
func inherited() (env []string) {
	for _, pair := range os.Environ() {
		if strings.HasPrefix(pair, "COTERIE_") || strings.HasPrefix(pair, "PG") {
			env = append(env, pair)
		}
	}
	return env
}

// slotOf is the run for which an agent called this program.
type slotOf struct {
	job   string
	due   time.Time
	token int64
}

func calledFor() (s slotOf, err error) {
	s.job = os.Getenv("COTERIE_JOB")
	if s.token, err = strconv.ParseInt(os.Getenv("COTERIE_TOKEN"), 10, 64); err != nil || s.job == "" {
		return s, errors.New("only an agent calls this, for a run of a job: coterie run JOB")
	}
	if s.due, err = time.Parse(time.RFC3339Nano, os.Getenv("COTERIE_DUE_AT")); err != nil {
		return s, fmt.Errorf("read COTERIE_DUE_AT: %w", err)
	}
	return s, nil
}

func (c *cli) certificatesCommand() *cobra.Command {
	return &cobra.Command{
		Use: verbCertificates, Hidden: true, Args: nothing,
		Short:   "Look at the certificates that the configuration names",
		Example: "  coterie run CERTIFICATES       a job with the action coterie.check-certificates starts it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := calledFor()
			if err != nil {
				return err
			}
			cfg, err := c.load(cmd)
			if err != nil {
				return err
			}
			seen, err := c.look(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			db, err := schema.Open(cmd.Context(), c.options(cfg))
			if err != nil {
				return err
			}
			defer db.Close()
			return c.tellCertificates(cmd.Context(), db, s, seen)
		},
	}
}

// look looks at what the configuration names; what is relative is on the share.
func (c *cli) look(ctx context.Context, cfg *config.Config) ([]upkeep.Sight, error) {
	places := upkeep.Places{Endpoints: cfg.Certificates.Endpoints}
	for _, name := range cfg.Certificates.Files {
		if !filepath.IsAbs(name) {
			name = filepath.Join(cfg.AppData.Path, name)
		}
		places.Files = append(places.Files, name)
	}
	if file := cfg.Certificates.PasswordFile; file != "" {
		text, err := c.passwordText(file)
		if err != nil {
			return nil, fmt.Errorf("passwords of keystores: %s: %w", file, err)
		}
		for line := range strings.Lines(string(text)) {
			places.Passwords = append(places.Passwords, strings.TrimRight(line, "\r\n"))
		}
	}
	return upkeep.Look(ctx, places), nil
}

// tellCertificates writes down what was seen, and fails when something ends within a
// day: then hooks tell, too.
func (c *cli) tellCertificates(ctx context.Context, db *sqlx.DB, s slotOf, seen []upkeep.Sight) error {
	doc, err := json.Marshal(seen)
	if err != nil {
		return err
	}
	var found []struct {
		Place, Alias, Severity, What string
	}
	err = oneConn(ctx, db, func(conn *sqlx.Conn) error {
		return conn.SelectContext(ctx, &found, `SELECT place, alias, severity, what FROM coterie.certificates_seen($1, $2, $3::jsonb)`, s.job, s.token, string(doc))
	})
	if err != nil {
		return fmt.Errorf("write down what was seen: %w", err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s looked at, %d to be looked after\n", plural(int64(len(seen)), "certificate"), len(found))
	urgent := 0
	for _, f := range found {
		alias := ""
		if f.Alias != "" {
			alias = " (" + f.Alias + ")"
		}
		fmt.Fprintf(&text, "%s: %s%s: %s\n", f.Severity, f.Place, alias, f.What)
		if f.Severity == "error" {
			urgent++
		}
	}
	if err := c.print(text.String()); err != nil {
		return err
	}
	if urgent > 0 {
		return problem.New("COT-530", nil, "%d within a day, or already", urgent)
	}
	return nil
}

func oneConn(ctx context.Context, db *sqlx.DB, do func(*sqlx.Conn) error) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}

func (c *cli) backupCommand() *cobra.Command {
	var keep int
	var what string
	cmd := &cobra.Command{
		Use: verbBackup, Hidden: true, Args: nothing,
		Short:   "Back the database up to the share",
		Example: "  coterie run BACKUP       a job with the action coterie.backup starts it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := calledFor()
			if err != nil {
				return err
			}
			cfg, err := c.load(cmd)
			if err != nil {
				return err
			}
			return c.backUp(cmd.Context(), cfg, s, keep, what)
		},
	}
	cmd.Flags().IntVar(&keep, "keep", 7, "how many backups stay")
	cmd.Flags().StringVar(&what, "what", "all", "`all` of the database, or the schema coterie")
	return cmd
}

// backUp takes a backup for a slot and deletes the oldest.
func (c *cli) backUp(ctx context.Context, cfg *config.Config, s slotOf, keep int, what string) (err error) {
	agent, err := schema.Open(ctx, c.options(cfg))
	if err != nil {
		return err
	}
	defer agent.Close()
	as := c.options(cfg)
	as.DSN, as.PasswordFile = cmp.Or(cfg.Backup.DSN, as.DSN), cmp.Or(cfg.Backup.PasswordFile, as.PasswordFile)
	b := upkeep.Backups{
		Folder: filepath.Join(cfg.AppData.Path, cfg.Backup.Folder), Keep: keep, Args: []string{"--dbname=" + as.DSN},
		Env: []string{"PGSSLMODE=" + cmp.Or(os.Getenv("PGSSLMODE"), "verify-full"), "PGAPPNAME=coterie backup"}, Progress: progress(),
		Fence: func(ctx context.Context) error {
			return oneConn(ctx, agent, func(conn *sqlx.Conn) error {
				_, err := conn.ExecContext(ctx, `SELECT coterie.assert_lease('job/' || $1, $2)`, s.job, s.token)
				return err
			})
		},
	}
	if b.Program, b.Restore, err = upkeep.FindDump(cfg.Backup.Program); err != nil {
		return err
	}
	if b.Database, b.Expected, err = measured(ctx, as); err != nil {
		return err
	}
	if what == "coterie" {
		b.Database += "-coterie"
		b.Args = append(b.Args, "--schema=coterie")
	}
	if as.PasswordFile != "" {
		pass, err := c.readPassword(as.PasswordFile)
		if err != nil {
			return err
		}
		file, err := upkeep.PassFile(string(pass))
		if err != nil {
			return fmt.Errorf("hand the password to pg_dump: %w", err)
		}
		defer func() { err = errors.Join(err, os.Remove(file)) }()
		b.Env = append(b.Env, "PGPASSFILE="+file)
	}
	note, err := b.Take(ctx, upkeep.Note{DueAt: s.due, TakenAt: time.Now().UTC(), Node: cfg.Node.Name, Token: s.token})
	if err != nil {
		return backupProblem(err)
	}
	gone, err := b.Expire(ctx)
	if err != nil {
		return backupProblem(err)
	}
	return c.print(fmt.Sprintf("%s: %d MiB, %d objects, sha256 %s; read back and equal\n%s deleted %s\n", filepath.Join(b.Folder, note.File),
		note.Size>>20, note.Objects, note.SHA256, plural(int64(len(gone)), "old backup"), strings.Join(gone, " ")))
}

// measured is the name of the database that is backed up, and about how many bytes it has.
func measured(ctx context.Context, o schema.Options) (name string, size int64, err error) {
	db, err := schema.Open(ctx, o)
	if err != nil {
		return "", 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, `SELECT current_database(), pg_database_size(current_database())`).Scan(&name, &size)
	safe := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}
	return strings.Map(safe, name), size, err
}

// backupProblem says what to do about what pg_dump says most often.
func backupProblem(err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "permission denied for"):
		return problem.New("COT-532", err, "the role may not read all that is there")
	case strings.Contains(text, "server version mismatch"):
		return problem.New("COT-533", err, "pg_dump is older than the server")
	}
	return err
}

// progress writes to the descriptor that the agent reads.
func progress() func(int, string) {
	fd, err := strconv.Atoi(os.Getenv("COTERIE_PROGRESS_FD"))
	if err != nil || fd < 3 {
		return nil
	}
	out := os.NewFile(uintptr(fd), "progress")
	last := -1
	return func(percent int, what string) {
		if percent != last {
			last = percent
			_, _ = fmt.Fprintf(out, "%d %s\n", percent, what) // nobody may be listening any more
		}
	}
}
