package answer

import (
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAnAnswerIsOneLineOfJSONAlsoWhenItCannotBeWritten(t *testing.T) {
	for _, c := range []struct {
		document any
		status   int
		text     string
	}{
		{map[string]int{"seat": 1}, http.StatusOK, "{\"seat\":1}\n"},
		{math.NaN(), http.StatusInternalServerError, "{\"error\":\"the answer cannot be written\"}\n"},
	} {
		w := httptest.NewRecorder()
		JSON(w, http.StatusOK, c.document)
		if w.Code != c.status || w.Body.String() != c.text || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%v: %d %q %v", c.document, w.Code, w.Body, w.Header())
		}
	}
}
