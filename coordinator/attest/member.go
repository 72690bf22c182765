package attest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/appdata"
)

// Member is one node's part in the proof: it goes before and after each look at
// the share. Its methods may be called by several goroutines.
type Member struct {
	DB    *sqlx.DB
	Node  string
	Every time.Duration // between looks
	// Stuck is how many looks were given up and are still at work, in the kernel; nil: none ever is.
	Stuck func() int

	mu         sync.Mutex
	word       appdata.Word // of the next look; guarded by mu, as all below
	said       int64
	ahead      time.Duration // of the share's clock before this host's, when that was written
	adrift     adrift
	circle     Circle
	life       int64 // incarnation of which the circle knows
	asked      int64 // incarnation of which it knew when the look was asked for
	told       int64 // incarnation in which the nonce is known to the database
	generation int64
}

// Ask completes what is asked of the share.
func (m *Member) Ask(s appdata.Share) appdata.Share {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.word.Nonce == "" {
		m.word.Nonce = rand.Text()
	}
	m.word.Round++
	m.asked = m.life
	s.Word, s.Said, s.Peers, s.Generation = m.word, m.floor(time.Now()), m.circle.Names(), m.generation
	return s
}

// Claim completes a share by what must be in it for anything there to be
// believed, without asking that anything be written.
func (m *Member) Claim(s appdata.Share) appdata.Share {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Word, s.Said, s.Ahead = m.word, m.floor(time.Now()), m.ahead
	return s
}

// adrift is a round that was given to a look which nobody heard of again. Killed, it
// may still be in the kernel or on its way to the server, and be written when a later
// one has been: then the file says less than was written last, and is ours.
type adrift struct {
	round   int64     // the lowest; 0: none
	settled time.Time // when all looks were heard of again; zero: not yet
}

// drifts is how long after that such a write can still arrive.
const drifts = time.Minute

// floor is the round that the folder is known to have had, and to have now.
func (m *Member) floor(now time.Time) int64 {
	switch a := &m.adrift; {
	case a.round == 0:
	case m.Stuck != nil && m.Stuck() > 0:
		a.settled = time.Time{}
	case !a.settled.IsZero() && now.Sub(a.settled) > drifts:
		a.round = 0
	}
	if m.adrift.round > 0 {
		return min(m.said, m.adrift.round)
	}
	return m.said
}

// heard takes in whether a look was answered, and wrote.
func (a *adrift) heard(c *appdata.Condition, round int64, now time.Time) {
	switch {
	case c.Words == nil && c.State == appdata.Hung && a.round == 0:
		a.round, a.settled = round, time.Time{}
	case c.Words == nil && c.State == appdata.Hung:
		a.settled = time.Time{}
	case c.Words != nil && c.Words.Kept && a.settled.IsZero():
		a.settled = now
	}
}

