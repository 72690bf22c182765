package upkeep

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// dump writes what pg_dump says.
func (b Backups) dump(ctx context.Context, w io.Writer) (size int64, err error) {
	cmd := exec.CommandContext(ctx, b.Program, append([]string{"--format=custom", "--no-password", "--lock-wait-timeout=60s"}, b.Args...)...)
	cmd.Env = append(os.Environ(), b.Env...)
	var complaint tail
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("backup: %w", err)
	}
	size, copied := io.Copy(w, &counted{Reader: out, each: func(n int64) {
		// A custom archive is compressed, to a third or so; nobody knows better before the end.
		b.tell(int(min(85, 85*3*n/max(1, b.Expected))), fmt.Sprintf("%d MiB written", n>>20))
	}})
	if copied != nil {
		_ = cmd.Process.Kill() // it may have ended
	}
	if err := errors.Join(copied, cmd.Wait()); err != nil {
		return size, fmt.Errorf("%s: %w: %s", filepath.Base(b.Program), err, strings.TrimSpace(complaint.String()))
	}
	return size, nil
}

func (b Backups) said(ctx context.Context, program string, args ...string) (string, error) {
	var out bytes.Buffer
	var complaint tail
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(program), err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}

// counted tells how much was read, once per MiB or so.
type counted struct {
	io.Reader
	each    func(int64)
	n, told int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.n += int64(n); c.n-c.told >= 1<<20 {
		c.told = c.n
		c.each(c.n)
	}
	return n, err
}

// tail is the end of what a program said.
type tail struct{ bytes.Buffer }

const mostTail = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.Buffer.Write(p[max(0, len(p)-mostTail):])
	if extra := t.Len() - mostTail; extra > 0 {
		t.Next(extra)
	}
	return len(p), nil
}

// FindDump is the newest pg_dump of this machine, and its pg_restore; "" where there is none.
func FindDump(program string) (dump, restore string, err error) {
	if program == "" {
		found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
		if err != nil {
			return "", "", err
		}
		more, err := filepath.Glob("/usr/pgsql-*/bin/pg_dump")
		if err != nil {
			return "", "", err
		}
		found = append(found, more...)
		slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
		if len(found) > 0 {
			program = found[len(found)-1]
		} else if program, err = exec.LookPath("pg_dump"); err != nil {
			return "", "", fmt.Errorf("pg_dump is not installed here: install PostgreSQL's client programs, or name it in backup.program: %w", err)
		}
	}
	restore = filepath.Join(filepath.Dir(program), "pg_restore")
	if _, err := os.Stat(restore); err != nil {
		restore = ""
	}
	return program, restore, nil
}

// PassFile makes a file from which libpq takes a password, whoever it connects to.
func PassFile(password string) (name string, err error) {
	f, err := os.CreateTemp("", "coterie-pass-") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.WriteString("*:*:*:*:" + strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(password) + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
