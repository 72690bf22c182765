//go:build unix

package keystore

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func sampleOf(t testing.TB, name string) sample {
	t.Helper()
	for _, f := range samples(t) {
		if f.name == name {
			return f
		}
	}
	t.Fatalf("no sample %s", name)
	return sample{}
}

// Small files whose password is derived in one round, one for each reader.
var quick = []string{"ossl-iter1.p12", "jks-trusted.ks", "jks-sealed.ks", "jceks-trust.ks", "jceks-secret.ks"}

func TestAFileThatIsCutAnywhereIsRefused(t *testing.T) {
	for _, name := range quick {
		f := sampleOf(t, name)
		data := f.bytes(t)
		for n := range data {
			if s, err := Read(data[:n], f.pass); err == nil {
				t.Errorf("%s cut to %d bytes: %v", name, n, summary(s))
			}
		}
	}
}

// A bit that flips is noticed, or makes no difference.
func TestABitThatFlipsChangesNothingUnseen(t *testing.T) {
	for _, name := range quick {
		f := sampleOf(t, name)
		data := f.bytes(t)
		whole, err := Read(data, f.pass)
		if err != nil {
			t.Fatal(err)
		}
		same := 0
		for i := range data {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << (i % 8)
			s, err := Read(flipped, f.pass)
			if err != nil {
				continue
			}
			if same++; strings.Join(summary(s), " ") != strings.Join(summary(whole), " ") {
				t.Errorf("%s with byte %d flipped: %v", name, i, summary(s))
			}
			compare(t, name, whole, s)
		}
		if same > 8 {
			t.Errorf("%s: %d of %d bytes may change unseen", name, same, len(data))
		}
	}
}

// signedJKS is a JKS file with this content and the right digest.
func signedJKS(magic uint32, version, count uint32, entries ...[]byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, magic)
	out = binary.BigEndian.AppendUint32(out, version)
	out = binary.BigEndian.AppendUint32(out, count)
	out = append(out, bytes.Join(entries, nil)...)
	return append(out, signature("changeit", out)...)
}

func u32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// signedP12 is a PKCS12 file of these safes, with a MAC of one round.
func signedP12(safes ...[]byte) []byte { return macP12(oidSHA256, number(1), sequence(safes...)) }

func macP12(digest string, rounds []byte, content []byte) []byte {
	salt := []byte("saltsalt")
	sum := mac(sha256.New, bmpPassword("changeit"), salt, 1, content)
	info := sequence(sequence(identifier(digest), element(tagNull)), octets(sum))
	return sequence(number(3), contentInfo(oidData, octets(content)), sequence(info, octets(salt), rounds))
}

func dataSafe(bags ...[]byte) []byte { return contentInfo(oidData, octets(sequence(bags...))) }

// nested is a bag in a bag, n times.
func nested(n int) []byte {
	bag := sequence(identifier(oidNestedBag), element(tagContext0, sequence()))
	for range n {
		bag = sequence(identifier(oidNestedBag), element(tagContext0, sequence(bag)))
	}
	return bag
}

func keyEntry(alias string, protected []byte, chain uint32) []byte {
	return bytes.Join([][]byte{u32(1), javaText(alias), make([]byte, 8), u32(uint32(len(protected))), protected, u32(chain)}, nil)
}

func shroud(oid string, params []byte, hidden []byte) []byte {
	return sequence(sequence(identifier(oid), params), octets(hidden))
}

func shroudedBag(protected []byte) []byte {
	return sequence(identifier(oidShroudedBag), element(tagContext0, protected))
}

func pbes2(rounds []byte, salt []byte, iv []byte) []byte {
	kdf := sequence(identifier(oidPBKDF2), sequence(octets(salt), rounds, sequence(identifier(oidHMACSHA256), element(tagNull))))
	return sequence(kdf, sequence(identifier(oidAES256), octets(iv)))
}

func certP12(der []byte, attrs ...[]byte) []byte {
	return certBag(Certificate{DER: der}, attrs...)
}

