package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/jobs"
)

// What an agent calls itself with for built-in jobs, in processes that may hang on the
// share and be killed; and the actions that do so, where the configuration asks for them.
const (
	verbCertificates   = "expiries"
	certificatesAction = "coterie.check-certificates"
	verbBackup         = "back-up"
	backupAction       = "coterie.backup"
	verbVerify         = "hold-share"
	verifyAction       = "coterie.verify-manifest"
)

// builtins are the actions of built-in jobs that this node's configuration asks for;
// each node has a share.
func (a *agent) builtins() map[string]jobs.Action {
	verify := a.ourselves(verbVerify, "--content={content}", "--changes={changes}", "--names={names}", "--mib={mib}")
	verify.Takes = []jobs.Param{
		{Name: "content", Type: jobs.WordParam, Words: []string{"changed", "all"}, Default: "changed", Optional: true},
		{Name: "changes", Type: jobs.WordParam, Words: []string{"tell", "fail"}, Default: "tell", Optional: true},
		{Name: "names", Type: jobs.IntParam, Min: 0, Max: 1_000_000, Default: "0", Optional: true},
		{Name: "mib", Type: jobs.IntParam, Min: 0, Max: 100_000, Default: "0", Optional: true},
	}
	actions := map[string]jobs.Action{verifyAction: verify}
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

// stillHeld fails unless the lease for a slot is held.
func stillHeld(ctx context.Context, db *sqlx.DB, s slotOf) error {
	return oneConn(ctx, db, func(conn *sqlx.Conn) error {
		_, err := conn.ExecContext(ctx, `SELECT coterie.assert_lease('job/' || $1, $2)`, s.job, s.token)
		return err
	})
}

func oneConn(ctx context.Context, db *sqlx.DB, do func(*sqlx.Conn) error) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}
