package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/jobs/upkeep"
	"github.com/coterie-ha/coterie/sql/schema"
)

func (c *cli) backupCommand() *cobra.Command {
	var keep int
	var what string
	cmd := &cobra.Command{
		Use: verbBackup, Hidden: true, Args: nothing,
		Short:   "Back the database up to the share",
		Example: "  coterie run BACKUP       a job with this action starts it",
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
		Fence: func(ctx context.Context) error { return stillHeld(ctx, agent, s) },
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