// hostile are files that ask for much, or are not what they say.
func hostile(t *testing.T) map[string]struct {
	data []byte
	want error
} {
	type file = struct {
		data []byte
		want error
	}
	whole := sampleOf(t, "ossl-iter1.p12").bytes(t)
	many := bytes.Repeat(sequence(identifier(oidCRLBag), element(tagContext0)), 200_000)
	huge := number(1<<31 - 1)
	alias := attribute(oidFriendlyName, element(tagBMP, make([]byte, 10_000)))
	cert := sampleOf(t, "der-cert.cer").bytes(t)
	tiny := shroud(oidJKS, element(tagNull), make([]byte, 10))
	long := append(binary.BigEndian.AppendUint16(nil, 3000), bytes.Repeat([]byte("a"), 3000)...)
	trusted := func(alias []byte) []byte {
		return bytes.Join([][]byte{u32(2), alias, make([]byte, 8), javaText("X.509"), u32(uint32(len(cert))), cert}, nil)
	}
	secret := func(object ...byte) []byte {
		return signedJKS(magicJCEKS, 2, 1, u32(3), javaText("s"), make([]byte, 8), object)
	}
	return map[string]file{
		"empty":                        {nil, ErrEmpty},
		"one byte":                     {[]byte{0x30}, ErrMalformed},
		"one letter":                   {[]byte("x"), ErrFormat},
		"4 MiB and one":                {make([]byte, MostSize+1), ErrLimit},
		"4 MiB of zeros":               {make([]byte, MostSize), ErrFormat},
		"text":                         {[]byte("<?xml version='1.0'?>"), ErrFormat},
		"half a PEM":                   {[]byte("-----BEGIN CERTIFICATE-----\nMIIB"), ErrFormat},
		"PEM of parameters only":       {[]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), ErrFormat},
		"a certificate as DER":         {cert, ErrFormat},
		"JKS of 41 bytes":              {signedJKS(magicJKS, 2, 1, []byte("012345678")), ErrMalformed},
		"JKS count 0xffffffff":         {signedJKS(magicJKS, 2, 0xffffffff), ErrLimit},
		"JKS count too high":           {signedJKS(magicJKS, 2, 5), ErrMalformed},
		"JKS count too low":            {signedJKS(magicJKS, 2, 0, trusted(javaText("a"))), ErrMalformed},
		"JKS version 3":                {signedJKS(magicJKS, 3, 0), ErrUnsupported},
		"JKS entry of kind 9":          {signedJKS(magicJKS, 2, 1, u32(9), javaText("a"), make([]byte, 8)), ErrMalformed},
		"JKS secret":                   {signedJKS(magicJKS, 2, 1, u32(3), javaText("a"), make([]byte, 8)), ErrMalformed},
		"JKS key of 0xffffffff":        {signedJKS(magicJKS, 2, 1, u32(1), javaText("a"), make([]byte, 8), u32(0xffffffff)), ErrMalformed},
		"JKS key of 10 bytes":          {signedJKS(magicJKS, 2, 1, keyEntry("a", tiny, 0)), ErrMalformed},
		"JKS chain of 0xffffffff":      {signedJKS(magicJKS, 2, 1, keyEntry("a", shroud(oidJKS, element(tagNull), make([]byte, 64)), 0xffffffff)), ErrLimit},
		"JKS certificate of 4 GiB":     {signedJKS(magicJKS, 2, 1, u32(2), javaText("a"), make([]byte, 8), javaText("X.509"), u32(0xffffffff)), ErrMalformed},
		"JKS certificate of 100 kB":    {signedJKS(magicJKS, 2, 1, u32(2), javaText("a"), make([]byte, 8), javaText("X.509"), u32(100_000), make([]byte, 100_000)), ErrLimit},
		"JKS certificate of kind PGP":  {signedJKS(magicJKS, 2, 1, u32(2), javaText("a"), make([]byte, 8), javaText("PGP"), u32(0)), ErrUnsupported},
		"JKS alias with NUL":           {signedJKS(magicJKS, 2, 1, trusted(javaText("a\x00b"))), ErrAlias},
		"JKS alias with a line":        {signedJKS(magicJKS, 2, 1, trusted(javaText("a\nb"))), ErrAlias},
		"JKS alias that turns":         {signedJKS(magicJKS, 2, 1, trusted(javaText("a\u202eb"))), ErrAlias},
		"JKS alias of nothing":         {signedJKS(magicJKS, 2, 1, trusted(javaText(""))), ErrAlias},
		"JKS alias of 3000 bytes":      {signedJKS(magicJKS, 2, 1, trusted(long)), ErrAlias},
		"JKS alias that is not UTF-8":  {signedJKS(magicJKS, 2, 1, trusted([]byte{0, 1, 0xff})), ErrMalformed},
		"JKS aliases alike but case":   {signedJKS(magicJKS, 2, 2, trusted(javaText("Tomcat")), trusted(javaText("tomcat"))), ErrAlias},
		"JCEKS rounds 2^31-1":          {signedJKS(magicJCEKS, 2, 1, keyEntry("a", shroud(oidJCEKS, sequence(octets(make([]byte, 8)), huge), make([]byte, 64)), 0)), ErrLimit},
		"JCEKS no object":              {secret(1, 2, 3, 4), ErrMalformed},
		"JCEKS object cut":             {secret(0xac, 0xed, 0, 5, javaObject), ErrMalformed},
		"JCEKS object in objects":      {secret(append([]byte{0xac, 0xed, 0, 5}, bytes.Repeat([]byte{javaObject}, 3000)...)...), ErrMalformed},
		"JCEKS reference to nothing":   {secret(0xac, 0xed, 0, 5, javaArray, javaRef, 0, 0x7e, 0, 9), ErrMalformed},
		"JCEKS blocks for ever":        {secret(append([]byte{0xac, 0xed, 0, 5, javaObject, javaClass, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0}, bytes.Repeat([]byte{javaBlock, 0}, 3000)...)...), ErrMalformed},
		"PKCS12 version 4":             {sequence(number(4), contentInfo(oidData, octets(nil))), ErrUnsupported},
		"PKCS12 signed by a key":       {sequence(number(3), contentInfo(pkcs1+"\x07\x02", octets(nil))), ErrUnsupported},
		"PKCS12 with a tail":           {append(bytes.Clone(whole), 0), ErrMalformed},
		"PKCS12 in BER":                {[]byte{0x30, 0x80, 2, 1, 3, 0x30, 0x80, 6, 9}, ErrUnsupported},
		"PKCS12 in parts":              {sequence(number(3), contentInfo(oidData, element(0x24, octets(nil)))), ErrUnsupported},
		"PKCS12 of 4 GiB":              {[]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 3}, ErrMalformed},
		"PKCS12 of 2^63":               {[]byte{0x30, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, ErrMalformed},
		"PKCS12 rounds 0":              {macP12(oidSHA256, number(0), sequence()), ErrMalformed},
		"PKCS12 rounds negative":       {macP12(oidSHA256, element(tagInteger, []byte{0xff}), sequence()), ErrMalformed},
		"PKCS12 rounds 2^31-1":         {macP12(oidSHA256, huge, sequence()), ErrLimit},
		"PKCS12 rounds of 9 bytes":     {macP12(oidSHA256, element(tagInteger, make([]byte, 9)), sequence()), ErrMalformed},
		"PKCS12 MAC of MD5":            {macP12("\x2a\x86\x48\x86\xf7\x0d\x02\x05", number(1), sequence()), ErrUnsupported},
		"PKCS12 PBMAC1":                {macP12(oidPBMAC1, number(1), sequence()), ErrUnsupported},
		"PKCS12 wrong MAC":             {macP12(oidSHA512, number(1), sequence()), ErrPassword},
		"PKCS12 200,000 bags":          {signedP12(contentInfo(oidData, octets(element(tagSequence, many)))), ErrLimit},
		"PKCS12 a million bags":        {signedP12(contentInfo(oidData, octets(element(tagSequence, bytes.Repeat(many, 5))))), ErrLimit},
		"PKCS12 100,000 safes":         {signedP12(bytes.Repeat(dataSafe(), 100_000)), ErrLimit},
		"PKCS12 bags 10 deep":          {signedP12(dataSafe(nested(10))), ErrLimit},
		"PKCS12 bags 1000 deep":        {signedP12(dataSafe(nested(1000))), ErrLimit},
		"PKCS12 unknown safe":          {signedP12(contentInfo(pkcs1+"\x07\x03", octets(nil))), ErrUnsupported},
		"PKCS12 unknown bag":           {signedP12(dataSafe(sequence(identifier(oidX509), element(tagContext0)))), ErrUnsupported},
		"PKCS12 key rounds 2^31-1":     {signedP12(dataSafe(shroudedBag(shroud(oidPBES2, pbes2(huge, make([]byte, 8), make([]byte, 16)), make([]byte, 64))))), ErrLimit},
		"PKCS12 key rounds 0":          {signedP12(dataSafe(shroudedBag(shroud(oidPBES2, pbes2(number(0), make([]byte, 8), make([]byte, 16)), make([]byte, 64))))), ErrMalformed},
		"PKCS12 salt of 1 MB":          {signedP12(dataSafe(shroudedBag(shroud(oidPBES2, pbes2(number(1), make([]byte, 1<<20), make([]byte, 16)), make([]byte, 64))))), ErrLimit},
		"PKCS12 IV of 3 bytes":         {signedP12(dataSafe(shroudedBag(shroud(oidPBES2, pbes2(number(1), make([]byte, 8), make([]byte, 3)), make([]byte, 64))))), ErrMalformed},
		"PKCS12 key of 7 bytes":        {signedP12(dataSafe(shroudedBag(shroud(oidPBES2, pbes2(number(1), make([]byte, 8), make([]byte, 16)), make([]byte, 7))))), ErrMalformed},
		"PKCS12 unknown encryption":    {signedP12(dataSafe(shroudedBag(shroud(oidX509, element(tagNull), make([]byte, 64))))), ErrUnsupported},
		"PKCS12 scrypt":                {signedP12(dataSafe(shroudedBag(shroud(oidPBES2, sequence(sequence(identifier(oidScrypt)), sequence(identifier(oidAES256), octets(make([]byte, 16)))), make([]byte, 64))))), ErrUnsupported},
		"PKCS12 old salt of 1 MB":      {signedP12(dataSafe(shroudedBag(shroud(oidOld3DES, sequence(octets(make([]byte, 1<<20)), number(1)), make([]byte, 64))))), ErrLimit},
		"PKCS12 alias of 10 kB":        {signedP12(dataSafe(certP12(cert, alias, attribute(oidTrusted, nil)))), ErrAlias},
		"PKCS12 alias of NULs":         {signedP12(dataSafe(certP12(cert, attribute(oidFriendlyName, element(tagBMP, make([]byte, 4))), attribute(oidTrusted, nil)))), ErrAlias},
		"PKCS12 half a letter":         {signedP12(dataSafe(certP12(cert, attribute(oidFriendlyName, element(tagBMP, make([]byte, 3)))))), ErrAlias},
		"PKCS12 certificate of 100 kB": {signedP12(dataSafe(certP12(make([]byte, 100_000)))), ErrLimit},
		"PKCS12 certificate of PGP":    {signedP12(dataSafe(sequence(identifier(oidCertBag), element(tagContext0, sequence(identifier(oidData), element(tagContext0, octets(cert))))))), ErrUnsupported},
		"PKCS12 aliases twice":         {signedP12(dataSafe(certP12(cert, attribute(oidFriendlyName, bmp("a")), attribute(oidTrusted, nil)), certP12(cert, attribute(oidFriendlyName, bmp("A")), attribute(oidTrusted, nil)))), ErrAlias},
		"PKCS12 trailing in a bag":     {signedP12(dataSafe(sequence(identifier(oidCRLBag), element(tagContext0), element(tagSet), number(1)))), ErrMalformed},
		"PKCS12 tag of several bytes":  {signedP12([]byte{0x3f, 0x81, 0x01, 0}), ErrMalformed},
		"PKCS12 long length":           {[]byte{0x30, 0x81, 0x03, 2, 1, 3}, ErrMalformed},
		"PKCS12 short of its length":   {whole[:len(whole)-1], ErrMalformed},
		"key in clear, no MAC":         {sequence(number(3), contentInfo(oidData, octets(sequence(dataSafe(sequence(identifier(oidKeyBag), element(tagContext0, sequence()))))))), ErrNoMAC},
	}
}

