package table

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func nodes() *Rows {
	return &Rows{
		View:    "nodes",
		Columns: []string{"name", "ready", "last_seen_at", "expires_in", "tags", "message", "detail", "leases_held"},
		At:      noon,
		Values: [][]any{
			{"app-a", true, noon.Add(-400 * time.Millisecond), 5600 * time.Millisecond, []string{"big", "dc:paris"}, "", nil, int64(3)},
			{"app-b", false, nil, nil, []string(nil), "kernel update, and <then> some more to say than fits", json.RawMessage(`{"b": 1, "a": [true]}`), int64(12)},
		},
	}
}

func sheet(width int) Sheet {
	return Sheet{Width: width, Fields: []Field{
		Column("NODE", "name"), Span("SEEN", "last_seen_at"), Number("LEASES", "leases_held"),
		Column("TAGS", "tags").AsWide(), Prose("MESSAGE", "message"),
	}}
}

func write(t *testing.T, r *Rows, f Format, s Sheet) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b, f, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEachFormatShowsTheSameRows(t *testing.T) {
	for format, want := range map[Format]string{
		Table: `
NODE   SEEN  LEASES  MESSAGE
app-a  0.4s       3  -
app-b     -      12  kernel update, and <t..
`,
		Wide: `
NODE   SEEN  LEASES  TAGS          MESSAGE
app-a  0.4s       3  big dc:paris  -
app-b     -      12  -             kernel update, and <then> some more to say than fits
`,
		JSONL: `
{"schema":"coterie.nodes/v1","name":"app-a","ready":true,"last_seen_at":"2026-11-20T11:59:59.6Z","expires_in":5.6,"tags":["big","dc:paris"],"message":"","detail":null,"leases_held":3}
{"schema":"coterie.nodes/v1","name":"app-b","ready":false,"last_seen_at":null,"expires_in":null,"tags":[],"message":"kernel update, and <then> some more to say than fits","detail":{"a":[true],"b":1},"leases_held":12}
`,
		CSV: `
name,ready,last_seen_at,expires_in,tags,message,detail,leases_held
app-a,true,2026-11-20T11:59:59.6Z,5.6,big dc:paris,,,3
app-b,false,,,,"kernel update, and <then> some more to say than fits","{""a"":[true],""b"":1}",12
`,
		YAML: `
schema: coterie.nodes/v1
as_of: "2026-11-20T12:00:00Z"
rows:
  - name: app-a
    ready: true
    last_seen_at: "2026-11-20T11:59:59.6Z"
    expires_in: 5.6
    tags:
      - big
      - dc:paris
    message: ""
    detail: null
    leases_held: 3
  - name: app-b
    ready: false
    last_seen_at: null
    expires_in: null
    tags: []
    message: kernel update, and <then> some more to say than fits
    detail:
      a:
        - true
      b: 1
    leases_held: 12
`,
	} {
		if diff := cmp.Diff(want[1:], write(t, nodes(), format, sheet(44))); diff != "" {
			t.Errorf("%s: %s", format, diff)
		}
	}
}

func TestJSONIsOneDocumentThatNamesItsSchema(t *testing.T) {
	var doc struct {
		Schema string
		AsOf   time.Time `json:"as_of"`
		Rows   []map[string]any
	}
	if err := json.Unmarshal([]byte(write(t, nodes(), JSON, Sheet{})), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Schema != "coterie.nodes/v1" || !doc.AsOf.Equal(noon) || len(doc.Rows) != 2 || doc.Rows[1]["leases_held"] != 12.0 {
		t.Errorf("got %+v", doc)
	}
	none := &Rows{View: "nodes"}
	if got, want := write(t, none, JSON, Sheet{}), "{\n  \"schema\": \"coterie.nodes/v1\",\n  \"rows\": []\n}\n"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestWideFieldsAppearWhereThereIsRoom(t *testing.T) {
	r := nodes()
	r.Values = r.Values[:1]
	if got := write(t, r, Table, sheet(45)); !strings.Contains(got, "dc:paris") {
		t.Errorf("in 45 columns:\n%s", got)
	}
	if got := write(t, r, Table, sheet(41)); strings.Contains(got, "dc:paris") {
		t.Errorf("in 41 columns:\n%s", got)
	}
	for width := 30; width < 100; width++ {
		for line := range strings.Lines(write(t, nodes(), Table, sheet(width))) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d characters in a width of %d: %s", n, width, line)
			}
		}
	}
}

func TestNoTextSteersTheTerminal(t *testing.T) {
	r := nodes()
	r.Values[0][5] = "red \x1b[31m, new\nline, C1 \u009b, turned \u202eround"
	got := write(t, r, Wide, sheet(0))
	if want := "red ?[31m, new line, C1 ?, turned ?round"; !strings.Contains(got, want) {
		t.Errorf("got %s", got)
	}
}

func TestColumnsCanBeChosen(t *testing.T) {
	kept, err := nodes().Select([]string{"leases_held", "name"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := write(t, kept, CSV, Sheet{}), "leases_held,name\n3,app-a\n12,app-b\n"; got != want {
		t.Errorf("got %s", got)
	}
	if _, err := nodes().Select([]string{"nam"}); err == nil || err.Error() != `nodes has no column "nam"` {
		t.Errorf("got %v", err)
	}
}

func TestDurationsHaveAtMostTwoUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0s", 12 * time.Millisecond: "12ms", 400 * time.Millisecond: "0.4s", 9999 * time.Millisecond: "9.9s", 10 * time.Second: "10s",
		41 * time.Second: "41s", 121 * time.Second: "2m 1s", 2 * time.Minute: "2m", 19*time.Minute + time.Second: "19m",
		3*time.Hour + 12*time.Minute: "3h 12m", 76 * time.Hour: "3d 4h", -time.Second: "-1.0s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v = %s, want %s", d, got, want)
		}
	}
	if got := Ago(noon.Add(41*time.Minute), noon); got != "in 41m" {
		t.Errorf("got %s", got)
	}
}

func TestIntervalsOfPostgreSQLAreRead(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"00:00:04.5": 4500 * time.Millisecond, "-00:00:01.25": -1250 * time.Millisecond, "1 day 02:03:04": day + 2*time.Hour + 3*time.Minute + 4*time.Second,
		"-1 days +00:00:01": -day + time.Second, "2 mons": 60 * day, "1 year 1 day": 366 * day, "00:00:00": 0, "100:00:00": 100 * time.Hour,
	} {
		if got, err := ParseInterval(text); err != nil || got != want {
			t.Errorf("%s = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"soon", "1", "1 fortnight", "00:01", "a:b:c"} {
		if d, err := ParseInterval(bad); err == nil {
			t.Errorf("%s = %v", bad, d)
		}
	}
}

func TestWhatIsWrittenAsJSONCanBeParsed(t *testing.T) {
	got, err := Parse([]byte(write(t, nodes(), JSON, Sheet{})))
	if err != nil {
		t.Fatal(err)
	}
	if want := write(t, nodes(), Wide, sheet(0)); write(t, got, Wide, sheet(0)) != want {
		t.Errorf("got\n%swant\n%s", write(t, got, Wide, sheet(0)), want)
	}
	if got.View != "nodes" || !got.At.Equal(noon) {
		t.Errorf("%s at %v", got.View, got.At)
	}
	if _, err := Parse([]byte("<html>")); err == nil {
		t.Error("a page is taken for rows")
	}
}
