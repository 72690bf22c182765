package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
)

// codeOf is the code that a keystore gets, empty when it is read.
func codeOf(data []byte) string {
	if _, err := keystore.Read(data, keystore.Passwords{Store: "changeit"}); err != nil {
		return asProblem(keystoreProblem("tomcat.keystore", err)).Code
	}
	return ""
}

// A file that is cut anywhere, and one in which any bit is another, has the code that
// is meant: what the password or the MAC proves to be another is told so, and what
// cannot even be taken apart is damaged.
func TestEachCutAndEachFlippedBitHasItsCode(t *testing.T) {
	for name, jks := range map[string]bool{"ossl-iter1.p12": false, "jks-trusted.ks": true, "jks-sealed.ks": true, "jceks-trust.ks": true, "jceks-secret.ks": true} {
		data, err := os.ReadFile(filepath.Join("../../keystore/testdata/files", name))
		if err != nil {
			t.Fatal(err)
		}
		for n := range data {
			want := "COT-902"
			switch {
			case n == 0, jks && n < 4:
				want = "COT-901" // nothing, or not enough to tell what it is
			case jks && n >= 32:
				want = "COT-903" // its digest is that of another
			}
			if got := codeOf(data[:n]); got != want {
				t.Errorf("%s cut to %d bytes: got %q, want %s", name, n, got, want)
			}
		}
		for i := range data {
			flipped := append([]byte{}, data...)
			flipped[i] ^= 1 << (i % 8)
			got := codeOf(flipped)
			switch {
			case jks && i < 4:
				if got != "COT-901" {
					t.Errorf("%s with byte %d flipped: got %q, want COT-901", name, i, got)
				}
			case jks, i >= 60 && i < len(data)-80: // in what is authenticated
				if got != "COT-903" {
					t.Errorf("%s with byte %d flipped: got %q, want COT-903", name, i, got)
				}
			case got == "" || got == "COT-901" || got == "COT-902" || got == "COT-903" || got == "COT-904" || got == "COT-905":
			default:
				t.Errorf("%s with byte %d flipped: got %q", name, i, got)
			}
		}
	}
}

// Whatever a manager does instead of reloading has one code.
func TestEachWayInWhichAServerDoesNotReloadHasItsCode(t *testing.T) {
	release := make(chan struct{})
	strangers := 0
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers++ }))
	defer stranger.Close()
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/401":
			http.Error(w, "who are you", http.StatusUnauthorized)
		case "/403":
			http.Error(w, "no", http.StatusForbidden)
		case "/404":
			http.NotFound(w, r)
		case "/500":
			http.Error(w, "java.io.IOException", http.StatusInternalServerError)
		case "/hangs":
			<-release
		case "/elsewhere":
			http.Redirect(w, r, stranger.URL, http.StatusFound)
		}
	}))
	defer manager.Close()
	defer close(release)
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	for _, url := range []string{"/401", "/403", "/404", "/500", "/hangs", "/elsewhere", "/says-nothing", down.URL} {
		if url[0] == '/' {
			url = manager.URL + url
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		_, err := uptake{manager: &keystore.Manager{URL: url}}.takeUp(ctx, true)
		cancel()
		if err == nil || asProblem(err).Code != "COT-922" {
			t.Errorf("%s: got %v, want COT-922", url, err)
		}
	}
	if strangers > 0 {
		t.Error("another host was asked")
	}
}
