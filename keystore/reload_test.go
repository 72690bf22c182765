package keystore

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAManagerReloadsOrSaysWhyNot(t *testing.T) {
	strangers := 0
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { strangers++; io.WriteString(w, "OK") }))
	defer stranger.Close()
	release := make(chan struct{})
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, pass, _ := r.BasicAuth()
		switch {
		case user != "deployer" || pass != "s3cret":
			http.Error(w, "no", http.StatusUnauthorized)
		case r.URL.Path == "/ok":
			io.WriteString(w, "OK - Reloaded TLS configuration for all TLS virtual hosts")
		case r.URL.Path == "/fail":
			io.WriteString(w, "FAIL - Failed to reload TLS configuration\nat ...")
		case r.URL.Path == "/forbidden":
			http.Error(w, "no", http.StatusForbidden)
		case r.URL.Path == "/broken":
			http.Error(w, "java.io.IOException: keystore password was incorrect", http.StatusInternalServerError)
		case r.URL.Path == "/elsewhere":
			http.Redirect(w, r, stranger.URL, http.StatusFound)
		case r.URL.Path == "/endless":
			io.Copy(w, strings.NewReader(strings.Repeat("x", 1<<20)))
		case r.URL.Path == "/hangs":
			<-release
		}
	}))
	defer manager.Close()
	defer close(release)
	reload := func(path, user string) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return Manager{URL: manager.URL + path, User: user, Password: "s3cret"}.Reload(ctx)
	}
	if err := reload("/ok", "deployer"); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{
		"/fail": "FAIL - Failed", "/forbidden": "manager-script", "/broken": "password was incorrect", "/elsewhere": "not followed", "/endless": "xxx", "/hangs": "deadline", "/": "200 OK",
	} {
		if err := reload(path, "deployer"); !errors.Is(err, ErrReload) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := reload("/ok", "nobody"); !errors.Is(err, ErrReload) {
		t.Errorf("got %v", err)
	}
	if strangers > 0 {
		t.Error("the redirection was followed")
	}
	manager.CloseClientConnections()
	if err := (Manager{URL: "http://127.0.0.1:1/"}).Reload(t.Context()); !errors.Is(err, ErrReload) {
		t.Errorf("a server that is down: %v", err)
	}
}
