package leases

import (
	"errors"
	"slices"
	"testing"
	"time"
)

const (
	sec = time.Second
	ms1 = time.Millisecond
)

var sixSeconds = Terms{TTL: 6 * sec, Heartbeat: 1500 * ms1, Margin: 1500 * ms1}

// life is a node that has just begun, and the database that it talks to.
type life struct {
	State
	now  time.Duration
	last Answer
}

func begin(takes ...string) *life {
	l := &life{State: State{Node: "a", Takes: takes}, now: sec}
	l.Begun(l.now, sixSeconds, Era{}, l.now)
	l.last = Answer{Alive: true, Terms: sixSeconds}
	return l
}

// beat sends a heartbeat that is answered at once.
func (l *life) beat(edit ...func(*Answer)) (Request, []Action) {
	r := l.Request(l.now)
	l.last.Beats++
	for _, f := range edit {
		f(&l.last)
	}
	return r, l.Step(l.now, Answered{Began: l.now, Answer: l.last})
}

func lists(held, free []Lease, load ...Load) func(*Answer) {
	return func(a *Answer) {
		a.Head++
		a.Listing = &Listing{Held: held, Free: free, Load: load}
	}
}

func holds(node string, n int, class string) Load {
	return Load{Node: node, Takes: []string{class}, Holds: map[string]int{class: n}}
}

func names(acts []Action, do Do) (names []string) {
	for _, a := range acts {
		if a.Do == do {
			names = append(names, a.Lease)
		}
	}
	return names
}

func TestBalanceGoesOnBesideLeasesThatNobodyTakes(t *testing.T) {
	l := begin("x")
	held := []Lease{{Name: "l1", Class: "x", Token: 1}, {Name: "l2", Class: "x", Token: 2}, {Name: "l3", Class: "x", Token: 3}}
	free := []Lease{{Name: "by name", Class: "", Token: 0}, {Name: "nobody's", Class: "y", Token: 0}}
	_, acts := l.beat(lists(held, free, holds("a", 3, "x"), holds("b", 0, "x")))
	if got := names(acts, Yield); len(got) != 1 {
		t.Errorf("asked %v to yield, want one of three", got)
	}
}

func TestAYieldThatIsNotAnsweredHoldsUpNoOther(t *testing.T) {
	l := begin("x")
	held := []Lease{{Name: "l1", Class: "x", Token: 1}, {Name: "l2", Class: "x", Token: 2}, {Name: "l3", Class: "x", Token: 3}, {Name: "l4", Class: "x", Token: 4}}
	_, acts := l.beat(lists(held, nil, holds("a", 4, "x"), holds("b", 1, "x")))
	if got := names(acts, Yield); !slices.Equal(got, []string{"l1"}) {
		t.Fatalf("asked %v to yield, want l1", got)
	}
	// Its holder takes its time; two nodes join meanwhile.
	_, acts = l.beat(lists(held, nil, holds("a", 4, "x"), holds("b", 1, "x"), holds("c", 0, "x"), holds("d", 0, "x")))
	if got := names(acts, Yield); !slices.Equal(got, []string{"l2"}) {
		t.Errorf("asked %v to yield, want l2: of two that must go one is on its way", got)
	}
}

func TestWhatIsAboutToBeGivenBackIsNotCountedAgain(t *testing.T) {
	l := begin("x")
	held := []Lease{{Name: "l1", Class: "x", Token: 1}, {Name: "l2", Class: "x", Token: 2}, {Name: "l3", Class: "x", Token: 3}}
	_, acts := l.beat(lists(held, nil, holds("a", 3, "x"), holds("b", 1, "x")))
	if got := names(acts, Yield); !slices.Equal(got, []string{"l1"}) {
		t.Fatalf("asked %v to yield, want l1", got)
	}
	// Its holder has returned, and the answer to a heartbeat before that still lists it.
	l.Step(l.now, Returned{"l1", 1})
	_, acts = l.beat(lists(held, nil, holds("a", 3, "x"), holds("b", 1, "x")))
	if got := names(acts, Yield); len(got) > 0 {
		t.Errorf("asked %v to yield, too", got)
	}
}

