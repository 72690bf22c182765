//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// in runs a command inside of a guest as if it ran here: "in ADDRESS COMMAND...".
// Programs are those of the guest, by their last name; a configuration file that is
// named is brought along, and the database that it names is made reachable.
func in(args []string) error {
	conn, err := net.Dial("tcp", args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	c, err := packed(args[1:])
	if err != nil {
		return err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if _, err := conn.Write(append(text, '\n')); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		_ = conn.Close() // the guest kills what it runs for us
	}()
	return answers(conn)
}

func answers(conn net.Conn) error {
	for {
		kind, text, err := readFrame(conn)
		if err != nil {
			return fmt.Errorf("the guest does not answer: %w", err)
		}
		to := io.Writer(os.Stdout)
		switch kind {
		case frameErr:
			to = os.Stderr
		case frameExit:
			code, err := strconv.Atoi(string(text))
			if err != nil || code == 0 {
				return err
			}
			return exit(code)
		}
		if _, err := to.Write(text); err != nil {
			return err
		}
	}
}

var portOf = regexp.MustCompile(`host=127\.0\.0\.1 port=(\d+)`)

func packed(argv []string) (call, error) {
	c := call{Argv: append([]string{"/bin/" + filepath.Base(argv[0])}, argv[1:]...), Files: map[string][]byte{}}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "COTERIE_") {
			c.Env = append(c.Env, e)
		}
	}
	for _, arg := range argv[1:] {
		if !strings.HasSuffix(arg, ".yaml") {
			continue
		}
		text, err := os.ReadFile(arg)
		if err != nil {
			return c, err
		}
		c.Files[arg] = text
		for _, found := range portOf.FindAllSubmatch(text, -1) {
			port, err := strconv.Atoi(string(found[1]))
			if err != nil {
				return c, err
			}
			c.Forward = append(c.Forward, port)
		}
	}
	return c, nil
}
