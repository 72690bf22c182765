package migrate

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answersIn is how long a port of this host may take to say that somebody listens.
const answersIn = time.Second

// stopped says what shows that the server is not stopped.
func (p *Plan) stopped(ctx context.Context, o *[]Objection) error {
	var signs []string
	for _, name := range p.Profile.Running.PIDFiles {
		text, err := os.ReadFile(filepath.Join(p.Install, name))
		if err != nil {
			continue // no such file: nobody says that he is at work
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 0 && isAlive(pid) {
			signs = append(signs, fmt.Sprintf("%s names process %d, which is alive", name, pid))
		}
	}
	for _, port := range p.ports() {
		if listens(ctx, port) {
			signs = append(signs, fmt.Sprintf("somebody listens on port %d", port))
		}
	}
	if len(signs) > 0 {
		p.object(o, Objection{Word: "running", Text: "the server is not stopped: " + strings.Join(signs, "; "), Firm: true})
	}
	folders := []string{}
	for _, one := range p.Present() {
		at := p.source(one.Path)
		if real, err := filepath.EvalSymlinks(at); err == nil {
			at = real
		}
		folders = append(folders, at)
	}
	found, blind, err := holders(folders)
	if err != nil {
		return err
	}
	for _, h := range found {
		p.object(o, Objection{Word: "open-files", Text: fmt.Sprintf("process %d (%s) has files open there", h.PID, h.Command), Sample: h.Paths})
	}
	if blind {
		p.object(o, Objection{Word: "unseen-processes", Text: "this user may not see which files the processes of others have open"})
	}
	return nil
}

// Stopped says what shows that the server of an installation is not stopped, and where
// its application data are.
func Stopped(ctx context.Context, install string, named *Profile) (signs []Objection, from string, err error) {
	site, err := Detect(Ask{Install: install, Profile: named, To: filepath.Join(install, stateName)})
	if err != nil {
		return nil, "", err
	}
	p := Plan{Site: site}
	err = p.stopped(ctx, &signs)
	return signs, site.From, err
}

// ports are those on which the server would listen.
func (p *Plan) ports() []int {
	ports := slices.Clone(p.Profile.Running.Ports)
	text, err := readProperties(p.propertyFile())
	if err != nil {
		return ports
	}
	for _, key := range p.Profile.Running.PortKeys {
		value, _ := text.Get(key)
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n > 0 && n < 1<<16 {
			ports = append(ports, n)
		}
	}
	return ports
}

func listens(ctx context.Context, port int) bool {
	d := net.Dialer{Timeout: answersIn}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("localhost", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return conn.Close() == nil
}
