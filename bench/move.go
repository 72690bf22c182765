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
func move(ctx context.Context, l *lab) ([]row, error) {
	if l.long {
		return l.moved(ctx, place{rounds: 4, mixed: 20_000, small: 200_000})
	}
	return l.moved(ctx, place{rounds: l.rounds(), mixed: 1000, small: 8000})
}

// place is where data are moved to.
type place struct {
	name         string // empty: another folder of this disk
	mount        func(ctx context.Context, l *lab, at string) (unmount func() error, err error)
	rounds       int
	mixed, small int           // files of the two trees; 0: none
	far          time.Duration // the round trip, where there is one
}

// moved moves two trees to a place.
func (l *lab) moved(ctx context.Context, to place) (_ []row, err error) {
	program, err := l.program(ctx)
	if err != nil {
		return nil, err
	}
	for _, set := range []struct{ to, by *int }{{&to.mixed, &l.mixed}, {&to.small, &l.small}, {&to.rounds, &l.turns}} {
		if *set.by >= 0 {
			*set.to = *set.by
		}
	}
	to.rounds = max(to.rounds, 1)
	l, giveBack := l.onDisk(ctx, (to.mixed+to.small)*(to.rounds+1)*5)
	defer func() { err = errors.Join(err, giveBack()) }()
	m := &mover{place: to, program: program, to: filepath.Join(l.dir, "moved"), plan: filepath.Join(l.dir, "plan.json")}
	if to.mount != nil {
		unmount, err := to.mount(ctx, l, m.to)
		if err != nil {
			say("NOT MEASURED: %s: %v", to.name, err)
			return nil, nil
		}
		defer func() { err = errors.Join(err, unmount()) }()
	}
	var rows []row
	for _, tree := range []struct {
		name  string
		files int
		sizes []int
	}{
		{"mixed files", to.mixed, []int{200, 3000, 9000, 60_000, 300_000, 1_300_000}},
		{"small files", to.small, []int{100, 1000, 4000}},
	} {
		if tree.files == 0 {
			continue
		}
		if m.from, err = os.MkdirTemp(l.dir, "server-"); err != nil {
			return nil, err
		}
		if err := m.build(tree.files, tree.sizes); err != nil {
			return nil, err
		}
		took, err := m.turns(ctx)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%d %s, %d MiB, moved", tree.files, tree.name, m.bytes>>20)
		if to.name != "" {
			name += " to " + to.name
		}
		rows = append(rows, m.rows(name, took)...)
		if err := m.aside(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// mover has a tree moved by several programs.
type mover struct {
	place
	program, from, to, plan string
	bytes                   int
	put                     int // aside, so far
}

func (m *mover) build(files int, sizes []int) error {
	m.bytes = 0
	random := rand.New(rand.NewPCG(1, 2)) // the same tree each time
	blob := make([]byte, 8<<20)
	for i := range blob {
		blob[i] = byte(random.Uint32())
	}
	write := func(name string, data []byte) error {
		name = filepath.Join(m.from, name)
		return errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o644))
	}
	err := errors.Join(write("conf/installed.version", []byte("version=7.3\n")), m.settings())
	above := min(files/98+1, 211) // folders of seven, with 14 files or more each
	for i := range files {
		size := sizes[random.IntN(len(sizes))]
		at := random.IntN(len(blob) - size)
		m.bytes += size
		err = errors.Join(err, write(fmt.Sprintf("var/repository/%03d/%d/file-%d", i%above, i/above%7, i), blob[at:at+size]))
	}
	return err
}

// settings are those of a server whose data are its own.
func (m *mover) settings() error {
	name := filepath.Join(m.from, "conf/server/installed.properties")
	return errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte("server.appdata.dir=..\n"), 0o644))
}

// peers copy, and have a way to see that the copy is one. The second ends with an error
// or says something where it is not.
var peers = []struct{ name, copy, check string }{
	{"cp", "cp -a %s %s", "diff -rq %s %s/var"},
	{"rsync", "rsync -a %s %s", "rsync -anci %s %s"},
	{"rclone", "rclone copy -q %s %s/var", "rclone check -q %s %s/var"},
}

// verified is the name of a peer's copy with its check.
func verified(peer string) string { return peer + " verified" }

