package table

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Member is a named value of a document.
type Member struct {
	Name  string
	Value any
}

// Document is an object whose members keep their order.
type Document []Member

// MarshalJSON writes the members in their order.
func (d Document) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, err
		}
		value, err := encode(m.Value)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", m.Name, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode is json.Marshal that leaves <, > and & alone: nobody reads this in HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// Write writes the document as JSON, as one line of it, or as YAML.
func (d Document) Write(w io.Writer, format Format) error {
	switch format {
	case JSONL:
		return writeJSON(w, d, "")
	case YAML:
		return writeYAML(w, d)
	}
	return writeJSON(w, d, "  ")
}

func writeJSON(w io.Writer, d Document, indent string) error {
	text, err := d.MarshalJSON()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if indent == "" {
		b.Write(text)
	} else if err := json.Indent(&b, text, "", indent); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

func writeYAML(w io.Writer, d Document) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(d); err != nil {
		return err
	}
	return e.Close()
}

// MarshalYAML writes the members in their order.
func (d Document) MarshalYAML() (any, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, m := range d {
		name, value := new(yaml.Node), new(yaml.Node)
		name.SetString(m.Name)
		if err := value.Encode(m.Value); err != nil {
			return nil, fmt.Errorf("write %s: %w", m.Name, err)
		}
		node.Content = append(node.Content, name, value)
	}
	return node, nil
}

func (r *Rows) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(r.Columns); err != nil {
		return err
	}
	for _, values := range r.Values {
		record := make([]string, len(values))
		for i, v := range values {
			text, err := csvCell(v)
			if err != nil {
				return err
			}
			record[i] = text
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func csvCell(v any) (string, error) {
	switch v := plain(v).(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []string:
		return strings.Join(v, " "), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case bool, int64:
		return fmt.Sprint(v), nil
	default:
		text, err := encode(v)
		return string(text), err
	}
}
