// Package table shows rows to people and to programs.
//
// Rows are what a view of the database says, with whatever columns it has:
// nothing here knows any view. Programs get the columns under their own names
// (json, jsonl, yaml, csv), times in RFC 3339 UTC, durations in seconds, and a
// "schema" that names the view. People get a table of the fields that matter,
// with times told relative to when the rows were read, cut to the width of
// their terminal, and free of characters that would steer it.
package table

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// Format is a form of output.
type Format string

// The forms that every list can be had in.
const (
	Table Format = "table" // what matters, cut to the width
	Wide  Format = "wide"  // more fields, nothing cut
	JSON  Format = "json"  // one document
	JSONL Format = "jsonl" // one document per row
	YAML  Format = "yaml"
	CSV   Format = "csv"
)

// Formats are all of them.
func Formats() []Format { return []Format{Table, Wide, JSON, JSONL, YAML, CSV} }

// Rows are what a view says. A value is nil, a bool, int64, float64, string,
// []string, time.Time, time.Duration or json.RawMessage.
type Rows struct {
	View    string // its name, without the schema
	Columns []string
	Values  [][]any
	At      time.Time // when they were read, by the clock that the times in them are of
}

// Row is one of them.
type Row struct {
	rows   *Rows
	values []any
}

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.Values) }

// Row is the row of that number.
func (r *Rows) Row(i int) Row { return Row{r, r.Values[i]} }

// Select keeps the named columns, in that order. The error is a ColumnError.
func (r *Rows) Select(columns []string) (*Rows, error) {
	index := make([]int, len(columns))
	for i, name := range columns {
		index[i] = slices.Index(r.Columns, name)
		if index[i] < 0 {
			return nil, &ColumnError{Column: name, View: r.View, Columns: r.Columns}
		}
	}
	kept := &Rows{View: r.View, Columns: columns, At: r.At}
	for _, values := range r.Values {
		row := make([]any, len(index))
		for i, from := range index {
			row[i] = values[from]
		}
		kept.Values = append(kept.Values, row)
	}
	return kept, nil
}

// ColumnError is a column that a view does not have.
type ColumnError struct {
	Column, View string
	Columns      []string
}

func (e *ColumnError) Error() string { return fmt.Sprintf("%s has no column %q", e.View, e.Column) }

// At is when the row was read.
func (r Row) At() time.Time { return r.rows.At }

// Value is the value of a column, nil when there is no such column.
func (r Row) Value(column string) any {
	if i := slices.Index(r.rows.Columns, column); i >= 0 {
		return r.values[i]
	}
	return nil
}

// Text is the value of a column as a table shows it, "" for none.
func (r Row) Text(column string) string { return cell(r.Value(column), r.rows.At) }

// Int is a number of a column, 0 for none.
func (r Row) Int(column string) int64 {
	n, _ := r.Value(column).(int64)
	return n
}

// Bool is a truth of a column, false for none.
func (r Row) Bool(column string) bool {
	b, _ := r.Value(column).(bool)
	return b
}

// Time is a time of a column, zero for none.
func (r Row) Time(column string) time.Time {
	t, _ := r.Value(column).(time.Time)
	return t
}

// Duration is a duration of a column, and whether there is one.
func (r Row) Duration(column string) (time.Duration, bool) {
	d, ok := r.Value(column).(time.Duration)
	return d, ok
}

// Field is a column of the table that people see.
type Field struct {
	Title string
	Show  func(Row) string // "" is shown as "-"
	Right bool             // numbers
	Wide  bool             // only where there is room
	Text  bool             // free text, cut first
}

// Sheet says how people see a view.
type Sheet struct {
	Fields   []Field
	Indent   int
	Width    int  // of the terminal
	Headless bool // without titles, to continue a table
}

// Column is a field that shows a column as it is.
func Column(title, column string) Field {
	return Field{Title: title, Show: func(r Row) string { return r.Text(column) }}
}

// Number is a field of numbers.
func Number(title, column string) Field {
	f := Column(title, column)
	f.Right = true
	return f
}

// Span is a field that tells how much time lies between a column and the
// moment of reading.
func Span(title, column string) Field {
	return Field{Title: title, Right: true, Show: func(r Row) string {
		if t := r.Time(column); !t.IsZero() {
			return Between(t, r.At())
		}
		return ""
	}}
}

// Prose is a field of free text, cut where the line ends.
func Prose(title, column string) Field {
	return Column(title, column).AsProse()
}

// AsProse is the field, cut where there is too little room.
func (f Field) AsProse() Field {
	f.Text = true
	return f
}

// AsWide is the field, shown only where there is room.
func (f Field) AsWide() Field {
	f.Wide = true
	return f
}

// Write writes rows in a form; the sheet is for people's.
func (r *Rows) Write(w io.Writer, format Format, sheet Sheet) error {
	switch format {
	case JSON:
		return writeJSON(w, r.Document(), "  ")
	case JSONL:
		for i := range r.Values {
			if err := writeJSON(w, r.object(i, r.Schema()), ""); err != nil {
				return err
			}
		}
		return nil
	case YAML:
		return writeYAML(w, r.Document())
	case CSV:
		return r.writeCSV(w)
	case Wide:
		sheet.Width = 0
	}
	return sheet.write(w, r)
}

// Schema names the form of the documents of these rows.
func (r *Rows) Schema() string { return "coterie." + r.View + "/v1" }

// Object is a row as a document of its own.
func (r *Rows) Object(i int) Document { return append(r.head(), r.object(i, "")...) }

// List is the rows as a member of a larger document.
func (r *Rows) List() []Document {
	list := make([]Document, 0, r.Len())
	for i := range r.Values {
		list = append(list, r.object(i, ""))
	}
	return list
}

// Document is the rows with their schema and age, as an agent serves them too.
func (r *Rows) Document() Document {
	return append(r.head(), Member{"rows", r.List()})
}

func (r *Rows) head() Document {
	doc := Document{{"schema", r.Schema()}}
	if !r.At.IsZero() {
		doc = append(doc, Member{"as_of", plain(r.At)})
	}
	return doc
}

func (r *Rows) object(i int, schema string) Document {
	var doc Document
	if schema != "" {
		doc = append(doc, Member{"schema", schema})
	}
	for c, name := range r.Columns {
		doc = append(doc, Member{name, plain(r.Values[i][c])})
	}
	return doc
}

// plain is a value as programs see it.
func plain(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		return v.Round(time.Microsecond).Seconds()
	case []string:
		if v == nil {
			return []string{}
		}
	case json.RawMessage:
		var value any
		if err := json.Unmarshal(v, &value); err != nil {
			return string(v)
		}
		return value
	}
	return v
}
