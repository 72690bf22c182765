package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// quartzProgram is a node of Quartz's cluster.
//
//go:embed Quartz.java
var quartzProgram []byte

// quartzJars are the libraries of Debian's libquartz2-java and libpostgresql-jdbc-java,
// in $COTERIE_BENCH_JARS or where the packages put them.
var quartzJars = []string{"quartz2.jar", "c3p0.jar", "HikariCP.jar", "slf4j-api.jar", "slf4j-nop.jar", "postgresql.jar", "scram-client.jar", "scram-common.jar"}

// quartzCrew are four Java machines with Quartz's clustered job store, as its manual
// configures it.
type quartzCrew struct {
	lab   *lab
	name  string
	nodes []*exec.Cmd
	wait  sync.WaitGroup
}

func quartzDue(ctx context.Context, l *lab, seen *starts) (_ crew, err error) {
	path, err := quartzPath()
	if err != nil {
		return nil, err
	}
	q := &quartzCrew{lab: l}
	defer func() {
		if err != nil {
			err = errors.Join(err, q.stop())
		}
	}()
	if q.name, err = l.database(ctx); err != nil {
		return nil, err
	}
	file := filepath.Join(l.dir, "Quartz.java")
	if err := os.WriteFile(file, quartzProgram, 0o600); err != nil {
		return nil, err
	}
	// Quartz loads jobs by name, which java's own compiling of one file hides from it.
	if out, err := exec.CommandContext(ctx, "javac", "-cp", path, "-d", l.dir, file).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("javac: %w: %s", err, out)
	}
	url := fmt.Sprintf("jdbc:postgresql://127.0.0.1:%d/%s?user=postgres", l.server.Port, q.name)
	for i := range dueNodes {
		if err := q.node(ctx, seen, "-Xmx256m", "-cp", path+":"+l.dir, "Quartz", url, fmt.Sprint(i), fmt.Sprint(dueJobs)); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// node starts one; the first makes the tables, and the others wait for its word.
func (q *quartzCrew) node(ctx context.Context, seen *starts, args ...string) error {
	cmd := exec.CommandContext(ctx, "java", args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	q.nodes = append(q.nodes, cmd)
	q.wait.Go(func() {
		err := seen.read(out)
		if ended := cmd.Wait(); err != nil || ended != nil && !strings.Contains(ended.Error(), "killed") {
			say("a node of Quartz: %v, %v: %.500s", err, ended, said.String())
		}
	})
	return nil
}

func quartzPath() (string, error) {
	if _, err := exec.LookPath("javac"); err != nil {
		return "", err
	}
	dir := os.Getenv("COTERIE_BENCH_JARS")
	if dir == "" {
		dir = "/usr/share/java"
	}
	var path []string
	for _, jar := range quartzJars {
		name := filepath.Join(dir, jar)
		if _, err := os.Stat(name); err != nil {
			return "", fmt.Errorf("libquartz2-java is not installed: %w", err)
		}
		path = append(path, name)
	}
	return strings.Join(path, ":"), nil
}

func (q *quartzCrew) stop() error {
	for _, cmd := range q.nodes {
		_ = cmd.Process.Kill() // it may have ended
	}
	q.wait.Wait()
	_, err := q.lab.admin.Exec("DROP DATABASE IF EXISTS " + q.name + " WITH (FORCE)")
	return err
}
