package table

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// Parse reads rows from the document that an agent serves, which is the one
// that Write makes. Texts that are times become times again.
func Parse(document []byte) (*Rows, error) {
	var doc struct {
		Schema string            `json:"schema"`
		AsOf   time.Time         `json:"as_of"`
		Rows   []json.RawMessage `json:"rows"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	view, _, _ := strings.Cut(strings.TrimPrefix(doc.Schema, "coterie."), "/")
	r := &Rows{View: view, At: doc.AsOf}
	for _, raw := range doc.Rows {
		var object map[string]any
		if err := json.Unmarshal(raw, &object); err != nil {
			return nil, fmt.Errorf("read a row of %s: %w", view, err)
		}
		if r.Columns == nil {
			names, err := members(raw)
			if err != nil {
				return nil, fmt.Errorf("read a row of %s: %w", view, err)
			}
			r.Columns = names
		}
		values := make([]any, len(r.Columns))
		for i, name := range r.Columns {
			values[i] = parsed(object[name])
		}
		r.Values = append(r.Values, values)
	}
	return r, nil
}

// members are the names in an object, in their order.
func members(object []byte) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var names []string
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		names = append(names, fmt.Sprint(name))
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func parsed(v any) any {
	switch v := v.(type) {
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t
		}
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	case []any:
		var list []string
		for _, item := range v {
			list = append(list, fmt.Sprint(item))
		}
		return list
	}
	return v
}
