package main

import (
	"context"
	"strings"

	"github.com/coterie-ha/coterie/leases"
)

// Leases of what one node does for all.
const (
	copyLease    = "keystore/" // the copy of the keystore on the share
	renewalLease = "renewal/"
	listenLease  = "listen/appdata" // to the share's file server
)

// duties are the leases that this node takes by name for what its configuration says.
func (a *agent) duties() []string {
	var names []string
	if !a.cfg.Node.Candidate {
		return nil
	}
	if a.cfg.Keystore.Copy != "" {
		names = append(names, copyLease+a.cfg.Keystore.Name)
	}
	if len(a.cfg.Renewal.Command) > 0 {
		names = append(names, renewalLease+a.cfg.Keystore.Name)
	}
	if a.cfg.AppData.Listen && a.knows().share.Usable() {
		names = append(names, listenLease)
	}
	return names
}

// onDuty acts for one of them; false when the lease is none.
func (a *agent) onDuty(ctx context.Context, g leases.Grant) bool {
	work, class := a.keepCopy, "keystore"
	switch {
	case g.Lease == listenLease:
		work, class = a.listenShare, "appdata"
	case strings.HasPrefix(g.Lease, copyLease):
	case strings.HasPrefix(g.Lease, renewalLease):
		work = a.renew
	default:
		return false
	}
	a.metrics.Acquired(class)
	// It is given back whenever somebody else is to have it.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() { // ends with ctx, and is waited for
		defer close(ended)
		select {
		case <-g.Yield:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := work(ctx, g)
	cancel()
	<-ended
	reason := "returned"
	if cause := context.Cause(ctx); cause != nil {
		reason = why(cause)
	}
	a.metrics.Lost(class, reason)
	if err != nil {
		a.log.Debug("no longer on duty", "lease", g.Lease, "err", err)
	}
	return true
}
