package jobs

import (
	"bytes"
	"context"
	"encoding/json"
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
// Values of parameters stand in the address and the body as {NAME}.
//
// An application that works on after it has answered says so by a status that is
// expected and an answer that is neither success nor failure; then it is asked
// again, at the Location that it named, until it is.
type HTTP struct {
	Method  string // POST if empty
	URL     string
	Header  http.Header
	Body    string
	Expect  int           // the status that means success; any 2xx if 0
	Timeout time.Duration // of one request; none of its own if 0: the job's counts in any case
	Client  *http.Client  // http.DefaultClient if nil
	Takes   []Param

	// What the answer says, if it is a JSON object. A field inside another is
	// written OUTER.INNER.
	Success  string        // FIELD=VALUE that means success
	Failure  string        // FIELD=VALUE that means failure
	Progress string        // field that has the percentage
	Message  string        // field that says what it does
	Poll     time.Duration // how often it is asked again; 0: never
}

// bodyLimit is how much of an answer is read; its end is kept with the run.
const bodyLimit = 1 << 20

// Do sends the request and reads the answer.
func (h HTTP) Do(ctx context.Context, r Run) (*Exit, error) {
	values, err := fill(h.Takes, r.Params)
	if err != nil {
		return nil, err
	}
	method := h.Method
	if method == "" {
		method = http.MethodPost
	}
	q, err := http.NewRequestWithContext(ctx, method, values.expand(h.URL, url.QueryEscape), strings.NewReader(values.expand(h.Body, inJSON)))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", withoutURL(err))
	}
	a, err := h.send(q, r)
	if err != nil {
		return nil, err
	}
	if wrong := h.unexpected(a.status); wrong != nil {
		return nil, wrong
	}
	for {
		done, err := h.judge(a, r)
		if done || err != nil {
			return nil, err
		}
		if err := pause(ctx, h.Poll); err != nil {
			return nil, fmt.Errorf("wait for its end: %w", err)
		}
		if a, err = h.again(ctx, q.URL, a, r); err != nil {
			return nil, err
		}
	}
}

// answer is what a request was answered.
type answer struct {
	status   int
	location string
	body     []byte
}

// send sends a request and keeps what was answered.
func (h HTTP) send(q *http.Request, r Run) (answer, error) {
	ctx := q.Context()
	if h.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("no answer within %v", h.Timeout))
		defer cancel()
		q = q.WithContext(ctx)
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
	said, err := client.Do(q)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", q.Method, whyNot(ctx, err))
	}
	defer said.Body.Close()
	var body bytes.Buffer
	if _, err := io.Copy(io.MultiWriter(&body, r.Output), io.LimitReader(said.Body, bodyLimit)); err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", whyNot(ctx, err))
	}
	return answer{said.StatusCode, said.Header.Get("Location"), body.Bytes()}, nil
}

func (h HTTP) unexpected(status int) error {
	switch {
	case h.Expect == 0 && status/100 == 2, h.Expect == status:
		return nil
	case h.Expect == 0:
		return fmt.Errorf("status %d, expected 2xx", status)
	}
	return fmt.Errorf("status %d, expected %d", status, h.Expect)
}

// judge reports what an answer says of the progress, and tells whether it is the end.
func (h HTTP) judge(a answer, r Run) (done bool, err error) {
	if h.Success == "" && h.Failure == "" && h.Progress == "" && h.Message == "" {
		return true, nil
	}
	var facts map[string]any
	if err := json.Unmarshal(a.body, &facts); err != nil {
		return false, fmt.Errorf("the answer is no JSON object: %w", err)
	}
	h.report(facts, r)
	for _, want := range []struct {
		rule string
		good bool
	}{{h.Failure, false}, {h.Success, true}} {
		name, value, _ := strings.Cut(want.rule, "=")
		if got, ok := fieldOf(facts, name); want.rule == "" || !ok || got != value {
			continue
		}
		if want.good {
			return true, nil
		}
		return false, fmt.Errorf("the application says %s%s", want.rule, h.because(facts))
	}
	if h.Poll > 0 && h.Success+h.Failure != "" {
		return false, nil
	}
	if h.Success != "" {
		name, _, _ := strings.Cut(h.Success, "=")
		got, _ := fieldOf(facts, name)
		return false, fmt.Errorf("the application says %s=%s, expected %s%s", name, oneLine(got, 100), h.Success, h.because(facts))
	}
	return true, nil
}

func (h HTTP) because(facts map[string]any) string {
	if text, ok := fieldOf(facts, h.Message); ok && text != "" {
		return ": " + oneLine(text, 200)
	}
	return ""
}

func (h HTTP) report(facts map[string]any, r Run) {
	var p Progress
	if text, ok := fieldOf(facts, h.Progress); ok {
		if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 && n <= 100 {
			whole := int(n)
			p.Percent = &whole
		}
	}
	if text, ok := fieldOf(facts, h.Message); ok {
		p.Message = &text
	}
	if r.Report != nil && p != (Progress{}) {
		r.Report(p)
	}
}

// again asks how it goes: at the place that the answer named, on the same server,
// or else at the address of the request.
func (h HTTP) again(ctx context.Context, first *url.URL, before answer, r Run) (answer, error) {
	at := first
	if before.location != "" {
		next, err := first.Parse(before.location)
		if err != nil || next.Scheme != first.Scheme || next.Host != first.Host {
			return answer{}, errors.New("the answer names a place on another server")
		}
		at = next
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return answer{}, fmt.Errorf("make the request: %w", withoutURL(err))
	}
	a, err := h.send(q, r)
	if err == nil && a.status/100 != 2 {
		err = fmt.Errorf("status %d when asked again", a.status)
	}
	if a.location == "" {
		a.location = before.location
	}
	return a, err
}

// fieldOf is a field of a JSON object as text.
func fieldOf(facts map[string]any, path string) (string, bool) {
	var value any = facts
	for name := range strings.SplitSeq(path, ".") {
		inner, ok := value.(map[string]any)
		if !ok {
			return "", false
		}
		if value, ok = inner[name]; !ok {
			return "", false
		}
	}
	if n, ok := value.(float64); ok {
		return strconv.FormatFloat(n, 'f', -1, 64), true
	}
	if value == nil {
		return "", true
	}
	return fmt.Sprint(value), true
}

// inJSON is a value as it may stand in a text of JSON.
func inJSON(value string) string {
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text[1 : len(text)-1])
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
