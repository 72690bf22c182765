package license

import (
	"context"
	_ "embed"
	"errors"
	"net/http"

	"github.com/coterie-ha/coterie/internal/answer"
)

//go:embed openapi.yaml
var openAPI []byte

// Handler answers the applications beside this node, below /v1/licenses/; peer
// tells the user id of a request's other end of the socket.
func (d *Desk) Handler(peer func(context.Context) (user int, ok bool)) http.Handler {
	mux := http.NewServeMux()
	with := func(do func(*http.Request, Use, int) (any, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			user, ok := peer(r.Context())
			if !ok {
				answer.JSON(w, http.StatusForbidden, problem{Error: "who asks cannot be known here"})
				return
			}
			q := r.URL.Query()
			u := Use{Pool: r.PathValue("pool"), Holder: r.PathValue("holder"), Session: q.Get("session"), Host: q.Get("host")}
			got, err := do(r, u, user)
			if err != nil {
				answer.JSON(w, status(err), refused(err))
				return
			}
			answer.JSON(w, http.StatusOK, got)
		}
	}
	mux.HandleFunc("PUT /v1/licenses/{pool}/holders/{holder}", with(d.put))
	mux.HandleFunc("GET /v1/licenses/{pool}/holders/{holder}", with(d.get))
	mux.HandleFunc("DELETE /v1/licenses/{pool}/holders/{holder}", with(d.delete))
	mux.HandleFunc("GET /v1/licenses/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		answer.YAML(w, openAPI)
	})
	return mux
}

// problem is why there is no seat.
type problem struct {
	Error  string `json:"error"`
	Reason string `json:"reason,omitempty"`
}

func refused(err error) problem {
	var denied *DeniedError
	if errors.As(err, &denied) {
		return problem{Error: err.Error(), Reason: denied.Reason}
	}
	return problem{Error: err.Error()}
}

// document is a seat.
type document struct {
	Schema string `json:"schema"`
	Pool   string `json:"pool"`
	Holder string `json:"holder"`
	Seat   int    `json:"seat,omitempty"`
	Kind   Kind   `json:"kind"`
}

func show(u Use, s Seat) document {
	return document{"coterie.seat/v1", u.Pool, u.Holder, s.Number, s.Kind}
}

func (d *Desk) put(r *http.Request, u Use, user int) (any, error) {
	s, err := d.Checkout(r.Context(), u, user)
	return show(u, s), err
}

func (d *Desk) get(_ *http.Request, u Use, user int) (any, error) {
	s, err := d.Look(u, user)
	return show(u, s), err
}

// delete says whether there was anything to give back: saying it twice is no error.
func (d *Desk) delete(r *http.Request, u Use, user int) (any, error) {
	type released struct {
		Schema   string `json:"schema"`
		Released bool   `json:"released"`
	}
	err := d.Checkin(r.Context(), u, user)
	if errors.Is(err, ErrNotHeld) {
		return released{"coterie.release/v1", false}, nil
	}
	return released{"coterie.release/v1", true}, err
}

func status(err error) int {
	switch {
	case errors.Is(err, ErrName):
		return http.StatusBadRequest
	case errors.Is(err, ErrForeign):
		return http.StatusForbidden
	case errors.Is(err, ErrNoPool), errors.Is(err, ErrNotHeld):
		return http.StatusNotFound
	case errors.Is(err, ErrDenied):
		return http.StatusConflict
	case errors.Is(err, ErrTooMany):
		return http.StatusTooManyRequests
	case errors.Is(err, ErrAway), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
