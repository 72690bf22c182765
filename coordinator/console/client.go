package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
)

// ErrNoAgent means that nobody answers where an agent's console should be.
var ErrNoAgent = errors.New("no agent answers")

// AnswerError is an answer whose code is not 2xx.
type AnswerError struct {
	Code int
	Body string
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Code, http.StatusText(e.Code), oneLine(e.Body))
}

// answerBytes bounds what is read of an answer.
const answerBytes = 64 << 20

// Ask gets a path, such as /status.json, from the agent at a Unix socket (a
// path with a separator in it) or at a TCP address (host:port). With an
// *AnswerError comes the body as well.
func Ask(ctx context.Context, socketOrAddr, path string) ([]byte, error) {
	body, err := ask(ctx, socketOrAddr, path)
	if err != nil {
		return body, fmt.Errorf("ask agent at %s for %s: %w", socketOrAddr, path, err)
	}
	return body, nil
}

func ask(ctx context.Context, at, path string) ([]byte, error) {
	network, host := "tcp", at
	if strings.ContainsRune(at, filepath.Separator) || strings.Contains(at, "/") {
		network, host = "unix", "localhost"
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, at)
			if err != nil && ctx.Err() == nil {
				err = fmt.Errorf("%w: %w", ErrNoAgent, err)
			}
			return conn, err
		},
	}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+path, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	got, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, answerBytes))
	if err != nil {
		return nil, err
	}
	if got.StatusCode/100 != 2 {
		return body, &AnswerError{got.StatusCode, string(body)}
	}
	return body, nil
}
