package upheaval_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/pgserver"
)

// split is a primary that lives on, with a node that reaches only it, beside its
// promoted standby, with a node that reaches only that one.
type split struct {
	*cluster
	first, second *sqlx.DB
	a, b          *node
	promoted      time.Time
}

const heldBySplit = 4

func splitBrain(t *testing.T, share string) *split {
	t.Helper()
	primary := server(t, pgserver.Options{})
	first := prepare(t, primary, "app", heldBySplit)
	standby, err := primary.Standby(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, standby)
	sides := map[string]*pgserver.Server{"app_a": primary, "app_b": standby}
	s := &split{cluster: newCluster(t, func(login string) string { return at("app", login, sides[login]) }), first: first}
	s.share = share
	s.a = s.start("app_a", 0)
	s.settle(heldBySplit, 10*time.Second)
	s.second = super(t, standby, "app")
	follow(t, first, s.second)
	cutReplication(t, first, s.second)
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.promoted = time.Now()
	s.b = s.start("app_b", 0)
	return s
}

// believers counts the nodes that act for a lease now.
func (s *split) believers() (most int) {
	count := map[string]int{}
	for _, b := range s.record.all() {
		if b.until.IsZero() {
			count[b.lease]++
			most = max(most, count[b.lease])
		}
	}
	return most
}

// resource is storage that both sides write. All it knows of a lease is the highest token.
type resource map[string]leases.Token

func (r resource) accepts(lease string, t leases.Token) bool {
	if t < r[lease] {
		return false
	}
	r[lease] = t
	return true
}

// The limit of what replication without waiting can do: an old primary lives on,
// and both sides give the same leases. Nobody can promise that only one acts.
// What is promised: tokens never meet, each side refuses the other's, and a
// resource that compares tokens lets the later side through and no other.
func TestTwoLivingPrimariesAreToldApartByTheirTokensOnly(t *testing.T) {
	t.Parallel()
	for round := range *rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			s := splitBrain(t, "")
			within(t, 20*time.Second, "both sides act for one lease: that is the limit", func() bool { return s.believers() > 1 })
			t.Logf("both sides act for one lease %v after the promotion", time.Since(s.promoted).Round(time.Millisecond))
			time.Sleep(terms.TTL) // both go on making effects

			given := map[leases.Token]string{}
			store := resource{}
			for _, b := range s.record.all() {
				if node, twice := given[b.token]; twice && node != b.node {
					t.Errorf("token %d was given to %s and to %s", b.token, node, b.node)
				}
				given[b.token] = b.node
				other := s.second
				if b.node == "app_b" {
					other = s.first
				}
				_, err := other.Exec("SELECT coterie.assert_lease($1, $2)", b.lease, int64(b.token))
				wantCode(t, err, fmt.Sprintf("token %d of %s on the other side", b.token, b.node), "CT001")
			}
			held := s.record.all()
			slices.SortFunc(held, func(x, y belief) int { return x.from.Compare(y.from) })
			for _, b := range held {
				if !store.accepts(b.lease, b.token) {
					t.Errorf("%s: token %d of %s is refused after token %d, which was given before", b.lease, b.token, b.node, store[b.lease])
				}
			}
			for _, b := range held { // the old side goes on
				if b.node == "app_a" && store.accepts(b.lease, b.token) {
					t.Errorf("%s: token %d of the old side is accepted after token %d of the new one", b.lease, b.token, store[b.lease])
				}
			}
		})
	}
}

// With a share in common each side learns of the other's tokens, and says so.
func TestTwoLivingPrimariesNoticeEachOtherByTheShare(t *testing.T) {
	t.Parallel()
	s := splitBrain(t, newShare(t))
	noticed := func(db *sqlx.DB) bool {
		return ask[int](t, db, `SELECT count(*) FROM coterie.events WHERE kind = 'era.began' AND reason ~ $1`, aTokenUnknown) > 0
	}
	took := within(t, 20*time.Second, "the old primary's node learns that tokens were given elsewhere", func() bool { return noticed(s.first) })
	t.Logf("the old primary noticed after %v", took.Round(time.Millisecond))
	if limit := terms.TTL + 4*terms.Heartbeat; took > limit {
		t.Errorf("it took %v, longer than %v", took, limit)
	}
	given := map[leases.Token]string{}
	for _, b := range s.record.all() {
		if node, twice := given[b.token]; twice && node != b.node {
			t.Errorf("token %d was given to %s and to %s", b.token, node, b.node)
		}
		given[b.token] = b.node
	}
}