// Saw takes in what a look found that began at begun, worsens it by what the
// node concludes, and tells the database what is news. The error says that the
// database could not be asked or told; the verdict stands without.
func (m *Member) Saw(ctx context.Context, incarnation int64, ready bool, begun time.Time, c *appdata.Condition) (Verdict, error) {
	knew := m.saw(incarnation, begun, c)
	var err error
	fresh := false
	if incarnation != 0 && c.Words != nil {
		if m.doubtful(incarnation, begun) {
			fresh, err = m.Learn(ctx, incarnation, ready)
		}
		err = errors.Join(err, m.tell(ctx, incarnation, knew && c.Words.Kept, begun))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life != incarnation || m.told != incarnation || incarnation == 0 {
		return Verdict{State: appdata.OK, Waiting: "telling the other nodes what this one writes to the share", Untold: true, Hurry: c.Usable()}, err
	}
	v := m.circle.Judge(begun)
	if c.Words == nil || !c.Usable() {
		return Verdict{State: appdata.OK, Waiting: v.Waiting}, err // the share has troubles of its own
	}
	if v.State != appdata.OK {
		c.Worsen(v.State, v.Reason)
	}
	v.Hurry = v.Hurry || fresh
	return v, err
}

// Verdict is what the node concludes from what was seen and learned so far; nothing
// before the others were told of this life.
func (m *Member) Verdict(incarnation int64, now time.Time) Verdict {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life != incarnation || m.told != incarnation || incarnation == 0 {
		return Verdict{}
	}
	return m.circle.Judge(now)
}

// saw reports whether the peers of this life were looked for. What was learned while
// the look was under way does not count: they were not among those asked for.
func (m *Member) saw(incarnation int64, begun time.Time, c *appdata.Condition) (knew bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.adrift.heard(c, m.word.Round, time.Now())
	if c.Words == nil {
		return false
	}
	if c.Words.Kept {
		m.said, m.ahead = m.word.Round, c.Ahead
	}
	m.circle.Saw(c.Words, begun)
	return m.asked == incarnation
}

func (m *Member) doubtful(incarnation int64, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.life != incarnation || m.circle.Doubtful(now)
}

const challengeSQL = `SELECT coterie.storage_challenge($1, $2, $3, $4)`

const sightsSQL = `SELECT coterie.storage_sights($1, $2, $3, $4, $5, $6)`

// tell publishes the nonce, once it is on the share and the peers' words have been
// looked for: whoever answers from now on answers something new. Then the sights.
func (m *Member) tell(ctx context.Context, incarnation int64, publish bool, now time.Time) error {
	m.mu.Lock()
	publish = publish && m.told != incarnation
	nonce, news := m.word.Nonce, m.circle.News(now)
	m.mu.Unlock()
	if publish {
		err := m.once(ctx, challengeSQL, m.Node, incarnation, nonce, m.Every.Milliseconds())
		if err != nil {
			return fmt.Errorf("tell the challenge of %s: %w", m.Node, err)
		}
		m.mu.Lock()
		m.told = incarnation
		m.mu.Unlock()
	}
	if len(news) == 0 {
		return nil
	}
	nodes, lives, seen, reasons := make([]string, len(news)), make([]int64, len(news)), make([]bool, len(news)), make([]string, len(news))
	for i, n := range news {
		nodes[i], lives[i], seen[i], reasons[i] = n.Node, n.Incarnation, n.Seen, n.Reason
	}
	err := m.once(ctx, sightsSQL, m.Node, incarnation, pq.Array(nodes), pq.Array(lives), pq.Array(seen), pq.Array(reasons))
	if err != nil {
		return fmt.Errorf("tell what %s sees on the share: %w", m.Node, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.circle.Heard(news)
	return nil
}

var errOtherLife = errors.New("another life of this node is at work, or none")

// once says one statement that answers whether it was taken, on a connection of
// its own: a pool would say it again when its answer was lost.
func (m *Member) once(ctx context.Context, statement string, args ...any) error {
	conn, err := m.DB.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var taken bool
	if err := conn.GetContext(ctx, &taken, statement, args...); err != nil {
		return err
	}
	if !taken {
		return errOtherLife
	}
	return nil
}

const peersSQL = `
SELECT v.peer, v.incarnation, v.nonce, v.every_ms, v.newer, v.counts, v.first, v.sees_me, v.generation
FROM coterie.storage_peers($1, $2) v`

type peerRow struct {
	Peer        string
	Incarnation int64
	Nonce       string
	EveryMS     int64 `db:"every_ms"`
	Newer       bool
	Counts      bool
	First       bool
	SeesMe      *bool `db:"sees_me"`
	Generation  int64
}

// Learn asks the database for the peers. It reports whether there is one that
// was not known: it waits to be seen; or whether this life looks for the first time.
func (m *Member) Learn(ctx context.Context, incarnation int64, ready bool) (fresh bool, err error) {
	if incarnation == 0 {
		return false, nil
	}
	var rows []peerRow
	if err := m.DB.SelectContext(ctx, &rows, peersSQL, m.Node, incarnation); err != nil {
		return false, fmt.Errorf("ask what other nodes write to the share: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if fresh = m.life != incarnation; fresh {
		m.circle.Forget()
	}
	m.life = incarnation
	var peers []Peer
	mine := false
	for _, r := range rows {
		m.generation = max(m.generation, r.Generation)
		if r.Peer == m.Node {
			mine = r.Nonce == m.word.Nonce && r.Incarnation == incarnation
			continue
		}
		was := m.circle.peers[r.Peer]
		fresh = fresh || was == nil || was.Nonce != r.Nonce
		sees := Unknown
		switch {
		case r.SeesMe != nil && *r.SeesMe:
			sees = Seen
		case r.SeesMe != nil:
			sees = Unseen
		}
		peers = append(peers, Peer{
			Node: r.Peer, Incarnation: r.Incarnation, Nonce: r.Nonce, Every: time.Duration(r.EveryMS) * time.Millisecond,
			Newer: r.Newer, Counts: r.Counts, First: r.First, SeesMe: sees,
		})
	}
	if m.told == incarnation && !mine {
		m.told = 0 // the database has forgotten, as one that was restored does
		m.circle.Forget()
	}
	m.circle.Learn(peers, ready)
	return fresh, nil
}
