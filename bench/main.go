package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime/pprof"
	"syscall"
	"time"
)

// figures in the order in which they are measured. Each takes half a minute at
// most in the short form, and those that compare or move files some minutes.
var figures = []struct {
	name    string
	measure func(context.Context, *lab) ([]row, error)
}{
	{"renewal", renewal},
	{"cycle", cycle},
	{"loss", loss},
	{"handover", handover},
	{"idle", idle},
	{"guard", guard},
	{"silence", silence},
	{"crowd", crowd},
	{"seats", seats},
	{"due", dueToStart},
	{"scan", scan},
	{"bundle", bundles},
	{"move", move},
	{"move-sshfs", moveSSHFS},
	{"move-far", moveFar},
	{"move-gluster", moveGluster},
}

func main() {
	var o options
	only := flag.String("only", "", "measure only the figures whose names match this `pattern`")
	flag.BoolVar(&o.long, "long", false, "more rounds and tries, and large trees: twenty minutes, and hours with what is moved")
	flag.StringVar(&o.etcd, "etcd", os.Getenv("COTERIE_BENCH_ETCD"), "etcd's server `program`, if it is not on PATH ($COTERIE_BENCH_ETCD)")
	flag.IntVar(&o.mixed, "mixed", -1, "move so many mixed `files`, none if 0")
	flag.IntVar(&o.small, "small", -1, "move so many small `files`, none if 0")
	flag.IntVar(&o.turns, "turns", -1, "have each that moves files do so this `often`")
	profile := flag.String("profile", "", "write the processor profile of this program, which is the client, to a `file`")
	from := flag.String("relay", "", "pass connections from this `address` on and measure nothing (the bench starts itself so)")
	to := flag.String("to", "", "the Unix `socket` that -relay passes them to")
	away := flag.Duration("sftp", -1, "serve SFTP in the place of ssh, this `round trip` away (the bench has itself started so)")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: bench [-only PATTERN] [-long] [-etcd PROGRAM]")
		flag.PrintDefaults()
		fmt.Fprint(flag.CommandLine.Output(), "figures:")
		for _, f := range figures {
			fmt.Fprint(flag.CommandLine.Output(), " ", f.name)
		}
		fmt.Fprintln(flag.CommandLine.Output())
	}
	flag.Parse()
	if *away >= 0 {
		if err := sftp(*away); err != nil {
			fmt.Fprintln(os.Stderr, "bench: sftp:", err)
			os.Exit(1)
		}
		return
	}
	wanted, err := regexp.Compile(*only)
	if err != nil || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if *from != "" {
		fmt.Fprintln(os.Stderr, "bench: relay:", relay(*from, *to))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := profiled(*profile, func() error { return run(ctx, o, wanted) }); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func profiled(file string, do func() error) error {
	if file == "" {
		return do()
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = do()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

// run measures and prints the table of what was measured, also when a figure
// failed on the way.
func run(ctx context.Context, o options, wanted *regexp.Regexp) (err error) {
	l, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	var rows []row
	var failed error
	for _, f := range figures {
		if !wanted.MatchString(f.name) || ctx.Err() != nil {
			continue
		}
		began := time.Now()
		got, err := f.measure(ctx, l)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", f.name, err))
		}
		at := load()
		for i := range got {
			got[i].load = at
			say("%s", got[i])
		}
		say("%s took %v", f.name, time.Since(began).Round(time.Second))
		rows = append(rows, got...)
	}
	fmt.Print(heading(l), table(rows))
	return failed
}

// say talks to whoever waits; the table alone goes to stdout.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
