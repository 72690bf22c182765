package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/sql/schema"
)

// silence is how much longer than its deadline a call takes when the network
// swallows packets: once through a proxy that goes on acknowledging and forwards
// no more, once (as root, on Linux) through a link that drops everything.
func silence(ctx context.Context, l *lab) ([]row, error) {
	var rows []row
	p, err := startProxy(l.server.Port)
	if err != nil {
		return nil, err
	}
	defer p.close()
	got, err := l.overruns(ctx, "a proxy stops forwarding", p)
	if err != nil {
		return nil, err
	}
	rows = append(rows, got)
	link, err := l.startLink(ctx)
	if err != nil {
		say("NO DROPPED PACKETS: no network namespace can be made here: %v", err)
		return rows, nil
	}
	defer link.close()
	got, err = l.overruns(ctx, "a link drops packets", link)
	if err != nil {
		return rows, err
	}
	return append(rows, got), nil
}

// budget is the deadline of each call in this figure.
const budget = time.Second

// mute is a way to the server that can be silenced, and mended.
type mute interface {
	address() (host string, port int)
	silence() error
	mend() error
}

// overruns makes each kind of call in silence.
func (l *lab) overruns(ctx context.Context, how string, m mute) (row, error) {
	host, port := m.address()
	dsn := fmt.Sprintf("host=%s port=%d dbname=postgres user=postgres sslmode=disable", host, port)
	var ours, theirs sample
	for _, call := range calls {
		took, err := l.overrun(ctx, m, dsn, call)
		if err != nil {
			return row{}, fmt.Errorf("%s, %s: %w", how, call.name, err)
		}
		ours = append(ours, took-call.limit)
		took, err = overrunPgx(ctx, m, dsn)
		if err != nil {
			return row{}, fmt.Errorf("%s, pgx: %w", how, err)
		}
		theirs = append(theirs, took-budget)
	}
	return row{
		figure: fmt.Sprintf("overrun of a deadline when %s, %d calls; pgx: a statement", how, len(ours)),
		ours:   "most " + short(ours.at(1)), peer: "pgx most " + short(theirs.at(1)),
		limit: "200 ms", met: judge(ours.at(1) <= 200*time.Millisecond),
	}, nil
}

// call is something that a node asks of the database, silenced on the way.
type call struct {
	name  string
	limit time.Duration // counted from the silence
	do    func(ctx context.Context, db *sqlx.DB, silence func() error) error
}

var calls = []call{
	{"a statement on a connection that was silenced before", budget, func(ctx context.Context, db *sqlx.DB, silence func() error) error {
		return errors.Join(silence(), ask(ctx, db, `SELECT 1`))
	}},
	{"a statement whose answer is lost", budget + asleep, func(ctx context.Context, db *sqlx.DB, silence func() error) error {
		return during(silence, func() error { return ask(ctx, db, `SELECT 1 FROM pg_sleep(0.5)`) })
	}},
	{"a transaction", budget, func(ctx context.Context, db *sqlx.DB, silence func() error) error {
		tx, err := db.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `SELECT 1`)
		if err := errors.Join(err, silence()); err != nil {
			return err
		}
		return tx.Commit()
	}},
	{"another connection", budget, func(ctx context.Context, db *sqlx.DB, silence func() error) error {
		conn, err := db.Connx(ctx) // takes the one that is there
		if err != nil {
			return err
		}
		defer conn.Close()
		return errors.Join(silence(), ask(ctx, db, `SELECT 1`))
	}},
}

func (l *lab) overrun(ctx context.Context, m mute, dsn string, c call) (time.Duration, error) {
	db, err := schema.Open(ctx, schema.Options{DSN: dsn, Budget: budget, Connect: budget, Insecure: true})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	err = c.do(ctx, db, func() error { began = time.Now(); return m.silence() })
	took := time.Since(began)
	if err == nil {
		return 0, errors.New("it was answered")
	}
	if err := m.mend(); err != nil {
		return 0, err
	}
	return took, db.Close()
}

// asleep is when a statement under way is silenced. Its deadline counts from
// when it was sent.
const asleep = -200 * time.Millisecond

// during silences while something is under way.
func during(silence, do func() error) error {
	silenced := make(chan error, 1)
	timer := time.AfterFunc(-asleep, func() { silenced <- silence() })
	defer timer.Stop()
	return errors.Join(do(), <-silenced)
}

func ask(ctx context.Context, db *sqlx.DB, sql string) error {
	var one int
	return db.GetContext(ctx, &one, sql)
}

func overrunPgx(ctx context.Context, m mute, dsn string) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, err
	}
	if err := m.silence(); err != nil {
		return 0, err
	}
	limited, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	began := time.Now()
	_, err = conn.Exec(limited, `SELECT 1`)
	took := time.Since(began)
	if err == nil {
		return 0, errors.New("it was answered")
	}
	limited, cancel = context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn.Close(limited) // says goodbye to nobody
	return took, m.mend()
}

