package table

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// readAt is the column that tells when the rows were read. It is taken out.
const readAt = "read_at"

// Querier is a pool, a connection or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Read reads a view, or those rows of it that a condition on v names. The star
// is meant: whatever the view has is shown.
func Read(ctx context.Context, db Querier, view, condition string, args ...any) (*Rows, error) {
	from, err := db.QueryContext(ctx, "SELECT coterie.clock() AS "+readAt+", v.* FROM coterie."+view+" v "+condition, args...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", view, err)
	}
	defer from.Close()
	r, err := scan(view, from)
	if err == nil {
		err = from.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", view, err)
	}
	return r, nil
}

func scan(view string, from *sql.Rows) (*Rows, error) {
	columns, err := from.ColumnTypes()
	if err != nil {
		return nil, err
	}
	r := &Rows{View: view}
	for _, c := range columns {
		r.Columns = append(r.Columns, c.Name())
	}
	for from.Next() {
		raw := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range raw {
			into[i] = &raw[i]
		}
		if err := from.Scan(into...); err != nil {
			return nil, err
		}
		for i, c := range columns {
			if raw[i], err = value(raw[i], c.DatabaseTypeName()); err != nil {
				return nil, fmt.Errorf("column %s: %w", c.Name(), err)
			}
		}
		r.Values = append(r.Values, raw)
	}
	return r.cutReadAt(), nil
}

func (r *Rows) cutReadAt() *Rows {
	i := slices.Index(r.Columns, readAt)
	if i < 0 {
		return r
	}
	r.Columns = slices.Delete(r.Columns, i, i+1)
	for n, values := range r.Values {
		if at, ok := values[i].(time.Time); ok {
			r.At = at
		}
		r.Values[n] = slices.Delete(values, i, i+1)
	}
	return r
}

// value is what the driver gave, as one of the types that Rows has.
func value(v any, kind string) (any, error) {
	bytes, ok := v.([]byte)
	if !ok {
		return v, nil // nil, bool, int64, float64, string, time.Time
	}
	text := string(bytes)
	switch kind {
	case "INTERVAL":
		return ParseInterval(text)
	case "JSON", "JSONB":
		return json.RawMessage(text), nil
	case "NUMERIC":
		return strconv.ParseFloat(text, 64)
	case "_TEXT", "_NAME", "_VARCHAR":
		var list []string
		err := pq.Array(&list).Scan(bytes)
		return list, err
	}
	return text, nil
}

// ParseInterval reads an interval in PostgreSQL's own style: 1 year 2 mons -3 days +04:05:06.7.
// Years and months have no fixed length; they count as 365 and 30 days.
func ParseInterval(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	units := map[string]time.Duration{"year": 365 * day, "mon": 30 * day, "day": day}
	var total time.Duration
	words := strings.Fields(text)
	for i := 0; i < len(words); i++ {
		if strings.Contains(words[i], ":") {
			d, err := parseClock(words[i])
			if err != nil {
				return 0, fmt.Errorf("interval %q: %w", text, err)
			}
			total += d
			continue
		}
		n, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil || i+1 == len(words) {
			return 0, fmt.Errorf("interval %q is not understood", text)
		}
		i++
		unit, known := units[strings.TrimSuffix(words[i], "s")]
		if !known {
			return 0, fmt.Errorf("interval %q has the unit %s", text, words[i])
		}
		total += time.Duration(n) * unit
	}
	return total, nil
}

func parseClock(word string) (time.Duration, error) {
	sign := time.Duration(1)
	if strings.HasPrefix(word, "-") {
		sign = -1
	}
	parts := strings.Split(strings.TrimLeft(word, "+-"), ":")
	if len(parts) != 3 {
		return 0, fmt.Errorf("%q is not hours:minutes:seconds", word)
	}
	d, err := time.ParseDuration(parts[0] + "h" + parts[1] + "m" + parts[2] + "s")
	return sign * d, err
}
