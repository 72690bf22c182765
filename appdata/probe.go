package appdata

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Probe looks at the share as the application would use it, and says what it
// found. It may block for as long as the file system does: whoever must not
// hang calls it in a worker process (see appdata/worker). The error says that
// s makes no sense or that ctx ended, never anything about the share.
func (s Share) Probe(ctx context.Context) (Condition, error) {
	if err := s.Check(); err != nil {
		return Condition{}, err
	}
	c := Condition{State: OK, FreeInodes: -1}
	s.look(ctx, &c)
	if ctx.Err() != nil {
		return Condition{}, context.Cause(ctx)
	}
	return c, nil
}

func (s Share) look(ctx context.Context, c *Condition) {
	root, dir, err := openShare(s.Path)
	if err != nil {
		c.worsen(readProblem(err), "cannot open: %v", err)
		if m, merr := MountAt(s.Path); merr == nil {
			c.Mount = m
		}
		return
	}
	defer root.Close() // a directory opened for reading: nothing can be lost
	defer dir.Close()

	place, err := placeOf(dir)
	if err != nil {
		place = s.Path
	}
	if c.Mount, err = mountOf(dir); err != nil {
		c.worsen(Degraded, "the file system cannot be named: %v", err)
	}
	ours := s.judgeMarker(c, root, place)
	if _, err := dir.Readdirnames(1); err != nil && !isEOF(err) {
		c.worsen(readProblem(err), "cannot list: %v", err)
	} else {
		c.Readable = true
	}
	if ours && s.Cluster != "" {
		ours = s.readWords(c, root)
	}
	// Nothing is written to a folder that is not ours, or no longer.
	if ours && ctx.Err() == nil {
		s.tryWrite(c, root)
		s.readTokens(c, root)
		s.readContents(c, root)
	}
	s.judgeSpace(c, dir)
}

func openShare(path string) (*os.Root, *os.File, error) {
	// OpenRoot says what is wrong with a path that is no directory in words only.
	if info, err := os.Stat(path); err != nil {
		return nil, nil, err
	} else if !info.IsDir() {
		return nil, nil, &os.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, nil, err
	}
	dir, err := root.Open(".")
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	return root, dir, nil
}

// judgeMarker decides whose the folder is, and reports whether it may be written to.
func (s Share) judgeMarker(c *Condition, root *os.Root, place string) (ours bool) {
	expected := len(s.FSTypes) == 0 || c.Mount.FSType == "" || slices.Contains(s.FSTypes, c.Mount.FSType)
	if !expected && s.Cluster == "" {
		c.worsen(NotMounted, "the file system is %s, expected %s", c.Mount.FSType, strings.Join(s.FSTypes, " or "))
		return false
	}
	m, err := readMarker(root)
	var damaged *damagedError
	switch {
	case errors.Is(err, ErrNoMarker) && s.Cluster == "":
		return true
	case errors.Is(err, ErrNoMarker):
		s.judgeAbsence(c, place, expected)
		return false
	case errors.As(err, &damaged):
		c.worsen(WrongShare, "the marker %v", err)
		return false
	case err != nil:
		c.worsen(readProblem(err), "cannot read the marker: %v", err)
		return false
	case s.Cluster == "":
		c.MarkerOK, c.Generation = true, m.Generation
		return true
	case s.ID != "" && m.ID != s.ID, s.ID == "" && m.Cluster != s.Cluster:
		c.worsen(WrongShare, "belongs to cluster %s (%s)", m.Cluster, m.ID)
		return false
	case !expected:
		c.worsen(WrongShare, "carries our marker, but is a copy on %s, expected %s", c.Mount.FSType, strings.Join(s.FSTypes, " or "))
		return false
	}
	c.MarkerOK, c.Generation = true, m.Generation
	if s.Generation > 0 && m.Generation < s.Generation {
		c.worsen(OldGeneration, "generation %d, the database knows %d", m.Generation, s.Generation)
		return false
	}
	if s.Generation > 0 && m.Generation > s.Generation {
		c.worsen(Degraded, "generation %d is ahead of the database's %d", m.Generation, s.Generation)
	}
	return true
}

// judgeAbsence tells an empty mount point from a strange file system. Neither
// says that anything was deleted.
func (s Share) judgeAbsence(c *Condition, place string, expected bool) {
	mounted := c.Mount.Point == place || c.Mount.Network()
	switch {
	case !expected:
		c.worsen(NotMounted, "no marker, and the file system is %s, expected %s", c.Mount.FSType, strings.Join(s.FSTypes, " or "))
	case mounted && c.Mount.FSType != "autofs":
		c.worsen(WrongShare, "%q is mounted, but carries no cluster's marker", c.Mount.Source)
	default:
		c.worsen(NotMounted, "no marker: nothing is mounted here")
	}
}

func (s Share) readTokens(c *Condition, root *os.Root) {
	if s.Cluster == "" {
		return
	}
	token, err := tokens(root)
	if err != nil {
		c.worsen(readProblem(err), "cannot read the tokens that nodes keep: %v", withoutName(err))
		return
	}
	c.Token = token
}

// space is what statfs says; freeInodes is -1 where they are not counted.
type space struct{ free, size, freeInodes, inodes int64 }

const (
	mebi = 1 << 20
	gibi = 1 << 30

	fewInodes = 100
)

func (s Share) judgeSpace(c *Condition, dir *os.File) {
	found, err := spaceOf(dir)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOSYS) {
		return
	}
	if err != nil {
		c.worsen(readProblem(err), "cannot ask for free space: %v", err)
		return
	}
	c.FreeBytes, c.FreeInodes = found.free, found.freeInodes
	least := s.MinFree
	if least <= 0 {
		least = 16 * mebi
	}
	switch {
	case found.free < least:
		c.worsen(Full, "less than %s free", bytesText(least))
	case found.freeInodes >= 0 && found.freeInodes < fewInodes:
		c.worsen(Full, "fewer than %d inodes free", fewInodes)
	case found.free < found.size/20 && found.free < 10*gibi:
		c.worsen(Degraded, "less than 5 %% of the space is free")
	case found.freeInodes >= 0 && found.freeInodes < found.inodes/20 && found.freeInodes < 50_000:
		c.worsen(Degraded, "less than 5 %% of the inodes are free")
	}
}

func bytesText(n int64) string {
	switch {
	case n >= gibi && n%gibi == 0:
		return fmt.Sprintf("%d GiB", n/gibi)
	case n >= mebi && n%mebi == 0:
		return fmt.Sprintf("%d MiB", n/mebi)
	}
	return fmt.Sprintf("%d bytes", n)
}
