//go:build linux

package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/sql/schema"
)

// Witness is what a job's program does: it bears witness of its own life in a
// file that all nodes share, and makes effects in an application's table, each
// in a transaction that asserts the lease first.
type Witness struct {
	For  time.Duration // how long it lives, unless it is killed
	Step time.Duration // between two testimonies
	Hold time.Duration // how long each transaction stays open after the assertion
}

// Deed is what a witness testifies.
type Deed string

const (
	Began    Deed = "began"    // it starts
	Acted    Deed = "acted"    // it is alive
	Accepted Deed = "accepted" // its effect was committed
	Refused  Deed = "refused"  // assert_lease raised CT001
	Unknown  Deed = "unknown"  // the transaction failed in another way
	Ended    Deed = "ended"    // it ends by itself
)

// Testimony is one line of the witness file. Times are of the machine's
// monotonic clock, in nanoseconds.
type Testimony struct {
	Deed  Deed      `json:"deed"`
	Job   string    `json:"job"`
	Node  string    `json:"node"`
	Due   time.Time `json:"due"`
	Token int64     `json:"token"`
	PID   int       `json:"pid"`
	From  int64     `json:"from"` // when the deed began
	At    int64     `json:"at"`   // when it was done
}

const (
	witnessEnv  = "TRIAL_WITNESS" // as JSON
	fileEnv     = "TRIAL_FILE"
	dsnEnv      = "TRIAL_DSN"
	application = "application"
)

// WitnessAction makes what witnesses need, and returns an action named witness
// for the configuration of a node.
func (c *Cluster) WitnessAction(w Witness) string {
	c.t.Helper()
	return c.WitnessActions(map[string]Witness{"witness": w})
}

// WitnessActions is for several kinds of witnesses, by the names of their actions.
func (c *Cluster) WitnessActions(kinds map[string]Witness) string {
	c.t.Helper()
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	c.makeApplication()
	var text strings.Builder
	text.WriteString("actions:\n")
	for name, w := range kinds {
		env := []string{witnessEnv + "=" + c.json(w), fileEnv + "=" + c.witnessFile(), dsnEnv + "=" + c.DSN(application)}
		// JSON is YAML.
		text.WriteString(fmt.Sprintf("  - name: %s\n    command: %s\n    env: %s\n", name, c.json([]string{self}), c.json(env)))
	}
	return text.String()
}

func (c *Cluster) json(v any) string {
	c.t.Helper()
	doc, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(doc)
}

func (c *Cluster) witnessFile() string { return filepath.Join(c.Dir, "witness") }

// makeApplication makes the table that jobs act on, and who owns it.
func (c *Cluster) makeApplication() {
	c.Exec(`DO $$ BEGIN CREATE ROLE ` + application + ` LOGIN IN ROLE coterie_agent; EXCEPTION WHEN duplicate_object THEN NULL; END $$`)
	c.Exec(`CREATE TABLE IF NOT EXISTS effect (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		job text NOT NULL, due_at timestamptz NOT NULL, token bigint NOT NULL, node text NOT NULL, pid int NOT NULL)`)
	c.Exec(`GRANT SELECT, INSERT ON effect TO ` + application)
}

// Testimonies reads the witness file.
func (c *Cluster) Testimonies() []Testimony {
	c.t.Helper()
	f, err := os.Open(c.witnessFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	var all []Testimony
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var one Testimony
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			c.t.Fatalf("witness file: %q: %v", lines.Text(), err)
		}
		all = append(all, one)
	}
	if err := lines.Err(); err != nil {
		c.t.Fatal(err)
	}
	return all
}

// witness is the program at work.
type witness struct {
	Witness
	Testimony
	began int64
	file  *os.File
	db    *sqlx.DB
}

// testify is the program's main.
func testify() int {
	w, err := call()
	if err == nil {
		err = w.live(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// call makes a witness of what the environment says.
func call() (*witness, error) {
	w := &witness{Testimony: Testimony{Job: os.Getenv("COTERIE_JOB"), Node: os.Getenv("COTERIE_NODE"), PID: os.Getpid()}, began: Monotonic()}
	var err error
	if err = json.Unmarshal([]byte(os.Getenv(witnessEnv)), &w.Witness); err != nil {
		return nil, err
	}
	if w.Token, err = strconv.ParseInt(os.Getenv("COTERIE_TOKEN"), 10, 64); err != nil {
		return nil, err
	}
	if w.Due, err = time.Parse(time.RFC3339Nano, os.Getenv("COTERIE_DUE_AT")); err != nil {
		return nil, err
	}
	// One write of one line each: the kernel keeps lines of several processes apart.
	if w.file, err = os.OpenFile(os.Getenv(fileEnv), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *witness) live(ctx context.Context) error {
	signal.Ignore(syscall.SIGTERM) // the worst kind of program: it must be killed
	if err := w.say(Began, w.began); err != nil {
		return err
	}
	var err error
	if w.db, err = schema.Pool(schema.Options{DSN: os.Getenv(dsnEnv), MaxConns: 1}); err != nil {
		return err
	}
	for until := w.began + int64(w.For); Monotonic() < until; {
		if err := w.step(ctx); err != nil {
			return err
		}
	}
	return w.say(Ended, Monotonic())
}

func (w *witness) say(d Deed, from int64) error {
	w.Deed, w.From, w.At = d, from, Monotonic()
	line, err := json.Marshal(w.Testimony)
	if err != nil {
		return err
	}
	_, err = w.file.Write(append(line, '\n'))
	return err
}

// step says that the witness lives, and makes one effect.
func (w *witness) step(ctx context.Context) error {
	if err := w.say(Acted, Monotonic()); err != nil {
		return err
	}
	time.Sleep(w.Step)
	if w.Hold == 0 {
		return nil
	}
	from := Monotonic()
	deed := Accepted
	if err := w.effect(ctx); err != nil {
		deed = Unknown
		if said := new(pq.Error); errors.As(err, &said) && said.Code == "CT001" {
			deed = Refused
		}
	}
	return w.say(deed, from)
}

func (w *witness) effect(ctx context.Context) error {
	tx, err := w.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // says only, at worst, that the commit came first
	if _, err := tx.ExecContext(ctx, `SELECT coterie.assert_lease($1, $2)`, "job/"+w.Job, w.Token); err != nil {
		return err
	}
	if err := w.say(Acted, Monotonic()); err != nil {
		return err
	}
	time.Sleep(w.Hold)
	_, err = tx.ExecContext(ctx, `INSERT INTO effect (job, due_at, token, node, pid) VALUES ($1, $2, $3, $4, $5)`,
		w.Job, w.Due, w.Token, w.Node, w.PID)
	if err != nil {
		return err
	}
	return tx.Commit()
}
