package license

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Remembered is a use that was seated, as it is written down for the next process
// on this host: an agent that is started again cuts nobody who is at work.
type Remembered struct {
	Pool    string        `json:"pool"`
	Holder  string        `json:"holder"`
	Session string        `json:"session,omitempty"`
	Host    string        `json:"host,omitempty"`
	User    int           `json:"user"`
	Seat    int           `json:"seat,omitempty"`
	Kind    Kind          `json:"kind"`
	Touched time.Duration `json:"touched"` // when it was renewed, by the clock of this boot
	Until   time.Duration `json:"until"`   // when it has idled too long
}

// notebook is the file of what is remembered.
type notebook struct {
	Node string       `json:"node"`
	Boot string       `json:"boot"` // of the host: with it applications die, and the clock begins anew
	Uses []Remembered `json:"uses"`
}

// remember lists who has a seat. Seats of the node itself and those that a source
// shows are found again anyway, and where nobody idles nobody could be forgotten.
func (s *State) remember() (uses []Remembered) {
	for key, u := range s.uses {
		p := s.pools[key.Pool]
		if !u.wanted || !u.seated || u.seen || p.PerNode || p.Idle == 0 {
			continue
		}
		touched := time.Duration(u.touched.Load())
		uses = append(uses, Remembered{Pool: key.Pool, Holder: key.Holder, Session: key.Session, Host: key.Host,
			User: u.user, Seat: u.seat.Number, Kind: u.seat.Kind, Touched: touched, Until: touched + p.Idle})
	}
	return uses
}

// recalled takes in who had a seat. They are at work, as after the end of a session.
func (s *State) recalled(now time.Duration, uses []Remembered) {
	for _, r := range uses {
		key := Use{Pool: r.Pool, Holder: r.Holder, Session: r.Session, Host: r.Host}
		if r.Touched > now || now >= r.Until || s.uses[key] != nil || key.check() != nil {
			continue
		}
		u := &use{wanted: true, seated: true, how: opAgain, leave: opIn, user: r.User, seat: Seat{r.Seat, r.Kind}}
		u.touched.Store(int64(r.Touched))
		s.uses[key] = u
		s.push(key, u)
	}
}

// recall reads what the process before wrote down. The lock is held.
func (d *Desk) recall() {
	if d.Memory == "" || d.Boot == "" {
		return
	}
	text, err := os.ReadFile(d.Memory)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var n notebook
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	if err != nil {
		d.log().Warn("who had a seat before is not known", "err", err)
		return
	}
	if n.Node != d.Node || n.Boot != d.Boot {
		return // of a life whose applications are gone
	}
	d.state.Step(d.Now(), Recalled{n.Uses})
	if len(d.state.uses) > 0 {
		d.log().Info("at work since before this start", "uses", len(d.state.uses))
	}
}

// remember keeps a note of who has a seat. It need not survive the host.
func (d *Desk) remember() error {
	if d.Memory == "" || d.Boot == "" {
		return nil
	}
	d.mu.RLock()
	n := notebook{Node: d.Node, Boot: d.Boot, Uses: d.state.remember()}
	d.mu.RUnlock()
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.Memory+".new", text, 0o600); err != nil {
		return fmt.Errorf("note who has a seat: %w", err)
	}
	return os.Rename(d.Memory+".new", d.Memory)
}

// rememberEvery is how often who has a seat is noted, when that changed; renewals
// alone are noted less often.
const rememberEvery = 2 * time.Second

// noting notes who has a seat whenever that is due. Big notes are made rarely.
type noting struct {
	moves int64         // of the state when it was last done
	due   time.Duration // not before then
	late  time.Duration // and then also when only renewals came
	fails bool
}

func (d *Desk) note(n *noting) {
	now := d.Now()
	d.mu.RLock()
	moves, used, known := d.state.moves, len(d.state.uses) > 0, len(d.state.pools) > 0
	d.mu.RUnlock()
	if !known || now < n.due || moves == n.moves && (!used || now < n.late) {
		return
	}
	err := d.remember()
	if err != nil && !n.fails {
		d.log().Warn("who has a seat is not noted", "err", err)
	}
	n.fails, n.moves = err != nil, moves
	took := d.Now() - now
	n.due, n.late = d.Now()+max(rememberEvery, 50*took), d.Now()+max(15*rememberEvery, 50*took)
}
