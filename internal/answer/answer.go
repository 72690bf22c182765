// Package answer writes what the agent's socket answers to local applications:
// JSON, one document to a line. What cannot be written any more is nobody's loss,
// since whoever asked has gone.
package answer

import (
	"encoding/json"
	"net/http"
)

// JSON answers with a status and a document.
func JSON(w http.ResponseWriter, status int, document any) {
	text, err := json.Marshal(document)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	write(w, append(text, '\n'))
}

// YAML answers with a text that is YAML, such as a description of what can be asked.
func YAML(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", "application/yaml")
	write(w, text)
}

func write(w http.ResponseWriter, text []byte) {
	if _, err := w.Write(text); err != nil {
		return // it has gone, and nobody else cares
	}
}
