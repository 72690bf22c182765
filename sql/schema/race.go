package schema

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/lib/pq"
)

// stagger is how long a host may take before the next one is tried beside it.
const stagger = 250 * time.Millisecond

// race connects to the first host that is of the wanted kind. lib/pq tries one
// host after the other, each for the whole time limit, so that a first host that
// is gone without a word (no power, no route) uses up the time in which the
// second would have answered.
func (c *connector) race(ctx context.Context, cfg pq.Config) (driver.Conn, error) {
	each := separately(cfg)
	if len(each) == 1 {
		return c.attempt(each[0]).connect(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	var attempts sync.WaitGroup
	defer attempts.Wait()
	defer cancel()

	type outcome struct {
		host int
		conn driver.Conn
		err  error
	}
	outcomes := make(chan outcome, len(each))
	errs := make([]error, len(each)) // in the order of the hosts: the first answer of a server counts most
	next := time.NewTimer(0)
	defer next.Stop()
	for begun, ended := 0, 0; ended < len(each); {
		select {
		case <-next.C:
			if begun == len(each) {
				continue
			}
			host, a := begun, c.attempt(each[begun])
			attempts.Go(func() {
				conn, err := a.connect(ctx)
				outcomes <- outcome{host, conn, err}
			})
			begun++
			next.Reset(stagger)
		case o := <-outcomes:
			if o.err == nil {
				cancel()
				attempts.Wait()
				closeAll(outcomes, func(o outcome) driver.Conn { return o.conn })
				return o.conn, nil
			}
			errs[o.host] = fmt.Errorf("connecting to %s: %w", servers(each[o.host]), o.err)
			ended++
			next.Reset(0)
		}
	}
	return nil, fmt.Errorf("none of the hosts serves:\n%w", errors.Join(errs...))
}

// closeAll closes the connections that came too late.
func closeAll[T any](late chan T, conn func(T) driver.Conn) {
	for {
		select {
		case o := <-late:
			if c := conn(o); c != nil {
				_ = c.Close() // nothing was said on it
			}
		default:
			return
		}
	}
}

// separately makes a configuration for each host, in the order in which they
// are to be tried. Whoever wants a standby, but would take anything, needs
// lib/pq's own order.
func separately(cfg pq.Config) []pq.Config {
	all := hosts(cfg)
	if len(all) == 1 || cfg.TargetSessionAttrs == pq.TargetSessionAttrsPreferStandby {
		return []pq.Config{cfg}
	}
	each := make([]pq.Config, len(all))
	for i, h := range all {
		one := cfg.Clone()
		one.Host, one.Hostaddr, one.Port, one.Multi = h.Host, h.Hostaddr, h.Port, nil
		each[i] = one
	}
	if cfg.LoadBalanceHosts == pq.LoadBalanceHostsRandom {
		rand.Shuffle(len(each), func(i, j int) { each[i], each[j] = each[j], each[i] })
	}
	return each
}

// attempt is one try at making a connection. It ends with its context also
// where lib/pq only knows a time limit: while it waits for a server's greeting.
type attempt struct {
	dialer
	options Options
	cfg     pq.Config

	mu   sync.Mutex // guards what follows
	over bool
	line net.Conn // the last one opened
}

func (c *connector) attempt(cfg pq.Config) *attempt {
	return &attempt{dialer: c.options.dialer(), options: c.options, cfg: cfg}
}

func (a *attempt) connect(ctx context.Context) (driver.Conn, error) {
	inner, err := pq.NewConnectorConfig(a.cfg)
	if err != nil {
		return nil, err
	}
	inner.Dialer(a)
	stop := context.AfterFunc(ctx, a.giveUp)
	made, err := inner.Connect(ctx)
	if !stop() && err == nil {
		err = errors.Join(context.Cause(ctx), made.Close())
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	return newConn(made, a.line, a.options.Notice)
}

// DialContext also serves lib/pq for asking a server, later, to cancel a statement.
func (a *attempt) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := a.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		a.line = c
	}
	return c, nil
}

func (a *attempt) giveUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over && a.line != nil {
		_ = a.line.Close() // lib/pq hears of it
	}
	a.over = true
}