// proxy passes bytes on until it is silenced. It accepts and acknowledges what
// comes also then.
type proxy struct {
	listener net.Listener
	target   int
	wait     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	line  *line
	conns []net.Conn
}

func startProxy(target int) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: listener, target: target, line: new(line)}
	p.wait.Go(p.accept)
	return p, nil
}

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		out, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(p.target))
		if err != nil {
			say("proxy: %v", err)
			in.Close()
			continue
		}
		p.mu.Lock()
		silent := p.line.silent()
		p.conns = append(p.conns, in, out)
		p.mu.Unlock()
		p.wait.Go(func() { p.pass(&wire{out, silent}, in) })
		p.wait.Go(func() { p.pass(&wire{in, silent}, out) })
	}
}

// pass copies until an end closes; the end of one is the end of the other,
// unless nobody may hear of it.
func (p *proxy) pass(to *wire, from net.Conn) {
	_, err := io.Copy(to, from)
	if err != nil && !errors.Is(err, net.ErrClosed) && !to.isSilent() {
		say("proxy: %v", err)
	}
	if !to.isSilent() {
		to.Close()
	}
}

func (p *proxy) address() (string, int) { return "127.0.0.1", p.listener.Addr().(*net.TCPAddr).Port }

func (p *proxy) silence() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line.silence()
	return nil
}

// mend closes what was silenced; what comes now passes.
func (p *proxy) mend() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	p.conns, p.line = nil, new(line)
	return nil
}

func (p *proxy) close() {
	if err := errors.Join(p.listener.Close(), p.mend()); err != nil {
		say("proxy: %v", err)
	}
	p.wait.Wait()
}

// link is a pair of network devices, one of them in a namespace of its own; the
// server behind it is reached through a proxy that lives there.
type link struct {
	space, near, far string
	port             int
	relay            *exec.Cmd
}

const (
	nearAddress = "10.213.77.1"
	farAddress  = "10.213.77.2"
)

func (l *lab) startLink(ctx context.Context) (_ *link, err error) {
	k := &link{space: fmt.Sprintf("coterie-%d", os.Getpid()), near: fmt.Sprintf("cob%d", os.Getpid()%100000), far: fmt.Sprintf("cof%d", os.Getpid()%100000)}
	defer func() {
		if err != nil {
			k.close()
		}
	}()
	for _, args := range []string{
		"netns add " + k.space,
		"link add " + k.near + " type veth peer name " + k.far,
		"link set " + k.far + " netns " + k.space,
		"addr add " + nearAddress + "/30 dev " + k.near,
		"link set " + k.near + " up",
		"-n " + k.space + " addr add " + farAddress + "/30 dev " + k.far,
		"-n " + k.space + " link set " + k.far + " up",
	} {
		if err := ip(ctx, args); err != nil {
			return nil, err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// The server's Unix socket is a file, which namespaces share.
	socket := fmt.Sprintf("%s/.s.PGSQL.%d", l.server.Socket, l.server.Port)
	k.port = l.server.Port
	k.relay = exec.Command("ip", "netns", "exec", k.space, self, "-relay", net.JoinHostPort(farAddress, strconv.Itoa(k.port)), "-to", socket)
	k.relay.Stderr = os.Stderr
	if err := k.relay.Start(); err != nil {
		return nil, err
	}
	return k, k.ready(ctx)
}

func ip(ctx context.Context, args string) error {
	said, err := exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, strings.TrimSpace(string(said)))
	}
	return nil
}

func (k *link) ready(ctx context.Context) error {
	host, port := k.address()
	for limit := time.Now().Add(10 * time.Second); ; {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(port)), time.Second)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(limit) {
			return err
		}
		if err := rest(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func (k *link) address() (string, int) { return farAddress, k.port }

// silence takes the far end down: what is sent goes nowhere, and nobody is told.
func (k *link) silence() error {
	return ip(context.Background(), "-n "+k.space+" link set "+k.far+" down")
}

func (k *link) mend() error {
	return ip(context.Background(), "-n "+k.space+" link set "+k.far+" up")
}

func (k *link) close() {
	if k.relay != nil && k.relay.Process != nil {
		if err := errors.Join(k.relay.Process.Kill(), ignore(k.relay.Wait())); err != nil {
			say("end the relay: %v", err)
		}
	}
	for _, args := range []string{"link del " + k.near, "netns del " + k.space} {
		if err := ip(context.Background(), args); err != nil {
			say("%v", err)
		}
	}
}

// ignore is for a process that was killed on purpose.
func ignore(error) error { return nil }

// relay passes connections from an address to a Unix socket.
func relay(address, socket string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		in, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer in.Close()
			out, err := net.Dial("unix", socket)
			if err != nil {
				say("relay: %v", err)
				return
			}
			defer out.Close()
			go io.Copy(out, in)
			io.Copy(in, out)
		}()
	}
}
