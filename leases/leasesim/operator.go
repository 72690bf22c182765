package leasesim

import (
	"slices"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// What follows is what operators do, in transactions of their own.

func (db *database) commands(do func(t *tx)) {
	t := &tx{db: db}
	do(t)
	t.event(true)
	t.commit()
}

// change is coterie.setting_change.
func (w *world) change(terms leases.Terms) {
	w.worsen(terms)
	w.db.alter(func(c *cluster) { c.setting = terms })
}

// pause is coterie.cluster_pause.
func (db *database) pause(paused bool) { db.alter(func(c *cluster) { c.paused = paused }) }

// alter changes the settings, after what was ordered before and once nobody has
// them locked.
func (db *database) alter(order func(*cluster)) {
	if db.orders = append(db.orders, order); len(db.orders) == 1 {
		db.obey()
	}
}

func (db *database) obey() {
	if db.down || db.locks[row{table: 'c'}] != nil || db.holder("", 0, false) != nil {
		db.w.after(10*time.Millisecond, db.obey)
		return
	}
	db.commands(func(t *tx) {
		t.eraCheck(0) // by the terms that there were
		c := db.cluster
		for _, order := range db.orders {
			order(&c)
		}
		t.setCluster(c)
	})
	db.orders = nil
}

// move is coterie.lease_move to a named node, which keeps the lease if it is preferred.
func (db *database) move(i int, to string, now, preferred bool) {
	l, target := db.leases[i], db.sessions[to]
	if db.down || db.cluster.paused || !db.held(l) || l.node == to || !slices.Contains(target.takes, l.class) ||
		target.expired(db.now()) || db.skips(i) {
		return
	}
	l.goal, l.now, l.prefer = to, now, ""
	if preferred {
		l.prefer = to
	}
	db.commands(func(t *tx) { t.setLease(i, l) })
}

// wish is coterie.lease_wish.
func (db *database) wish(name string, wish leases.Wish) {
	i := db.find(name)
	if db.down || db.skips(i) {
		return
	}
	l := db.leases[i]
	l.Wish = wish
	db.commands(func(t *tx) { t.setLease(i, l) })
}