func TestWhatWasYieldedIsLeftToOthers(t *testing.T) {
	l := begin("x")
	held := []Lease{{Name: "l1", Class: "x", Token: 1}, {Name: "l2", Class: "x", Token: 2}, {Name: "l3", Class: "x", Token: 3}, {Name: "l4", Class: "x", Token: 4}, {Name: "l5", Class: "x", Token: 5}}
	// Thirteen on three nodes: the fair share is four or five.
	_, acts := l.beat(lists(held, nil, holds("a", 5, "x"), holds("b", 5, "x"), holds("c", 3, "x")))
	if got := names(acts, Yield); !slices.Equal(got, []string{"l1"}) {
		t.Fatalf("asked %v to yield, want l1", got)
	}
	l.Step(l.now, Returned{"l1", 1})
	l.beat(lists(held[1:], held[:1], holds("a", 4, "x"), holds("b", 5, "x"), holds("c", 3, "x")))
	if r := l.Request(l.now); len(r.Claim) > 0 {
		t.Errorf("takes %v back at once", r.Claim)
	}
	l.now += l.patience()
	if r := l.Request(l.now); len(r.Claim) != 1 {
		t.Errorf("claims %v when patience is over, want l1: nobody else took it", r.Claim)
	}
}

func TestClassesThatOnlyOthersTakeDoNotHoldUpBalance(t *testing.T) {
	l := begin("x")
	held := []Lease{{Name: "l1", Class: "x", Token: 1}, {Name: "l2", Class: "x", Token: 2}, {Name: "l3", Class: "x", Token: 3}, {Name: "l4", Class: "x", Token: 4}}
	// The emptiest node takes nothing that this one has; the next one does.
	_, acts := l.beat(lists(held, nil, holds("a", 4, "x"), holds("b", 0, "y"), holds("c", 1, "x")))
	if got := names(acts, Yield); len(got) != 1 {
		t.Errorf("asked %v to yield, want one, for c", got)
	}
}

func TestWhatStaysWithItsNodeIsNotCountedOnByOthers(t *testing.T) {
	l := begin("x")
	held := []Lease{{Name: "l1", Class: "x", Token: 1}, {Name: "l2", Class: "x", Token: 2}, {Name: "l3", Class: "x", Token: 3}}
	// The fullest keeps what an operator gave to it, so this one must give.
	full := Load{Node: "b", Takes: []string{"x"}, Stays: 5}
	_, acts := l.beat(lists(held, nil, holds("a", 3, "x"), full, holds("c", 0, "x")))
	if got := names(acts, Yield); len(got) != 1 {
		t.Errorf("asked %v to yield, want one, for c", got)
	}
}

func TestAShorterTimeToLiveCountsAtOnceForTheHolder(t *testing.T) {
	l := begin("x")
	long := Terms{TTL: 30 * sec, Heartbeat: 1500 * ms1, Margin: 1500 * ms1}
	l.beat(func(a *Answer) { a.Terms = long })
	l.now += sec
	r, _ := l.beat(func(a *Answer) { a.Terms = sixSeconds })
	if r.TTL != long.TTL {
		t.Errorf("the heartbeat says %v, want %v: the database must not count by a time that this node has not heard of", r.TTL, long.TTL)
	}
	if got, want := l.Trusted(), l.now+sixSeconds.Trust(); got != want {
		t.Errorf("trusts until %v, want %v", got, want)
	}
	if r := l.Request(l.now); r.TTL != sixSeconds.TTL {
		t.Errorf("the next heartbeat says %v, want %v", r.TTL, sixSeconds.TTL)
	}
}

