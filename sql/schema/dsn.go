package schema

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// render writes a configuration as the connection string that lib/pq's
// listener wants. It goes to lib/pq and nowhere else: the password is in it.
func render(cfg pq.Config) string {
	// The service file was read already, and would win over what it is not
	// meant to: our own settings.
	words := map[string]string{"service": ""}
	v := reflect.ValueOf(cfg)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("postgres")
		if name == "" || name == "-" || name == "service" {
			continue
		}
		if text, set := word(v.Field(i)); set {
			words[name] = text
		}
	}
	maps.Copy(words, cfg.Runtime)
	if len(cfg.Multi) > 0 {
		renderHosts(cfg, words)
	}
	var b strings.Builder
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, name := range slices.Sorted(maps.Keys(words)) {
		b.WriteString(name + "='" + quote.Replace(words[name]) + "' ")
	}
	return b.String()
}

// word is a field as lib/pq reads it back, and whether it says anything.
func word(f reflect.Value) (text string, set bool) {
	switch v := f.Interface().(type) {
	case bool:
		if v {
			return "yes", true
		}
		return "no", true
	case uint16:
		return strconv.Itoa(int(v)), v != 0
	case netip.Addr:
		return v.String(), v.IsValid()
	case time.Duration: // whole seconds, so a shorter limit becomes one
		return strconv.Itoa(int((v + time.Second - 1) / time.Second)), v > 0
	}
	return f.String(), f.String() != ""
}

func renderHosts(cfg pq.Config, words map[string]string) {
	var names, addresses, ports []string
	for _, h := range hosts(cfg) {
		names = append(names, h.Host)
		ports = append(ports, strconv.Itoa(int(h.Port)))
		addresses = append(addresses, "")
		if h.Hostaddr.IsValid() {
			addresses[len(addresses)-1] = h.Hostaddr.String()
		}
	}
	words["host"] = strings.Join(names, ",")
	words["port"] = strings.Join(ports, ",")
	if cfg.Hostaddr.IsValid() {
		words["hostaddr"] = strings.Join(addresses, ",")
	}
}
