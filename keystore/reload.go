package keystore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// ErrReload means that a server did not take its keystore up.
var ErrReload = errors.New("the server did not reload its keystore")

// Manager is Tomcat's manager application, which has the server read its keystore
// anew without closing a connection: /manager/text/sslReload.
type Manager struct {
	URL      string
	User     string
	Password Password
}

// most of an answer that is looked at.
const mostAnswer = 4 << 10

// Reload asks for it, and waits for the answer. A redirection is not followed: the
// password is for this server.
func (m Manager) Reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrReload, err)
	}
	if m.User != "" {
		ask.SetBasicAuth(m.User, string(m.Password))
	}
	client := http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
	}
	answer, err := client.Do(ask)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrReload, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrReload, err)
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: its manager answers %s; the user needs the role manager-script", ErrReload, answer.Status)
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return fmt.Errorf("%w: its manager sends elsewhere (%s), which is not followed", ErrReload, answer.Status)
	case answer.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), "OK"):
		return fmt.Errorf("%w: its manager answers %s: %.200q", ErrReload, answer.Status, firstLine(string(body)))
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}

// Serves waits until a server shows a certificate, and tells which one it showed
// last when it does not.
func Serves(ctx context.Context, address, host, fingerprint string) error {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	var last error
	for {
		chain, err := Shown(ctx, address, host)
		switch {
		case err == nil && chain[0].Fingerprint() == fingerprint:
			return nil
		case err == nil:
			last = &ShownError{Address: address, Fingerprint: chain[0].Fingerprint()}
		case last == nil || !over(ctx):
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-again.C:
		}
	}
}

// over says whether the time is over: a connection notices that a moment before the
// context does, and its error would hide what was seen before.
func over(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return ctx.Err() != nil || bounded && !time.Now().Before(deadline)
}

// ShownError says that a server shows another certificate than it should.
type ShownError struct{ Address, Fingerprint string }

func (e *ShownError) Error() string {
	return e.Address + " shows the certificate of SHA-256 " + e.Fingerprint
}
