package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	pathpkg "path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Hook tells somebody what became of runs, by a program or a request. Which, the
// node's own configuration says.
type Hook struct {
	Name    string
	On      []string // kinds of notices; all if empty
	Jobs    []string // names or patterns of jobs; all if empty
	Action  Action   // Exec or HTTP
	Timeout time.Duration
}

// wants tells whether a hook is for a notice.
func (h Hook) wants(n notice) bool {
	if len(h.On) > 0 && !slices.Contains(h.On, n.Kind) {
		return false
	}
	return len(h.Jobs) == 0 || slices.ContainsFunc(h.Jobs, func(pattern string) bool {
		fits, err := pathpkg.Match(pattern, n.Job)
		return err == nil && fits
	})
}

// notice is something that somebody should know of a job.
type notice struct {
	ID      int64          `json:"id"`
	At      time.Time      `json:"at"`
	Job     string         `json:"job"`
	Due     time.Time      `db:"due_at" json:"due_at"`
	Attempt int            `json:"attempt"`
	Kind    string         `json:"kind"`
	Node    *string        `json:"node"`
	Times   int            `json:"times"`
	Text    string         `json:"text"`
	Told    pq.StringArray `json:"-"`
}

const takeNoticesSQL = `SELECT id, at, job, due_at, attempt, kind, node, times, text, told FROM coterie.notice_take($1, $2, 10)`

// Notify has hooks tell what they have not told yet. Each notice is with one node
// of the cluster at a time; what does not work is tried again later.
func (r *Runner) Notify(ctx context.Context, incarnation int64, hooks []Hook) error {
	var list []notice
	err := on(ctx, r.DB, func(c *sqlx.Conn) error { return c.SelectContext(ctx, &list, takeNoticesSQL, r.Node, incarnation) })
	if err != nil {
		return fmt.Errorf("take notices: %w", err)
	}
	for _, n := range list {
		told, wrong := r.tell(ctx, hooks, n)
		problem := ""
		if wrong != nil {
			r.log().Warn("a hook did not work", "job", n.Job, "kind", n.Kind, "err", wrong)
			problem = oneLine(wrong.Error(), reasonSize)
		}
		err := r.insist(ctx, func() error {
			_, err := ask[bool](ctx, r.DB, `SELECT coterie.notice_told($1, $2, $3, $4, $5)`, n.ID, r.Node, incarnation, told, problem)
			return err
		})
		if err != nil {
			return fmt.Errorf("record that a notice was told: %w", err)
		}
	}
	return nil
}

// tell has all hooks tell a notice that want to and have not.
func (r *Runner) tell(ctx context.Context, hooks []Hook, n notice) (told pq.StringArray, err error) {
	told = append(pq.StringArray{}, n.Told...)
	for _, h := range hooks {
		if !h.wants(n) || slices.Contains(told, h.Name) {
			continue
		}
		if bad := h.tell(ctx, r.Node, n); bad != nil {
			err = errors.Join(err, fmt.Errorf("hook %s: %w", h.Name, bad))
			continue
		}
		told = append(told, h.Name)
	}
	return told, err
}

func (h Hook) tell(ctx context.Context, node string, n notice) error {
	body, err := json.Marshal(struct {
		Schema string `json:"schema"`
		Sender string `json:"sender"`
		notice
	}{"coterie.notice/v1", node, n})
	if err != nil {
		return err
	}
	return h.Say(ctx, Run{Job: n.Job, Due: n.Due, Attempt: n.Attempt, Node: node}, fmt.Sprintf("%s#%d", h.Name, n.ID), body, []string{
		"COTERIE_NOTICE=" + n.Kind, "COTERIE_NOTICE_ID=" + strconv.FormatInt(n.ID, 10), "COTERIE_NOTICE_TEXT=" + n.Text,
		"COTERIE_NOTICE_TIMES=" + strconv.Itoa(n.Times), "COTERIE_NOTICE_JSON=" + string(bytes.TrimSpace(body)),
	})
}

// Say sends a body by the hook's request, or starts its program with an environment.
// id tells this saying from others. The error ends with what the program said last.
func (h Hook) Say(ctx context.Context, run Run, id string, body []byte, env []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("it took longer than %v", h.Timeout))
	defer cancel()
	var said tail
	run.Output = &said
	action := h.Action
	switch a := action.(type) {
	case HTTP:
		a.Body, a.Header = string(body), a.Header.Clone()
		if a.Header == nil {
			a.Header = http.Header{}
		}
		a.Header.Set("Content-Type", "application/json")
		action = a
	case Exec:
		a.Env = slices.Concat(a.Env, env)
		a.ID = "hook-" + id
		action = a
	}
	if _, err := do(ctx, action, run); err != nil {
		if last := said.String(); last != "" {
			lines := strings.Split(last, "\n")
			return fmt.Errorf("%w: %s", err, lines[len(lines)-1])
		}
		return err
	}
	return nil
}
