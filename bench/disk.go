package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// diskSize is more than is ever moved; the file takes what is written.
const diskSize = 100 << 30

// onDisk gives a lab whose folder is on an ext4 of its own, in a file of the disk. What was
// deleted on a disk before slows whoever makes files on it now: for minutes ext4 passes over
// each inode that was, so that one program takes 2 s or 22 s for the same files. Where there
// can be none it says so, and the lab stays where it is.
func (l *lab) onDisk(ctx context.Context, inodes int) (own *lab, giveBack func() error) {
	image, at := filepath.Join(l.dir, "disk.ext4"), filepath.Join(l.dir, "disk")
	if err := l.makeDisk(ctx, image, at, inodes); err != nil {
		say("ON A DISK WITH A HISTORY, which may slow each of them: %v", err)
		return l, func() error { return os.RemoveAll(image) }
	}
	on := *l
	on.dir = at
	return &on, func() error {
		// Also after an interruption: what is mounted outlives this program.
		out, err := exec.Command("umount", at).CombinedOutput()
		if err != nil {
			return fmt.Errorf("umount %s: %w\n%s", at, err, out)
		}
		return errors.Join(os.Remove(image), os.Remove(at))
	}
}

func (l *lab) makeDisk(ctx context.Context, image, at string, inodes int) error {
	f, err := os.Create(image)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(diskSize), f.Close(), os.MkdirAll(at, 0o755)); err != nil {
		return err
	}
	for _, do := range [][]string{
		{"mkfs.ext4", "-q", "-F", "-N", fmt.Sprint(max(inodes, 1<<16)), image},
		{"mount", "-o", "loop,discard,noinit_itable", image, at}, // nothing is written behind the backs of those who are measured
	} {
		if out, err := exec.CommandContext(ctx, do[0], do[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", do[0], err, out)
		}
	}
	return nil
}
