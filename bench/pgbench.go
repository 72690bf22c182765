package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// drive is one round of pgbench.
type drive struct {
	database string
	script   string   // text of it; "" for the built-in one in args
	args     []string // further arguments
	clients  int
	rate     int // transactions a second, 0 for as many as possible
	period   time.Duration
}

// driven is what came out.
type driven struct {
	tps     float64
	latency sample
}

func (l *lab) pgbench(ctx context.Context, d drive) (driven, error) {
	dir, err := os.MkdirTemp(l.dir, "pgbench-")
	if err != nil {
		return driven{}, err
	}
	args := []string{
		"--host=127.0.0.1", "--port=" + strconv.Itoa(l.server.Port), "--username=postgres", "--no-vacuum", "--protocol=prepared",
		"--client=" + strconv.Itoa(d.clients), "--jobs=" + strconv.Itoa(min(2, d.clients)),
		fmt.Sprintf("--time=%.0f", max(1, d.period.Seconds())), "--log", "--log-prefix=" + filepath.Join(dir, "log"),
	}
	if d.rate > 0 {
		args = append(args, "--rate="+strconv.Itoa(d.rate))
	}
	if d.script != "" {
		file := filepath.Join(dir, "script.sql")
		if err := os.WriteFile(file, []byte(d.script), 0o600); err != nil {
			return driven{}, err
		}
		args = append(args, "--file="+file)
	}
	said, err := l.tool(ctx, "pgbench", append(append(args, d.args...), d.database)...)
	if err != nil {
		return driven{}, err
	}
	var out driven
	if out.tps, err = tps(said); err != nil {
		return driven{}, err
	}
	logs, err := filepath.Glob(filepath.Join(dir, "log.*"))
	if err != nil {
		return driven{}, err
	}
	for _, log := range logs {
		if err := out.read(log); err != nil {
			return driven{}, err
		}
	}
	return out, os.RemoveAll(dir)
}

// tool runs a program that came with the server.
func (l *lab) tool(ctx context.Context, name string, args ...string) (string, error) {
	path := l.server.Binaries.Path(name)
	if _, err := os.Stat(path); err != nil {
		path = name
	}
	said, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, said)
	}
	return string(said), nil
}

var tpsLine = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

func tps(said string) (float64, error) {
	m := tpsLine.FindStringSubmatch(said)
	if m == nil {
		return 0, fmt.Errorf("pgbench says no tps: %s", said)
	}
	return strconv.ParseFloat(m[1], 64)
}

// read takes latencies from a log: client, number, time, script, seconds,
// microseconds, and with a rate how late the transaction began.
func (d *driven) read(log string) error {
	f, err := os.Open(log)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 {
			return fmt.Errorf("%s: strange line %q", log, lines.Text())
		}
		took, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			continue // skipped: too late to begin
		}
		if len(fields) > 6 {
			late, err := strconv.ParseInt(fields[6], 10, 64)
			if err != nil {
				return fmt.Errorf("%s: %w", log, err)
			}
			took -= late
		}
		d.latency = append(d.latency, time.Duration(took)*time.Microsecond)
	}
	return lines.Err()
}
