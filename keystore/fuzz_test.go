package keystore

import (
	"crypto/sha1"
	"runtime/metrics"
	"testing"
)

// Each fuzz test looks behind what authenticates a file, since chance never gets
// past it. Each file to begin with is there three times: as its program wrote it, with
// few rounds, and with nothing encrypted, since what is changed in something encrypted
// reaches no parser. What is read is written and read again, and must be the same.
// Rounds are few, so that there are many executions.

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

const fewRounds = 2

func fuzzBudget() *budget { return &budget{rounds: 32 * fewRounds, entries: 100} }

var fuzzPass = Passwords{Store: "changeit", Keys: []Password{"secret7"}}

func again(t *testing.T, s *Store) {
	t.Helper()
	for _, form := range []Format{PKCS12, JKS} {
		if cannotHold(s, form) || len(s.Entries) > 3 {
			continue
		}
		out, err := writeJKS(s, "changeit")
		if form == PKCS12 {
			out, err = writeRounds(s, "changeit", fewRounds)
		}
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

// unencrypted is what a PKCS12 file of that store has when nothing in it is encrypted.
func unencrypted(s *Store) []byte {
	var bags [][]byte
	for i, e := range s.Entries {
		attrs := [][]byte{attribute(oidFriendlyName, bmp(e.Alias)), attribute(oidLocalKeyID, octets([]byte{byte(i)}))}
		if e.Kind == Trusted {
			attrs[1] = attribute(oidTrusted, identifier(oidAnyUsage))
		}
		switch {
		case e.Sealed():
			continue
		case e.Kind == Key:
			bags = append(bags, sequence(identifier(oidKeyBag), element(tagContext0, e.Key), element(tagSet, attrs...)))
		}
		for j, c := range e.Chain {
			if j > 0 {
				attrs = nil
			}
			bags = append(bags, certBag(c, attrs...))
		}
	}
	return sequence(contentInfo(oidData, octets(sequence(bags...))))
}

// seeds are a sample as it is, with few rounds, and what is in the latter.
func seeds(t testing.TB, sample sample) (files, contents [][]byte) {
	t.Helper()
	file := sample.bytes(t)
	files = append(files, file)
	if s, err := Read(file, sample.pass); err == nil {
		if few, err := writeRounds(s, "changeit", fewRounds); err == nil {
			files = append(files, few)
		}
		contents = append(contents, unencrypted(s))
	}
	for _, file := range files {
		p := &pkcs12{opener: opener{newBudget(), func(string, ...any) {}}, store: new(Store), pass: Passwords{Store: "changeit"}}
		if content, _, err := p.verified(file); err == nil {
			contents = append(contents, content)
		}
	}
	return files, contents
}

func FuzzPKCS12(f *testing.F) {
	for _, s := range samples(f) {
		_, contents := seeds(f, s)
		for _, content := range contents {
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		s := &Store{Format: PKCS12, pass: "changeit"}
		p := &pkcs12{opener: opener{fuzzBudget(), s.warn}, store: s, pass: fuzzPass}
		within(t, func() {
			if p.safes(content) == nil && p.assemble() == nil {
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
			if readSigned(s, content, fuzzPass, fuzzBudget()) == nil {
				again(t, s)
			}
		})
	})
}

func FuzzFile(f *testing.F) {
	for _, s := range samples(f) {
		files, _ := seeds(f, s)
		for _, file := range files {
			if len(file) < 3000 {
				f.Add(file)
			}
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