// unfit are files that are read, as Java reads them, and that no server should serve.
func unfit(t *testing.T) map[string][]byte {
	t.Helper()
	good := issue(t, "app.example.org", newKey(t), nil, nil)
	other := issue(t, "app.example.org", newKey(t), nil, nil)
	key, err := x509.MarshalPKCS8PrivateKey(good.key)
	if err != nil {
		t.Fatal(err)
	}
	named, id := attribute(oidFriendlyName, bmp("tomcat")), attribute(oidLocalKeyID, octets([]byte{1}))
	plain := sequence(identifier(oidKeyBag), element(tagContext0, key), element(tagSet, named, id))
	shroudedKey := append(append(make([]byte, 20), streamJKS("changeit", make([]byte, 20), key)...), digestJKS("changeit", key)...)
	capital := keyEntry("Tomcat", shroud(oidJKS, element(tagNull), shroudedKey), 1)
	capital = append(append(append(capital, javaText("X.509")...), u32(uint32(len(good.cert.Raw)))...), good.cert.Raw...)
	return map[string][]byte{
		"two certificates of one id": signedP12(dataSafe(plain, certP12(good.cert.Raw, id), certP12(other.cert.Raw, id))),
		"an alias in capitals":       signedJKS(magicJKS, 2, 1, capital),
	}
}