func TestOneLostHeartbeatCostsNoTrust(t *testing.T) {
	for _, terms := range []Terms{sixSeconds, {10 * sec, 4 * sec, sec}, {2 * sec, 300 * ms1, 200 * ms1}} {
		l := begin("x")
		l.beat(func(a *Answer) { a.Terms = terms })
		l.now = l.Due()
		l.Request(l.now) // its answer is lost
		l.now += terms.Attempt()
		l.Step(l.now, Failed{})
		if due := l.Due(); due >= l.Trusted() {
			t.Errorf("%+v: the next attempt is at %v, trust ends at %v", terms, due, l.Trusted())
		}
	}
}

// Timers stood still while the host slept, so that a holder's return may be what
// is seen first.
func TestAReturnThatIsSeenAfterAPauseEndsTheOthers(t *testing.T) {
	l := begin("x")
	l.beat(lists([]Lease{{Name: "l1", Class: "x", Token: 1}, {Name: "l2", Class: "x", Token: 2}}, nil, holds("a", 2, "x")))
	l.now += l.last.Terms.Trust()
	acts := l.Step(l.now, Returned{Lease: "l1", Token: 1})
	for _, a := range acts {
		if a.Lease == "l2" && errors.Is(a.Cause, ErrLost) {
			return
		}
	}
	t.Errorf("l2 goes on after trust is over: %v", acts)
}

func TestALoopLooksOftenWhileHoldersAct(t *testing.T) {
	l := begin("x")
	l.beat(lists([]Lease{{Name: "l1", Class: "x", Token: 1}}, nil, holds("a", 1, "x")))
	if wake := l.Wake(l.now, true) - l.now; wake > l.Terms.Margin/2 {
		t.Errorf("looks again after %v: a timer does not see that the host slept, and the holder would act for as long", wake)
	}
}

func TestAYoungEraIsQuiet(t *testing.T) {
	l := &life{State: State{Node: "a", Takes: []string{"x"}}, now: 10 * sec}
	l.Begun(l.now, sixSeconds, Era{Mark: 7, Quiet: 15 * sec}, 8*sec)
	l.last = Answer{Alive: true, Terms: sixSeconds}
	free := []Lease{{Name: "l1", Class: "x", Token: 0}}
	r, _ := l.beat(lists(nil, free))
	if len(r.Takes) > 0 {
		t.Errorf("says that it takes %v: others would leave leases to it", r.Takes)
	}
	l.now = l.Due()
	for ; l.now < 23*sec; l.now = l.Due() {
		if r, _ := l.beat(lists(nil, free)); len(r.Claim) > 0 || r.Settles {
			t.Fatalf("at %v asks %+v, before it saw the era for long enough", l.now, r)
		}
	}
	if r, _ := l.beat(lists(nil, free, holds("a", 0, "x"))); l.now != 23*sec || !r.Settles || len(r.Claim) != 1 {
		t.Errorf("at %v asks %+v, want the era settled and l1 claimed at 23s", l.now, r)
	}
}

func TestRowsThatWentBackAreTold(t *testing.T) {
	peer := Peer{Node: "b", Incarnation: 1, Beats: 10, TTL: 6 * sec}
	for name, back := range map[string]func(*Answer){
		"its own": func(a *Answer) { a.Beats-- },
		"a peer's": func(a *Answer) {
			old := peer
			old.Beats--
			a.Peers = []Peer{old}
		},
	} {
		l := begin("x")
		l.beat(func(a *Answer) { a.Peers = []Peer{peer} })
		r, acts := l.beat(back, lists([]Lease{{Name: "l1", Class: "x", Token: 1}}, nil))
		if r.Old {
			t.Fatalf("%s: told before it was seen", name)
		}
		if len(acts) > 0 {
			t.Errorf("%s: begins what a cut history says: %v", name, acts)
		}
		if due := l.Due(); due != l.now {
			t.Errorf("%s: told at %v, not at once", name, due)
		}
		if r := l.Request(l.now); !r.Old {
			t.Errorf("%s row went back, and nobody is told", name)
		}
	}
}

