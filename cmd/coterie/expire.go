package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/jobs"
)

// verbExpire is what an agent calls itself with to delete old logs from the share:
// in a process of its own, which may hang there and be killed.
const verbExpire = "expire-logs"

// expireAction is the action that does so. It is there when the configuration says
// where logs are.
const expireAction = "coterie.expire-logs"

func (a *agent) expireAction() jobs.Action {
	return jobs.Exec{
		Argv:  append([]string{"/proc/self/exe", verbExpire, "--days={days}", "--", a.cfg.AppData.Path}, a.cfg.AppData.Logs...),
		Takes: []jobs.Param{{Name: "days", Type: jobs.IntParam, Min: 1, Max: 3650, Default: "30", Optional: true}},
		Dir:   "/", Spawn: a.spawn,
	}
}

func (c *cli) expireCommand() *cobra.Command {
	var days int
	cmd := &cobra.Command{
		Use: verbExpire, Hidden: true, Args: cobra.MinimumNArgs(2),
		Short:   "Delete old files from the share's log folders",
		Example: "  coterie run LOGS       a job with the action coterie.expire-logs starts it",
		RunE: func(_ *cobra.Command, args []string) error {
			return c.expire(args[0], args[1:], days)
		},
	}
	cmd.Flags().IntVar(&days, "days", 30, "how old a file must be")
	return cmd
}

// expire deletes the files in some folders of the share that are older than so
// many days by the clock of the share itself, whatever this host's clock says. It
// follows no link out of the share.
func (c *cli) expire(share string, folders []string, days int) error {
	root, err := os.OpenRoot(share)
	if err != nil {
		return err
	}
	defer root.Close()
	now, err := shareClock(root)
	if err != nil {
		return err
	}
	until := now.AddDate(0, 0, -days)
	var files, bytes int64
	var errs []error
	for _, folder := range folders {
		err := fs.WalkDir(root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				errs = append(errs, err)
				return nil
			}
			size, err := expireFile(root, name, d, until)
			if errors.Is(err, fs.ErrNotExist) {
				return nil // its application has deleted it
			}
			if err != nil {
				errs = append(errs, err)
			} else if size >= 0 {
				files, bytes = files+1, bytes+size
			}
			return nil
		})
		errs = append(errs, err)
	}
	if err := c.print(fmt.Sprintf("%d files, %d MiB, were older than %d days\n", files, bytes>>20, days)); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// expireFile deletes a file if it is old, and returns its size; -1 when it stays.
func expireFile(root *os.Root, name string, d fs.DirEntry, until time.Time) (int64, error) {
	if !d.Type().IsRegular() || strings.HasPrefix(path.Base(name), ".coterie") {
		return -1, nil
	}
	info, err := d.Info()
	if err != nil || !info.ModTime().Before(until) {
		return -1, err
	}
	return info.Size(), root.Remove(name)
}

// shareClock is the time of the file server, as a file that it stamps has it.
func shareClock(root *os.Root) (now time.Time, err error) {
	name := fmt.Sprintf(".coterie-clock-%d", os.Getpid())
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return now, fmt.Errorf("ask the share for its time: %w", err)
	}
	defer func() { err = errors.Join(err, root.Remove(name)) }()
	if _, err := f.WriteString("now"); err != nil {
		return now, errors.Join(fmt.Errorf("ask the share for its time: %w", err), f.Close())
	}
	if err := f.Close(); err != nil {
		return now, fmt.Errorf("ask the share for its time: %w", err)
	}
	info, err := root.Stat(name)
	if err != nil {
		return now, fmt.Errorf("ask the share for its time: %w", err)
	}
	return info.ModTime(), nil
}
