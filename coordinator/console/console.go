package console

import (
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Console serves what Snapshot says. Set the fields, then Run it or use its Handler.
type Console struct {
	Listen    string   // TCP address such as 127.0.0.1:7480; empty for none
	Socket    string   // path of the Unix socket; empty for none
	CheckPath string   // another path of /check, such as /enportal/check.jsp; may be empty
	Hosts     []string // names of this host, besides localhost and the node's name, that requests on loopback may use

	Version  string          // of this program
	Snapshot func() Snapshot // called for every request: must be quick and never wait
	Metrics  *Metrics        // what is counted; nil shows only what snapshots say
	Log      *slog.Logger    // nil: silent

	// Local answers paths below /v1/ on the socket, and nowhere else; may be nil.
	// Who asks is told by Peer.
	Local http.Handler

	// Listening is told each address once requests are taken there; may be nil.
	Listening func(net.Addr)
}

// route is how one path is answered.
type route struct {
	http.Handler
	probe string // its name if load balancers ask it; those may name any host
}

// Handler answers requests. It keeps nothing of them and is safe for concurrent use.
func (c *Console) Handler() http.Handler {
	exact := map[string]route{
		"/":           c.told(c.page()),
		"/check":      c.probe("check", check),
		"/lb":         c.probe("lb", lb),
		"/live":       c.probe("live", live),
		"/ready":      c.probe("ready", ready),
		"/metrics":    {Handler: c.metrics()},
		"/version":    c.told(c.version),
		"/robots.txt": c.told(robots),
	}
	for _, name := range Lists() {
		exact["/"+name+".json"] = c.told(list(name))
	}
	exact["/status.json"] = c.told(status)
	if c.CheckPath != "" {
		if _, taken := exact[c.CheckPath]; !taken {
			exact[c.CheckPath] = exact["/check"]
		}
	}
	role := c.probe("role", role)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, ok := exact[r.URL.Path]
		if !ok && strings.HasPrefix(r.URL.Path, rolePrefix) {
			found, ok = role, true
		}
		if !ok {
			found = c.told(func(Snapshot, *http.Request) answer { return plain(http.StatusNotFound, "no such page") })
		}
		c.serve(w, r, found)
	})
}

// headers go with every answer.
var headers = [][2]string{
	{"Cache-Control", "no-store"},
	{"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Referrer-Policy", "no-referrer"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
}

const methods = "GET, HEAD, OPTIONS"

func (c *Console) serve(w http.ResponseWriter, r *http.Request, to route) {
	for _, h := range headers {
		w.Header().Set(h[0], h[1])
	}
	if c.Local != nil && strings.HasPrefix(r.URL.Path, "/v1/") && onSocket(r) {
		c.Local.ServeHTTP(w, r)
		return
	}
	if r.ContentLength != 0 {
		// A body means nothing here. Closing keeps a slow one from delaying the answer.
		w.Header().Set("Connection", "close")
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		w.Header().Set("Allow", methods)
		w = bodiless{w}
	default:
		w.Header().Set("Allow", methods)
		plain(http.StatusMethodNotAllowed, "this is for reading: "+methods).write(w)
		return
	}
	if to.probe == "" && !c.known(r) {
		plain(http.StatusMisdirectedRequest,
			"this address is for this host only; ask for localhost, an address, or a name that the console was given").write(w)
		return
	}
	to.ServeHTTP(w, r)
}

// bodiless is what OPTIONS writes to: probes want the code and no more.
type bodiless struct{ http.ResponseWriter }

func (b bodiless) WriteHeader(code int) {
	b.Header().Del("Content-Length")
	b.ResponseWriter.WriteHeader(code)
}

func (b bodiless) Write(p []byte) (int, error) { return len(p), nil }

// known says whether a request may be told what people read. On loopback the
// only reader from elsewhere is a browser that a foreign page made ask, under a
// name of that page; so there the name must be one of ours.
func (c *Console) known(r *http.Request) bool {
	if onSocket(r) {
		return true
	}
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if tcp, is := at.(*net.TCPAddr); ok && is && !tcp.IP.IsLoopback() {
		return true
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	switch {
	case host == "", host == "localhost", net.ParseIP(host) != nil:
		return true
	case slices.ContainsFunc(c.Hosts, func(h string) bool { return strings.EqualFold(h, host) }):
		return true
	}
	return strings.EqualFold(host, c.Snapshot().Node)
}

func onSocket(r *http.Request) bool {
	_, unix := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr)
	return unix
}