func TestAFormerLifeIsReplacedByTwoClocks(t *testing.T) {
	var b Beginning
	birth := Birth{Incarnation: 5, Beats: 3, Terms: Terms{TTL: 30 * sec, Heartbeat: 1500 * ms1, Margin: 1500 * ms1}}
	if f := b.Replaces(0); f.Incarnation != 0 {
		t.Fatalf("replaces %+v without knowing it", f)
	}
	now := sec
	for wait := time.Duration(0); now < 31*sec; now += wait {
		var err error
		if wait, err = b.Told(now, birth); err != nil {
			t.Fatal(err)
		}
		if f := b.Replaces(now + wait - 1); f.Incarnation != 0 {
			t.Fatalf("replaces %+v at %v, before it stood still for its time to live", f, now)
		}
	}
	if f := b.Replaces(now); f != (Former{Incarnation: 5, Beats: 3}) {
		t.Errorf("replaces %+v", f)
	}
	birth.Beats++
	if _, err := b.Told(now, birth); !errors.Is(err, ErrTaken) {
		t.Errorf("a former life that beats: %v, want ErrTaken", err)
	}
	b = Beginning{Gone: 5}
	if f := b.Replaces(0); f != (Former{Incarnation: 5, Gone: true}) {
		t.Errorf("replaces %+v, want at once what is known to be gone", f)
	}
}

func TestANodeRemembersTokensThatOthersGot(t *testing.T) {
	l := begin("x")
	l.beat(lists(nil, nil, holds("b", 1, "x")), func(a *Answer) { a.Listing.Mark = 7 })
	if r, _ := l.beat(); r.Mark != 7 {
		t.Errorf("the next heartbeat knows of token %d, want 7", r.Mark)
	}
	l.Step(l.now, Marked{9})
	l.Step(l.now, Marked{8})
	if r, _ := l.beat(); r.Mark != 9 {
		t.Errorf("the next heartbeat knows of token %d, want 9", r.Mark)
	}
}

// A machine is copied with its memory: both copies renew one life, which has one
// token for each lease. No token tells them apart; the count of beats does.
func TestALifeThatACopyRenewsTooIsGivenUp(t *testing.T) {
	one := begin("x")
	mine := []Lease{{Name: "l", Class: "x", Token: 1}}
	one.beat(lists(mine, nil))
	if _, acts := one.beat(); len(acts) > 0 || one.Over() {
		t.Fatalf("it gives up alone: %v", acts)
	}
	other := one.State // as a snapshot has it
	_, acts := one.beat()
	if len(acts) > 0 || one.Over() {
		t.Errorf("the first that beats sees nothing yet: %v", acts)
	}
	other.Request(one.now)
	one.last.Beats++
	acts = other.Step(one.now, Answered{Began: one.now, Answer: one.last})
	if got := names(acts, End); len(got) != 1 || !other.Over() {
		t.Errorf("the second acts on: %v", acts)
	}
	if _, acts = one.beat(); !one.Over() {
		t.Errorf("the first does not notice: %v", acts)
	}
}

// What is wanted while a heartbeat is under way is not in its answer, which must
// not pass for the listing that was asked for.
func TestWhatIsWantedMeanwhileIsAskedForAgain(t *testing.T) {
	l := begin()
	l.beat(lists(nil, nil))
	l.now += 1500 * ms1
	l.Request(l.now)
	l.Step(l.now, Changed{Wants: []string{"mine"}})
	l.last.Beats++
	lists(nil, nil)(&l.last)
	l.Step(l.now, Answered{Began: l.now, Answer: l.last})
	if l.Due() > l.now {
		t.Errorf("the next heartbeat comes %v later, though something is wanted", l.Due()-l.now)
	}
	if r := l.Request(l.now); r.Seen != -1 {
		t.Errorf("it asks for what happened since %d; what it wants was not listed", r.Seen)
	}
}