// Whichever of two certificates Java takes for a key, it takes the last one here, and
// what it would serve is judged, and nothing else.
func TestWhatNoServerShouldServeIsReadAndJudged(t *testing.T) {
	for name, data := range unfit(t) {
		s, err := Read(data, Passwords{Store: "changeit"})
		if err != nil || len(s.Entries) == 0 {
			t.Fatalf("%s: %v, %v", name, s, err)
		}
		if bad := Unfit(Check(s, Want{Alias: s.Entries[0].Alias})); len(bad) == 0 {
			t.Errorf("%s: nobody objects to %v", name, summary(s))
		}
	}
}

// A certificate without an id belongs to no key whose id is empty; found by a fuzzer.
func TestAnEmptyIDIsNotTheIDOfWhatHasNone(t *testing.T) {
	good := issue(t, "app.example.org", newKey(t), nil, nil)
	named, empty := attribute(oidFriendlyName, bmp("tomcat")), attribute(oidLocalKeyID, octets(nil))
	sealed := sequence(identifier(oidShroudedBag), element(tagContext0, shroud(oidPBES2, pbes2(number(1), make([]byte, 8), make([]byte, 16)), make([]byte, 64))), element(tagSet, named, empty))
	s, err := Read(signedP12(dataSafe(sealed, certP12(good.cert.Raw))), Passwords{Store: "changeit"})
	if err != nil || len(s.Entries) != 2 || len(s.Entries[0].Chain) != 0 || s.Entries[1].Kind != Loose {
		t.Fatalf("%v, %v", summary(s), err)
	}
	out, err := writeRounds(s, "changeit", fewRounds)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Read(out, Passwords{Store: "changeit"}); err != nil || !Same(s, back) {
		t.Errorf("%v became %v, %v", summary(s), summary(back), err)
	}
}