// turns has each program move the tree, one after another, round by round. The time
// ends when all is on the disk.
func (m *mover) turns(ctx context.Context) (map[string]*costs, error) {
	took := map[string]*costs{"ours": {}}
	source := filepath.Join(m.from, "var")
	for range m.rounds {
		for _, peer := range peers {
			if _, err := exec.LookPath(peer.name); err != nil {
				continue
			}
			if took[peer.name] == nil {
				took[peer.name], took[verified(peer.name)] = &costs{}, &costs{}
			}
			copied, err := m.shell(ctx, fmt.Sprintf(peer.copy, source, m.to)+" && sync -f "+m.to, m.fresh)
			if err != nil {
				return nil, err
			}
			checked, err := m.shell(ctx, fmt.Sprintf(peer.check, source, m.to), func() error { return warm(m.from) })
			if err != nil {
				return nil, err
			}
			took[peer.name].add(copied)
			took[verified(peer.name)].add(spent{copied.took + checked.took, copied.busy + checked.busy, max(copied.memory, checked.memory)})
		}
		if err := m.ours(ctx, took["ours"]); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// shell runs a line that has nothing to say.
func (m *mover) shell(ctx context.Context, line string, before func() error) (spent, error) {
	if err := before(); err != nil {
		return spent{}, err
	}
	one, out, err := costed(exec.CommandContext(ctx, "sh", "-c", line))
	if err == nil && len(out) > 0 {
		err = fmt.Errorf("%s says\n%s", line, out)
	}
	return one, err
}

func (m *mover) ours(ctx context.Context, took *costs) error {
	if err := m.fresh(); err != nil {
		return err
	}
	plan := exec.CommandContext(ctx, m.program, "migrate", "plan", m.from, "--to", filepath.Join(m.to, "appdata"), "--accept", "local-disk,unseen-processes", "--out", m.plan)
	if out, err := plan.CombinedOutput(); err != nil {
		return fmt.Errorf("plan: %w\n%s", err, out)
	}
	one, _, err := costed(exec.CommandContext(ctx, m.program, "migrate", "apply", m.plan, "-y", "-q"))
	if err != nil {
		return err
	}
	took.add(one)
	// Another has its turn: as if nothing had been migrated.
	return errors.Join(os.Rename(filepath.Join(m.from, ".coterie"), filepath.Join(m.from, fmt.Sprintf("journal-%d", m.put))), m.settings())
}

// fresh has nothing where the data are to go, and what is to be read at hand.
func (m *mover) fresh() error {
	if err := errors.Join(m.aside(), os.MkdirAll(m.to, 0o755), warm(m.from)); err != nil {
		return err
	}
	syscall.Sync() // what others wrote is not counted to who comes next
	return nil
}

const former = "former-"

// aside puts what is in the folder aside, which may be where something is mounted. Nothing
// is deleted before the end: for minutes ext4 passes over each inode that was, one by one
// for each new file, so that whoever comes after a deletion takes up to ten times as long.
func (m *mover) aside() error {
	all, err := os.ReadDir(m.to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	m.put++
	place := filepath.Join(m.to, fmt.Sprint(former, m.put))
	for _, e := range all {
		if !strings.HasPrefix(e.Name(), former) {
			err = errors.Join(err, os.MkdirAll(place, 0o755), os.Rename(filepath.Join(m.to, e.Name()), filepath.Join(place, e.Name())))
		}
	}
	if err != nil || m.mount != nil {
		return err
	}
	return hollow(place)
}

// hollow gives back the room that large files take.
func hollow(folder string) error {
	return filepath.WalkDir(folder, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		info, err := e.Info()
		if err == nil && info.Size() > 64<<10 {
			err = os.Truncate(name, 0)
		}
		return err
	})
}

func (m *mover) rows(name string, took map[string]*costs) []row {
	ours := took["ours"]
	fastest := ""
	for _, peer := range peers {
		if took[peer.name] != nil && (fastest == "" || took[peer.name].took.at(.5) < took[fastest].took.at(.5)) {
			fastest = peer.name
		}
	}
	if fastest == "" {
		return []row{{figure: name, ours: ours.few()}, ours.lean()}
	}
	var rows []row
	if m.far == 0 {
		least := took[fastest]
		rows = append(rows, row{
			figure: name + ", both ends read and compared", ours: ours.few(), peer: "the fastest without a comparison, " + fastest + ": " + least.few(),
			ratio: times(over(ours.took.at(.5), least.took.at(.5))), limit: "1.25 times its time", met: judge(ours.took.at(.5)*4 <= least.took.at(.5)*5),
		})
	}
	for _, peer := range peers {
		if took[peer.name] == nil {
			continue
		}
		if factor := map[string]time.Duration{"rclone": 3, "rsync": 15}[peer.name]; m.far > 0 && factor > 0 {
			rows = append(rows, m.against(name+", without a comparison by others", ours, peer.name, took[peer.name], factor))
		}
		program, _, _ := strings.Cut(peer.check, "%")
		rows = append(rows, m.against(name+", the others with a comparison too", ours, peer.name+", "+program, took[verified(peer.name)], 1))
	}
	return append(rows, ours.lean())
}

// against holds ours against a peer, which must take that many times as long.
func (m *mover) against(name string, ours *costs, peer string, theirs *costs, factor time.Duration) row {
	x, y := ours.took.at(.5), theirs.took.at(.5)
	limit := "less"
	if factor > 1 {
		limit = fmt.Sprintf("%d", factor)
	}
	return row{figure: name, ours: ours.few(), peer: peer + ": " + theirs.few(), ratio: times(over(y, x)), limit: limit, met: judge(x*factor <= y)}
}
