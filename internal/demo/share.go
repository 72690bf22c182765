package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The parts of the share that the demo's jobs work on. The other items of such a
// server are there too, and are left alone.
const (
	logsDir       = "logs"
	repositoryDir = "var/repository"
	auditDir      = "var/audit"
	reportsDir    = "var/reports"
	sumsName      = "SHA256SUMS"
	auditName     = "audit.log"
	reportName    = "report.csv"
	witnessName   = "witness.log"
)

const (
	artifacts    = 48
	artifactSize = 64 << 10
)

// layOut fills the shared folder as such a server would have it after a while.
func layOut(share string) error {
	for _, dir := range []string{
		logsDir, repositoryDir, auditDir, reportsDir, "var/plugins/command", "var/sa",
		"conf/server/notification-templates/default", "conf/collectors", "patches",
	} {
		if err := os.MkdirAll(filepath.Join(share, dir), 0o755); err != nil {
			return fmt.Errorf("lay out the share: %w", err)
		}
	}
	files := map[string]string{
		"conf/installed.version":                                 "8.0.1.0\n",
		"conf/server/log4j.properties":                           "rootLogger.level=INFO\n",
		"conf/encryption.keystore":                               "not a keystore\n",
		"conf/server.keystore":                                   "not a keystore\n",
		"conf/collectors/disk.json":                              `{"every": "1m"}` + "\n",
		"conf/server/notification-templates/default/deployed.vm": "Deployed $component to $environment.\n",
		"patches/README":                                         "Jars in this folder come first on the class path.\n",
		"var/plugins/command/plugin.xml":                         "<plugin id=\"demo\"/>\n",
		"var/sa/README":                                          "Stored analytics.\n",
		filepath.Join(auditDir, auditName):                       "",
		filepath.Join(reportsDir, reportName):                    "application,line\n",
		witnessName:                                              "",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(share, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("lay out the share: %w", err)
		}
	}
	if err := layOutRepository(filepath.Join(share, repositoryDir)); err != nil {
		return fmt.Errorf("lay out the share: %w", err)
	}
	return layOutLogs(filepath.Join(share, logsDir))
}

// layOutRepository makes artifacts and the list of their checksums.
func layOutRepository(dir string) error {
	random := rand.NewChaCha8([32]byte{7}) // the same in every demo
	var sums strings.Builder
	text := make([]byte, artifactSize)
	for i := range artifacts {
		if _, err := random.Read(text); err != nil {
			return err
		}
		name := fmt.Sprintf("component-%02d.zip", i)
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		fmt.Fprintf(&sums, "%s  %s\n", hex.EncodeToString(sum[:]), name)
	}
	return os.WriteFile(filepath.Join(dir, sumsName), []byte(sums.String()), 0o644)
}

// layOutLogs makes logs of the last weeks.
func layOutLogs(dir string) error {
	for day := 1; day <= 20; day++ {
		at := time.Now().AddDate(0, 0, -day)
		name := filepath.Join(dir, "deployserver-"+at.Format("2006-01-02")+".log")
		if err := os.WriteFile(name, []byte(strings.Repeat("INFO all is well\n", 50)), 0o644); err != nil {
			return fmt.Errorf("lay out the share: %w", err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			return fmt.Errorf("lay out the share: %w", err)
		}
	}
	return nil
}

// application is the server beside which a node's agent runs. It goes on when the
// agent is killed or frozen: the sidecar is not the application.
type application struct {
	share string
	node  string
	every time.Duration
}

// Run writes what jobs work on, until ctx ends.
func (a application) Run(ctx context.Context) error {
	tick := time.NewTicker(a.every)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		if err := a.write(n); err != nil {
			return fmt.Errorf("application of %s: %w", a.node, err)
		}
	}
}

func (a application) write(n int) error {
	name := filepath.Join(a.share, logsDir, fmt.Sprintf("deployserver-%s-%06d.log", a.node, n))
	log := fmt.Sprintf("INFO %s served request %d\n", a.node, n)
	return errors.Join(
		os.WriteFile(name, []byte(log), 0o644),
		appendLine(filepath.Join(a.share, auditDir, auditName), fmt.Sprintf("%s user-%d looked at request %d", a.node, n%7, n)),
		appendLine(filepath.Join(a.share, reportsDir, reportName), fmt.Sprintf("%s,%d", a.node, n)))
}

// appendLine appends with a single write, so that lines of several writers do not mix.
func appendLine(name, line string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}
