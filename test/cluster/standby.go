//go:build linux

package cluster

import (
	"context"
	"fmt"

	"github.com/coterie-ha/coterie/sql/pgserver"
)

// follower is a standby, and the link by which it follows the primary.
type follower struct {
	server *pgserver.Server
	link   *Link
}

// Follow starts a standby that receives, asynchronously, what the primary writes.
func (c *Cluster) Follow(ctx context.Context) error {
	link, err := newLink(c.Server.Port)
	if err != nil {
		return err
	}
	settings := c.settings()
	settings["primary_conninfo"] = fmt.Sprintf("host=127.0.0.1 port=%d user=%s sslmode=disable", link.Port, pgserver.Superuser)
	server, err := c.Server.Standby(ctx, pgserver.Options{MaxConns: maxConns, Settings: settings, Durable: c.options.Durable})
	if err != nil {
		link.close()
		return err
	}
	c.standby = &follower{server, link}
	return nil
}

// FailOver loses the primary for ever, and with it what it wrote in its last
// moments: nothing of them reaches the standby, which takes its place. They last
// for as long as meanwhile does.
func (c *Cluster) FailOver(ctx context.Context, meanwhile func() error) error {
	next := c.standby
	c.standby = nil
	defer next.link.close()
	next.link.Set(Weather{HoldUp: true, HoldDown: true})
	if err := meanwhile(); err != nil {
		return err
	}
	if err := c.Server.Halt(pgserver.Kill); err != nil {
		return err
	}
	next.link.Reset()
	c.retired = append(c.retired, c.Server)
	c.Server = next.server
	if err := c.Server.Promote(ctx); err != nil {
		return err
	}
	for _, link := range c.links() {
		link.Lead(c.Server.Port)
	}
	return nil
}

// links are all ways to the primary.
func (c *Cluster) links() []*Link {
	links := []*Link{c.front}
	for _, n := range c.Nodes {
		links = append(links, n.Link)
	}
	return links
}
