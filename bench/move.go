package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// move takes the data of an installation to another folder: ours with both ends read
// and compared, beside those who copy, without and with a comparison.
func move(ctx context.Context, l *lab) (_ []row, err error) {
	mixed, small := 1000, 8000
	if l.long {
		mixed, small = 20_000, 200_000
	}
	program := filepath.Join(l.dir, "coterie")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/coterie")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0") // the bench is started in its own folder
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	var rows []row
	for _, tree := range []struct {
		name  string
		files int
		sizes []int
	}{
		{"mixed files", mixed, []int{200, 3000, 9000, 60_000, 300_000, 1_300_000}},
		{"small files", small, []int{100, 1000, 4000}},
	} {
		m := &mover{program: program, from: filepath.Join(l.dir, "server"), to: filepath.Join(l.dir, "moved"), plan: filepath.Join(l.dir, "plan.json")}
		if err := m.build(tree.files, tree.sizes); err != nil {
			return nil, err
		}
		took, most, err := m.turns(ctx, l.rounds())
		if err != nil {
			return nil, err
		}
		rows = append(rows, m.rows(fmt.Sprintf("%d %s, %d MiB", tree.files, tree.name, m.bytes>>20), took, most)...)
		if err := errors.Join(os.RemoveAll(m.from), os.RemoveAll(m.to)); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// mover has a tree moved by several programs.
type mover struct {
	program, from, to, plan string
	bytes                   int
}

func (m *mover) build(files int, sizes []int) error {
	random := rand.New(rand.NewPCG(1, 2)) // the same tree each time
	blob := make([]byte, 8<<20)
	for i := range blob {
		blob[i] = byte(random.Uint32())
	}
	write := func(name string, data []byte) error {
		name = filepath.Join(m.from, name)
		return errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o644))
	}
	err := errors.Join(write("conf/server/installed.properties", []byte("server.appdata.dir=..\n")), write("conf/installed.version", []byte("version=7.3\n")))
	for i := range files {
		size := sizes[random.IntN(len(sizes))]
		at := random.IntN(len(blob) - size)
		m.bytes += size
		err = errors.Join(err, write(fmt.Sprintf("var/repository/%03d/%d/file-%d", i%211, i%7, i), blob[at:at+size]))
	}
	return err
}

// turns has each program move the tree, one after another, round by round. The time
// ends when all is on the disk.
func (m *mover) turns(ctx context.Context, rounds int) (map[string]sample, int64, error) {
	took, most := map[string]sample{}, int64(0)
	source := filepath.Join(m.from, "var")
	peers := [][]string{{"cp", "cp -a %s %s"}, {"rsync", "rsync -a %s %s"}, {"rsync verified", "rsync -a %[1]s %[2]s && sync -f %[2]s && rsync -anc %[1]s %[2]s"}, {"rclone", "rclone copy %s %s/var"}}
	for range rounds {
		for _, peer := range peers {
			name, _, _ := strings.Cut(peer[0], " ")
			if _, err := exec.LookPath(name); err != nil {
				continue
			}
			if err := m.fresh(); err != nil {
				return nil, 0, err
			}
			begun := time.Now()
			line := fmt.Sprintf(peer[1], source, m.to) + " && sync -f " + m.to
			if out, err := exec.CommandContext(ctx, "sh", "-c", line).CombinedOutput(); err != nil {
				return nil, 0, fmt.Errorf("%s: %w\n%s", line, err, out)
			}
			took[peer[0]] = append(took[peer[0]], time.Since(begun))
		}
		if err := m.fresh(); err != nil {
			return nil, 0, err
		}
		plan := exec.CommandContext(ctx, m.program, "migrate", "plan", m.from, "--to", filepath.Join(m.to, "appdata"), "--accept", "local-disk,unseen-processes", "--out", m.plan)
		if out, err := plan.CombinedOutput(); err != nil {
			return nil, 0, fmt.Errorf("plan: %w\n%s", err, out)
		}
		begun := time.Now()
		apply := exec.CommandContext(ctx, m.program, "migrate", "apply", m.plan, "-y", "-q")
		if out, err := apply.CombinedOutput(); err != nil {
			return nil, 0, fmt.Errorf("apply: %w\n%s", err, out)
		}
		took["ours"] = append(took["ours"], time.Since(begun))
		if usage, ok := apply.ProcessState.SysUsage().(*syscall.Rusage); ok {
			most = max(most, usage.Maxrss<<10)
		}
		if out, err := exec.CommandContext(ctx, m.program, "migrate", "rollback", m.plan, "-y", "-q").CombinedOutput(); err != nil {
			return nil, 0, fmt.Errorf("rollback: %w\n%s", err, out)
		}
	}
	return took, most, nil
}

func (m *mover) fresh() error {
	if err := os.RemoveAll(m.to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Mkdir(m.to, 0o755); err != nil {
		return err
	}
	syscall.Sync() // what others wrote is not counted to who comes next
	return nil
}

func (m *mover) rows(name string, took map[string]sample, most int64) []row {
	ours := took["ours"].at(.5)
	fastest, who := time.Duration(0), ""
	for _, peer := range []string{"cp", "rsync", "rclone"} {
		if len(took[peer]) > 0 && (who == "" || took[peer].at(.5) < fastest) {
			fastest, who = took[peer].at(.5), peer
		}
	}
	rows := []row{{
		figure: name + " moved, both ends read and compared", ours: took["ours"].few(), peer: "the fastest without a comparison, " + who + ": " + took[who].few(),
		ratio: times(over(ours, fastest)), limit: "1.25 times its time", met: judge(ours*4 <= fastest*5),
	}}
	if len(took["rsync verified"]) > 0 {
		rows = append(rows, row{
			figure: "the same", ours: took["ours"].few(), peer: "rsync -a, then rsync -anc: " + took["rsync verified"].few(),
			ratio: times(over(took["rsync verified"].at(.5), ours)), limit: "less", met: judge(ours < took["rsync verified"].at(.5)),
		})
	}
	return append(rows, row{figure: "memory at most, meanwhile", ours: fmt.Sprintf("%d MiB", most>>20), limit: "64 MiB", met: judge(most <= 64<<20)})
}
