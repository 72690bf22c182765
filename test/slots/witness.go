package slots

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/jobs"
)

// grid is how often each job is due.
const grid = 100 * time.Millisecond

// witness is the file of starts.
type witness struct{ *os.File }

func openWitness(name string) (witness, error) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	return witness{f}, err
}

// saw writes down that somebody acts, before he does.
func (w witness) saw(who string, r jobs.Run) error {
	_, err := w.WriteString(line(who, r.Job, r.Due, int64(r.Token)))
	return err
}

func line(who, job string, due time.Time, token int64) string {
	return fmt.Sprintf("%s %d %d %s\n", job, due.UnixMilli(), token, who)
}

// Do makes the witness of one node an action.
func (w witness) by(node string) jobs.Action {
	return jobs.Func(func(_ context.Context, r jobs.Run) error { return w.saw(node, r) })
}

// key is a slot: its job's number and its place in the grid.
type key uint64

const placeBits = 40

func keyOf(job string, due time.Time) (key, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(job, "j"), 10, 64-placeBits)
	if err != nil {
		return 0, fmt.Errorf("job %q is none of ours: %w", job, err)
	}
	return key(n<<placeBits | uint64(due.UnixMilli()/grid.Milliseconds())), nil
}

func (k key) String() string {
	place := int64(k & (1<<placeBits - 1))
	return fmt.Sprintf("%s of %s", jobName(int(k>>placeBits)), time.UnixMilli(place*grid.Milliseconds()).UTC().Format("15:04:05.0"))
}

func jobName(n int) string { return fmt.Sprintf("j%07d", n) }

// readWitness reads all lines, sorted by slot.
func readWitness(r io.Reader) ([]key, error) {
	var keys []key
	in := bufio.NewScanner(r)
	for in.Scan() {
		word := strings.Fields(in.Text())
		if len(word) != 4 {
			return nil, fmt.Errorf("line %d of the witness is %q", len(keys)+1, in.Text())
		}
		ms, err := strconv.ParseInt(word[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d of the witness: %w", len(keys)+1, err)
		}
		k, err := keyOf(word[0], time.UnixMilli(ms))
		if err != nil {
			return nil, fmt.Errorf("line %d of the witness: %w", len(keys)+1, err)
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys, in.Err()
}

// slot is a row of coterie.run, as the judge needs it.
type slot struct {
	key
	ran  bool // it began
	well bool // it succeeded
}

// verdict is what the judge found.
type verdict struct {
	slots, starts int
	faults        []string // the first of each kind, with how many there are
}

// judge compares what was witnessed with the rows of the table, both sorted by slot.
func judge(seen []key, rows []slot) verdict {
	v := verdict{slots: len(rows), starts: len(seen)}
	var twice, unknown, unseen, doubled, holes []key
	for i := 1; i < len(seen); i++ {
		if seen[i] == seen[i-1] {
			twice = append(twice, seen[i])
		}
	}
	for _, k := range seen {
		if at, ok := slices.BinarySearchFunc(rows, k, func(s slot, k key) int { return cmp.Compare(s.key, k) }); !ok || !rows[at].ran {
			unknown = append(unknown, k)
		}
	}
	for i, row := range rows {
		if _, ok := slices.BinarySearch(seen, row.key); row.well && !ok {
			unseen = append(unseen, row.key)
		}
		if i == 0 || row.key>>placeBits != rows[i-1].key>>placeBits {
			continue
		}
		switch row.key - rows[i-1].key {
		case 0:
			doubled = append(doubled, row.key)
		case 1:
		default:
			holes = append(holes, rows[i-1].key+1)
		}
	}
	for _, f := range []struct {
		what string
		keys []key
	}{
		{"slots were started twice", twice},
		{"starts have no row that says so", unknown},
		{"successes were seen by nobody", unseen},
		{"slots have two rows", doubled},
		{"times slots have no row", holes},
	} {
		if len(f.keys) > 0 {
			v.faults = append(v.faults, fmt.Sprintf("%d %s; the first: %v", len(f.keys), f.what, f.keys[0]))
		}
	}
	return v
}
