package keystore

import (
	"crypto/sha1"
	"runtime/metrics"
	"testing"
)

// Each fuzz test looks behind what authenticates a file, since chance never gets
// past it. What is read is written and read again, and must be the same. Rounds are
// few, so that there are many executions.

// mostFuzzed is what one file may cost in memory, whatever is in it.
const mostFuzzed = 64 << 20

// within fails when reading one file allocates more than that in all. With -parallel 1
// nobody else allocates meanwhile.
func within(t *testing.T, read func()) {
	t.Helper()
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	read()
	metrics.Read(sample)
	if got := sample[0].Value.Uint64() - before; got > mostFuzzed {
		t.Fatalf("allocated %d MiB", got>>20)
	}
}

func fuzzBudget() *budget { return &budget{rounds: 1_500, entries: 100} }

var fuzzPass = Passwords{Store: "changeit", Keys: []Password{"secret7"}}

func again(t *testing.T, s *Store) {
	t.Helper()
	for _, form := range []Format{PKCS12, JKS} {
		if cannotHold(s, form) || len(s.Entries) > 3 {
			continue
		}
		out, err := Write(s, form, "changeit")
		if err != nil {
			t.Fatalf("%v cannot be written: %v", summary(s), err)
		}
		back, err := Read(out, fuzzPass)
		if err != nil {
			t.Fatalf("%v cannot be read again: %v", summary(s), err)
		}
		if !Same(s, back) {
			t.Fatalf("%v became %v", summary(s), summary(back))
		}
	}
}

func FuzzPKCS12(f *testing.F) {
	for _, s := range samples(f) {
		file := s.bytes(f)
		if format, err := Detect(file); err != nil || format != PKCS12 {
			continue
		}
		p := &pkcs12{opener: opener{newBudget(), func(string, ...any) {}}, store: new(Store), pass: s.pass}
		if content, _, err := p.verified(file); err == nil {
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		s := &Store{Format: PKCS12, pass: "changeit"}
		p := &pkcs12{opener: opener{fuzzBudget(), s.warn}, store: s, pass: fuzzPass}
		within(t, func() {
			if p.safes(content) == nil && p.assemble() == nil && len(content)%64 == 0 {
				again(t, s)
			}
		})
	})
}

func FuzzJKS(f *testing.F) {
	for _, s := range samples(f) {
		file := s.bytes(f)
		if format, err := Detect(file); err == nil && (format == JKS || format == JCEKS) {
			f.Add(file[:len(file)-sha1.Size])
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		format, err := Detect(content)
		if err != nil || format != JKS && format != JCEKS || len(content) < 12 {
			return
		}
		s := &Store{Format: format, pass: "changeit"}
		within(t, func() {
			if readSigned(s, content, fuzzPass, fuzzBudget()) == nil && len(content)%64 == 0 {
				again(t, s)
			}
		})
	})
}

func FuzzFile(f *testing.F) {
	for _, s := range samples(f) {
		if file := s.bytes(f); len(file) < 3000 {
			f.Add(file)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		within(t, func() {
			s, err := read(file, fuzzPass, fuzzBudget())
			if err == nil {
				Check(s, Want{Hosts: []string{"app.example.org"}})
			}
		})
	})
}
