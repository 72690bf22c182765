package keyring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"
)

// Due says whether the active certificate is to be renewed now.
type Due struct {
	Now  bool
	Why  string        // not
	Wait time.Duration // before it is asked again
}

const beginRenewalSQL = `SELECT due, why, wait_s FROM coterie.renewal_begin($1, $2, $3, $4, $5::interval, $6::interval)`

// BeginRenewal asks whether the certificate is to be renewed, so long before it ends,
// and begins an attempt if so: the next one comes not before retry. It is fenced by the
// lease of the renewal.
func (s Self) BeginRenewal(ctx context.Context, token int64, before, retry time.Duration) (Due, error) {
	var answer struct {
		Due  bool
		Why  string
		Wait float64 `db:"wait_s"`
	}
	conn, err := s.DB.Connx(ctx)
	if err == nil {
		defer conn.Close()
		err = conn.GetContext(ctx, &answer, beginRenewalSQL, s.Node, s.Incarnation, token, s.Name, seconds(before), seconds(retry))
	}
	if err != nil {
		return Due{}, fmt.Errorf("begin the renewal of %s: %w", s.Name, err)
	}
	return Due{Now: answer.Due, Why: answer.Why, Wait: time.Duration(answer.Wait * float64(time.Second))}, nil
}

// ErrOver means that an attempt to renew is not this node's any more.
var ErrOver = errors.New("the attempt is over")

const stageRenewalSQL = `SELECT coterie.renewal_stage($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`

// StageRenewal stages what an attempt made, as Stage does.
func (s Self) StageRenewal(ctx context.Context, token int64, v Version) error {
	names, seals, keys := v.copies()
	var done bool
	err := call(ctx, s.DB, &done, stageRenewalSQL, s.Node, s.Incarnation, token, v.Name, v.Version, v.Format, v.Bytes, v.SHA256, v.Alias, v.Fingerprint,
		v.Subject, v.NotBefore, v.NotAfter, v.Content, names, seals, keys)
	switch {
	case err != nil:
		return staged(v, err)
	case !done:
		return ErrOver
	}
	return nil
}

// Renewed is how an attempt ended.
type Renewed struct {
	Version  int64 // that was staged; 0: none
	Activate bool
	Patience time.Duration // of the rollout
	Retry    time.Duration
	Error    string // empty: it is well
}

const endRenewalSQL = `SELECT coterie.renewal_end($1, $2, $3, $4, $5, $6, $7::interval, $8::interval, $9)`

// EndRenewal tells how an attempt ended.
func (s Self) EndRenewal(ctx context.Context, token int64, r Renewed) error {
	var done bool
	err := call(ctx, s.DB, &done, endRenewalSQL, s.Node, s.Incarnation, token, s.Name, orNull(r.Version), r.Activate, seconds(r.Patience), seconds(r.Retry), r.Error)
	switch {
	case err != nil:
		return fmt.Errorf("end the renewal of %s: %w", s.Name, err)
	case !done:
		return ErrOver
	}
	return nil
}

// seconds is a duration as PostgreSQL reads it.
func seconds(d time.Duration) string { return fmt.Sprintf("%f seconds", d.Seconds()) }

// copies are those of a version, as a statement takes them.
func (v Version) copies() (names, seals, keys any) {
	var n, s []string
	var k [][]byte
	for _, c := range v.Copies {
		n, s, k = append(n, c.Recipient), append(s, c.Seal), append(k, c.Key)
	}
	return pq.Array(n), pq.Array(s), pq.Array(k)
}

// staged is the error of a version that was not.
func staged(v Version, err error) error {
	if said, ok := errors.AsType[*pq.Error](err); ok && said.Code == "CT040" {
		return &ConflictError{Said: said.Message, Hint: said.Hint}
	}
	return fmt.Errorf("stage version %d of %s: %w", v.Version, v.Name, err)
}
