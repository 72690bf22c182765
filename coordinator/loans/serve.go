package loans

import (
	"context"
	_ "embed"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/coterie-ha/coterie/internal/answer"
	"github.com/coterie-ha/coterie/leases"
)

//go:embed openapi.yaml
var openAPI []byte

// longestWait bounds how long one request may wait for a lease: ask again.
const longestWait = 8 * time.Second

// Handler answers local processes; peer tells the user id of a request's other
// end of the socket, or that it cannot be known.
func (d *Desk) Handler(peer func(context.Context) (user int, ok bool)) http.Handler {
	mux := http.NewServeMux()
	with := func(do func(*http.Request, string, int) (any, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			user, ok := peer(r.Context())
			if !ok {
				answer.JSON(w, http.StatusForbidden, problem{Error: "who asks cannot be known here"})
				return
			}
			got, err := do(r, r.PathValue("name"), user)
			if err != nil {
				answer.JSON(w, status(err), problem{Error: err.Error()})
				return
			}
			answer.JSON(w, http.StatusOK, got)
		}
	}
	mux.HandleFunc("PUT /v1/leases/{name}", with(d.put))
	mux.HandleFunc("GET /v1/leases/{name}", with(d.get))
	mux.HandleFunc("DELETE /v1/leases/{name}", with(d.delete))
	mux.HandleFunc("GET /v1/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		answer.YAML(w, openAPI)
	})
	return mux
}

type problem struct {
	Error string `json:"error"`
}

type document struct {
	Schema    string       `json:"schema"`
	Lease     string       `json:"lease"`
	Token     leases.Token `json:"token"`
	ExpiresIn float64      `json:"expires_in"` // seconds
}

func show(l Loan) document {
	return document{"coterie.loan/v1", l.Lease, l.Token, l.ExpiresIn.Seconds()}
}

func (d *Desk) put(r *http.Request, name string, user int) (any, error) {
	token, err := tokenOf(r)
	if err != nil {
		return nil, err
	}
	if token != 0 {
		l, err := d.Keep(name, user, token)
		return show(l), err
	}
	ttl, err := durationOf(r, "ttl", 30*time.Second)
	if err != nil {
		return nil, err
	}
	wait, err := durationOf(r, "wait", 2*time.Second)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(wait, longestWait))
	defer cancel()
	l, err := d.Acquire(ctx, name, user, ttl)
	return show(l), err
}

func (d *Desk) get(r *http.Request, name string, user int) (any, error) {
	token, err := tokenOf(r)
	if err != nil {
		return nil, err
	}
	l, err := d.Look(name, user, token)
	return show(l), err
}

func (d *Desk) delete(r *http.Request, name string, user int) (any, error) {
	token, err := tokenOf(r)
	if err != nil {
		return nil, err
	}
	if token == 0 {
		return nil, badRequest("?token= says which loan is given back")
	}
	return struct{}{}, d.Release(name, user, token)
}

// badRequest is a request that makes no sense.
type badRequest string

func (b badRequest) Error() string { return string(b) }

func tokenOf(r *http.Request) (leases.Token, error) {
	text := r.URL.Query().Get("token")
	if text == "" {
		return 0, nil
	}
	token, err := strconv.ParseInt(text, 10, 64)
	if err != nil || token <= 0 {
		return 0, badRequest("token is a positive number")
	}
	return leases.Token(token), nil
}

func durationOf(r *http.Request, name string, otherwise time.Duration) (time.Duration, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, badRequest(name + " is a time such as 30s")
	}
	return d, nil
}

func status(err error) int {
	var bad badRequest
	switch {
	case errors.As(err, &bad), errors.Is(err, ErrName):
		return http.StatusBadRequest
	case errors.Is(err, ErrForeign):
		return http.StatusForbidden
	case errors.Is(err, ErrHeld), errors.Is(err, ErrStale), errors.Is(err, ErrClosing):
		return http.StatusConflict
	case errors.Is(err, ErrTooMany):
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}
