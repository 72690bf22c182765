package jobs

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/user"
	"strconv"

	"github.com/coterie-ha/coterie/leases"
)

//go:embed openapi.yaml
var openAPI []byte

// Local answers the programs of runs, at the agent's Unix socket; peer tells the
// user id of a request's other end.
func (r *Runner) Local(peer func(*http.Request) (user int, ok bool)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/runs/{job}", func(w http.ResponseWriter, q *http.Request) {
		if run := r.ofPeer(w, q, peer); run != nil {
			reply(w, http.StatusOK, run.document())
		}
	})
	mux.HandleFunc("PUT /v1/runs/{job}", func(w http.ResponseWriter, q *http.Request) {
		run := r.ofPeer(w, q, peer)
		if run == nil {
			return
		}
		var p Progress
		body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, 2*lineMost))
		if err == nil {
			err = json.Unmarshal(body, &p)
		}
		if err == nil {
			err = p.check()
		}
		if err != nil {
			reply(w, http.StatusBadRequest, refusalDocument{err.Error()})
			return
		}
		run.reporter.report(p)
		reply(w, http.StatusOK, run.document())
	})
	mux.HandleFunc("GET /v1/runs.openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		write(w, openAPI)
	})
	return mux
}

type refusalDocument struct {
	Error string `json:"error"`
}

type runDocument struct {
	Schema     string       `json:"schema"`
	Job        string       `json:"job"`
	DueAt      string       `json:"due_at"`
	Token      leases.Token `json:"token"`
	Attempt    int          `json:"attempt"`
	Params     Params       `json:"params"`
	Checkpoint string       `json:"checkpoint,omitempty"`
}

func (w *watch) document() runDocument {
	checkpoint := w.reporter.checkpoint()
	if checkpoint.Text == "" {
		checkpoint = w.of.run.Resume
	}
	return runDocument{"coterie.run/v1", w.of.job, dueText(w.of.due), w.of.token, w.of.run.Attempt, w.of.run.Params, checkpoint.Text}
}

// ofPeer is the run that a request names by its job and token, if whoever asks
// may speak for it; otherwise it has answered.
func (r *Runner) ofPeer(w http.ResponseWriter, q *http.Request, peer func(*http.Request) (int, bool)) *watch {
	uid, ok := peer(q)
	if !ok {
		reply(w, http.StatusForbidden, refusalDocument{"who asks cannot be known here"})
		return nil
	}
	token, err := strconv.ParseInt(q.URL.Query().Get("token"), 10, 64)
	if err != nil || token <= 0 {
		reply(w, http.StatusBadRequest, refusalDocument{"token is the run's, from $COTERIE_TOKEN"})
		return nil
	}
	run := r.find(q.PathValue("job"), leases.Token(token))
	switch {
	case run == nil:
		reply(w, http.StatusConflict, refusalDocument{"no run of this job goes on here under this token: stop"})
	case !run.speaks(uid):
		reply(w, http.StatusForbidden, refusalDocument{"the run is another user's"})
	default:
		return run
	}
	return nil
}

// speaks tells whether a user of this host may speak for the run: root, the
// agent's own user, and the one that its program runs as.
func (w *watch) speaks(uid int) bool {
	if uid == 0 || uid == os.Geteuid() {
		return true
	}
	e, ok := w.of.action.(Exec)
	if !ok || e.User == "" {
		return false
	}
	who, err := user.LookupId(strconv.Itoa(uid))
	unknown := user.UnknownUserIdError(0)
	if errors.As(err, &unknown) {
		return e.User == strconv.Itoa(uid)
	}
	return err == nil && (e.User == who.Username || e.User == who.Uid)
}

func reply(w http.ResponseWriter, code int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		code, text = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	write(w, append(text, '\n'))
}

// write answers whoever asked, if it is still there.
func write(w http.ResponseWriter, text []byte) {
	if _, err := w.Write(text); err != nil {
		return // it has gone, and nobody else cares
	}
}