// Among a thousand nodes each asks for lists in its turn, is not woken by what
// any of them does, and does not ask an overrun database for more.
func TestANodeOfACrowdAsksForLittle(t *testing.T) {
	l := begin("work")
	l.beat(lists(nil, nil, make([]Load, 1000)...))
	l.beat(func(a *Answer) { a.Listing, a.Head = nil, 9 })
	if r := l.Request(l.now); r.Seen != 1 {
		t.Errorf("asked for what happened since %d, want 1", r.Seen)
	}
	asked := 0
	for range 40 {
		switch l.Request(l.now).Seen {
		case listNow:
			t.Error("has to know everything, though nothing happened")
		case listInTurn:
			asked++
		}
		l.Step(l.now, Failed{})
	}
	if asked != 10 {
		t.Errorf("asked for %d lists in 40 heartbeats, want 10", asked)
	}
	l.beat()
	before := l.Due()
	l.Step(l.now, Hinted{})
	if l.Due() != before {
		t.Errorf("a hint makes a heartbeat due at %v, that was due at %v", l.Due(), before)
	}
	l.beat(lists(nil, []Lease{{Name: "x", Class: "work"}}, append(make([]Load, 1000), holds("a", 0, "work"))...))
	if r := l.Request(l.now); len(r.Claim) != 1 {
		t.Fatalf("takes %v, want x", r.Claim)
	}
	l.free = nil // so that nothing else asks
	if l.Step(l.now, Failed{}); l.Request(l.now).Seen != listNow {
		t.Error("does not ask what became of a lease that it asked for, and had no answer")
	}
}

// A host that has just died is still listed. What is free is dealt to those that
// beat, and the node looks when the silence of another one is long enough.
func TestNothingIsDealtToTheSilent(t *testing.T) {
	l := begin("x")
	peer := func(a *Answer) { a.Peers = []Peer{{Node: "b", Incarnation: 1, Beats: 1, TTL: 6 * sec}} }
	l.beat(peer)
	died := l.now
	l.now += 3 * sec
	free := []Lease{{Name: "l1", Class: "x"}, {Name: "l2", Class: "x"}}
	loads := []Load{holds("a", 2, "x"), holds("b", 0, "x")}
	l.beat(peer, lists(nil, free, loads...))
	if r := l.Request(l.now); len(r.Claim) > 0 {
		t.Fatalf("claims %v, which b would take, were it alive", r.Claim)
	}
	silent := died + 1500*ms1*9/4
	if due := l.Due(); due != silent {
		t.Fatalf("looks again at %v, want %v: b has beaten no more since %v", due, silent, died)
	}
	l.now = silent
	l.beat(peer, lists(nil, free, loads...))
	if r := l.Request(l.now); len(r.Claim) != 2 {
		t.Errorf("claims %v, want both: b is silent", r.Claim)
	}
	_, acts := l.beat(peer, lists([]Lease{{Name: "l1", Class: "x", Token: 1}, {Name: "l2", Class: "x", Token: 2}}, nil, loads...))
	if got := names(acts, Yield); len(got) > 0 {
		t.Errorf("gives %v away, to a node that is silent", got)
	}
	_, acts = l.beat(func(a *Answer) { a.Peers[0].Beats++ }, lists(nil, nil, loads...))
	if got := l.living(); !got[1].takes("x") {
		t.Errorf("b beats again, and takes nothing: %v, %v", got, acts)
	}
}

// Of a group that is kept apart the one that an operator placed here stays, and
// another one goes.
func TestWhatWasPlacedByHandDoesNotKeepItsGroupTogether(t *testing.T) {
	l := begin("x")
	twins := Wish{Apart: "twins"}
	held := []Lease{{Name: "l1", Class: "x", Token: 1, Prefer: "a", Wish: twins}, {Name: "l2", Class: "x", Token: 2, Wish: twins}}
	here, there := Load{Node: "a", Takes: []string{"x"}, Stays: 2, Apart: map[string]int{"twins": 2}}, holds("b", 0, "x")
	_, acts := l.beat(lists(held, nil, here, there))
	if got := names(acts, Yield); !slices.Equal(got, []string{"l2"}) {
		t.Fatalf("asked %v to yield, want l2", got)
	}
	if _, acts = l.beat(lists(held, nil, here, there)); len(acts) > 0 {
		t.Errorf("asked for %v too, though one is on its way", acts)
	}
}
