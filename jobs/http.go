package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// HTTP is an action that sends a request. The run's job, slot and token go with
// it as headers, so that the application can refuse what a later run overtook.
type HTTP struct {
	Method  string // POST if empty
	URL     string
	Header  http.Header
	Body    string
	Expect  int           // the status that means success; any 2xx if 0
	Timeout time.Duration // none of its own if 0; the job's counts in any case
	Client  *http.Client  // http.DefaultClient if nil
}

// bodyLimit is how much of an answer is read; its end is kept with the run.
const bodyLimit = 1 << 20

// Do sends the request and reads the answer.
func (h HTTP) Do(ctx context.Context, r Run) (*Exit, error) {
	if h.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("no answer within %v", h.Timeout))
		defer cancel()
	}
	method := h.Method
	if method == "" {
		method = http.MethodPost
	}
	q, err := http.NewRequestWithContext(ctx, method, h.URL, strings.NewReader(h.Body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", withoutURL(err))
	}
	maps.Copy(q.Header, h.Header)
	q.Header.Set("Coterie-Job", r.Job)
	q.Header.Set("Coterie-Due-At", r.due())
	q.Header.Set("Coterie-Token", strconv.FormatInt(int64(r.Token), 10))
	q.Header.Set("Coterie-Attempt", strconv.Itoa(r.Attempt))
	client := h.Client
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(q)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, whyNot(ctx, err))
	}
	defer answer.Body.Close()
	if _, err := io.Copy(r.Output, io.LimitReader(answer.Body, bodyLimit)); err != nil {
		return nil, fmt.Errorf("read the answer: %w", whyNot(ctx, err))
	}
	switch {
	case h.Expect == 0 && answer.StatusCode/100 == 2, h.Expect == answer.StatusCode:
		return nil, nil
	case h.Expect == 0:
		return nil, fmt.Errorf("status %d, expected 2xx", answer.StatusCode)
	}
	return nil, fmt.Errorf("status %d, expected %d", answer.StatusCode, h.Expect)
}

func whyNot(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return withoutURL(err)
}

// withoutURL drops the address from an error: it may carry a key, and reasons
// are stored where everybody reads them.
func withoutURL(err error) error {
	var told *url.Error
	if errors.As(err, &told) {
		return told.Err
	}
	return err
}
