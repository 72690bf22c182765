package supervisor

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// cgroups is the directory below which each run gets a cgroup of its own.
type cgroups struct {
	dir  string
	made int
}

// cgroupPrefix begins the names of our directories; the mark follows.
const cgroupPrefix = "coterie."

// openCgroups makes a directory below the supervisor's own cgroup, where that
// is a delegated and writable cgroup v2 with cgroup.kill (Linux 5.14).
func openCgroups(mark string) (*cgroups, error) {
	own, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(own, cgroupPrefix+mark)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "cgroup.kill")); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &cgroups{dir: dir}, nil
}

// ownCgroup is the directory of this process's cgroup v2.
func ownCgroup() (string, error) {
	own, err := cgroupOf("self")
	if err != nil {
		return "", err
	}
	root, mount, err := cgroupMount()
	if err != nil {
		return "", err
	}
	below, err := filepath.Rel(root, own)
	if err != nil || strings.HasPrefix(below, "..") {
		return "", fmt.Errorf("cgroup %s is not below the mounted %s", own, root)
	}
	return filepath.Join(mount, below), nil
}

// cgroupMount finds where cgroup2 is mounted, and which cgroup is its root there.
func cgroupMount() (root, mount string, err error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if ok && strings.HasPrefix(after, "cgroup2 ") && len(fields) > 4 {
			return fields[3], fields[4], nil
		}
	}
	return "", "", errors.Join(errors.New("cgroup v2 is not mounted"), lines.Err())
}

// make gives one run its cgroup.
func (c *cgroups) make() (*cgroup, error) {
	c.made++
	dir := filepath.Join(c.dir, fmt.Sprintf("run-%d", c.made))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	fd, err := syscall.Open(dir, syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &cgroup{dir: dir, fd: fd}, nil
}

func (c *cgroups) close() error { return removeCgroup(c.dir) }

// A cgroup holds one run's tree: nothing in it can leave without the right to
// write the directories above.
type cgroup struct {
	dir string
	fd  int
}

// descriptor is that of the directory; negative where there is no cgroup.
func (c *cgroup) descriptor() int {
	if c == nil {
		return -1
	}
	return c.fd
}

// kill ends everything in it at one instant, forks under way included.
func (c *cgroup) kill() error { return killCgroup(c.dir) }

func (c *cgroup) populated() (bool, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, "cgroup.events"))
	if err != nil {
		return false, err
	}
	return strings.Contains(string(text), "populated 1"), nil
}

// holds tells whether a process of that cgroup is in it, or in one that the run made below.
func (c *cgroup) holds(path string) bool {
	name := "/" + filepath.Base(filepath.Dir(c.dir)) + "/" + filepath.Base(c.dir)
	return strings.Contains(path+"/", name+"/")
}

// cgroupOf is the path of a process's cgroup v2.
func cgroupOf(pid string) (string, error) {
	text, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return "", err
	}
	for l := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(l, "\n"), "0::"); ok {
			return path, nil
		}
	}
	return "", errors.New("no cgroup v2")
}

func (c *cgroup) close() error {
	syscall.Close(c.fd)
	return removeCgroup(c.dir)
}

func killCgroup(dir string) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
}

// removeCgroup removes a directory and those that a run made below it.
func removeCgroup(dir string) error {
	var below []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			below = append(below, path)
		}
		return err
	})
	for i := len(below) - 1; i >= 0; i-- {
		if e := syscall.Rmdir(below[i]); e != nil && e != syscall.ENOENT {
			err = errors.Join(err, fmt.Errorf("rmdir %s: %w", below[i], e))
		}
	}
	return err
}