// hostileTo is for tests that give these files to the program.
var hostileTo = flag.String("hostile", "", "folder to write the hostile files into")

func TestHostileFilesCostAClearError(t *testing.T) {
	files := hostile(t)
	if *hostileTo != "" {
		all := unfit(t)
		for name, f := range files {
			all[name] = f.data
		}
		for name, data := range all {
			if err := os.WriteFile(filepath.Join(*hostileTo, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if len(files) < 60 {
		t.Errorf("%d files, want 60 at least", len(files))
	}
	for name, f := range files {
		before, begun := allocated(), spent(t)
		s, err := Read(f.data, Passwords{Store: "changeit"})
		if took := spent(t) - begun; took > time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		if got := allocated() - before; got > 64<<20 {
			t.Errorf("%s: allocated %d MiB", name, got>>20)
		}
		if !errors.Is(err, f.want) {
			t.Errorf("%s: got %v, %v; want %v", name, s, err, f.want)
		}
	}
}

// spent is the processor time of this process: a bound of it holds whoever else is at
// work on the machine.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// The most that a file may have, in each format, stays within memory and time.
func TestTheLargestFilesStayWithinBounds(t *testing.T) {
	cert := sampleOf(t, "der-cert.cer").bytes(t)
	var jks, bags [][]byte
	for i := range 900 {
		alias := javaText(strings.Repeat("x", 200) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)))
		jks = append(jks, u32(2), alias, make([]byte, 8), javaText("X.509"), u32(uint32(len(cert))), cert)
		bags = append(bags, certP12(cert))
	}
	var alike, keys [][]byte
	for i := range 950 {
		name := strings.Repeat("x", 1000) + fmt.Sprint(i)
		alike = append(alike, u32(2), javaText(name), make([]byte, 8), javaText("X.509"), u32(1), []byte{0})
		named := element(tagSet, attribute(oidFriendlyName, bmp(name)))
		keys = append(keys, sequence(identifier(oidShroudedBag), element(tagContext0, shroud(oidPBES2, pbes2(number(1), make([]byte, 8), make([]byte, 16)), make([]byte, 64))), named))
	}
	for name, data := range map[string][]byte{
		"alike":  signedJKS(magicJKS, 2, 950, alike...),
		"keys":   signedP12(dataSafe(keys[:450]...), dataSafe(bags[:450]...)),
		"jks":    signedJKS(magicJKS, 2, 900, jks...),
		"pkcs12": signedP12(dataSafe(bags...)),
		"rounds": macP12(oidSHA1, number(mostRounds), sequence()),
	} {
		before, begun := allocated(), spent(t)
		_, err := Read(data, Passwords{Store: "changeit"})
		if err != nil && name != "rounds" {
			t.Errorf("%s: %v", name, err)
		}
		if took := spent(t) - begun; took > time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		t.Logf("%s: %d kB in %v, %d MiB", name, len(data)>>10, spent(t)-begun, (allocated()-before)>>20)
		if got := allocated() - before; got > 64<<20 {
			t.Errorf("%s: allocated %d MiB", name, got>>20)
		}
	}
}

func TestWhatIsNoFileIsNotReadAsOne(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadFile(dir); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a folder: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(pipe); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a pipe: %v", err)
	}
	if _, err := ReadFile(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, MostSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(big); !errors.Is(err, ErrLimit) {
		t.Errorf("too big: %v", err)
	}
}

// Whoever replaces a file by a rename while it is read is read before or after that.
func TestAFileThatIsReplacedWhileItIsReadIsReadAsOneOfTheTwo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tomcat.keystore")
	both := [][]byte{bytes.Repeat([]byte("a"), 300_000), bytes.Repeat([]byte("b"), 200_000)}
	replace := func(n int) error {
		return errors.Join(os.WriteFile(path+".new", both[n%2], 0o600), os.Rename(path+".new", path))
	}
	if err := replace(0); err != nil {
		t.Fatal(err)
	}
	over := make(chan error)
	go func() {
		var err error
		for n := 1; n < 200 && err == nil; n++ {
			err = replace(n)
		}
		over <- err
	}()
	for {
		data, err := ReadFile(path)
		if err != nil || !bytes.Equal(data, both[0]) && !bytes.Equal(data, both[1]) {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		select {
		case err := <-over:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}
