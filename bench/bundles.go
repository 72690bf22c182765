package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/appdata/bundle"
)

// bundles makes a bundle of 15,000 files beside tar and zstd, which read each file once
// and prove nothing, and compares two trees of 100,000 files beside rsync and rclone.
func bundles(ctx context.Context, l *lab) ([]row, error) {
	packed, err := l.packed(ctx)
	if err != nil {
		return nil, err
	}
	compared, err := l.compared(ctx)
	return append(packed, compared...), err
}

// mixed makes a tree of texts, of a size as configuration has, and of some that are
// compressed already, as archives are.
func mixed(root string, files, folders int) (total int64, err error) {
	random := rand.New(rand.NewPCG(7, 11))
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("w%x", random.Uint64N(1<<uint(8+i%40)))
	}
	for i := range files {
		dir := filepath.Join(root, fmt.Sprintf("d%02d", i%folders/20), fmt.Sprintf("e%03d", i%folders))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return 0, err
		}
		var b bytes.Buffer
		for size := int(random.ExpFloat64() * 8000); b.Len() < size; {
			if i%10 == 0 {
				fmt.Fprintf(&b, "%s", bytes.Repeat([]byte{byte(random.Uint32())}, 1+int(random.Uint32N(2))))
			} else {
				fmt.Fprintf(&b, "<%s attr=\"%s\"/>\n", words[random.Uint32N(2000)], words[random.Uint32N(2000)])
			}
		}
		total += int64(b.Len())
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%05d.xml", i)), b.Bytes(), 0o644); err != nil {
			return 0, err
		}
	}
	return total, nil
}

func (l *lab) packed(ctx context.Context) (_ []row, err error) {
	root := filepath.Join(l.dir, "installation")
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	total, err := mixed(root, 15_000, 300)
	if err != nil {
		return nil, err
	}
	profile, _ := bundle.ProfileOf("generic")
	ours, theirs := filepath.Join(l.dir, "ours.bundle"), filepath.Join(l.dir, "theirs.tar.zst")
	all := []contestant{{"bundle", func(ctx context.Context) error {
		return export(ctx, bundle.Export{Root: root, Profile: profile, Tier: "dev", Workers: 4}, ours)
	}}}
	if _, err := exec.LookPath("zstd"); err == nil {
		all = append(all, contestant{"tar", func(ctx context.Context) error {
			return exec.CommandContext(ctx, "sh", "-c", `tar -C "$1" -cf - . | zstd -q -f -o "$2"`, "sh", root, theirs).Run()
		}})
	}
	took := map[string]sample{}
	var first []byte
	for range l.rounds() {
		for _, c := range all {
			begun := time.Now()
			if err := c.run(ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			took[c.name] = append(took[c.name], time.Since(begun))
		}
		again, err := os.ReadFile(ours)
		if err != nil {
			return nil, err
		}
		if first != nil && !bytes.Equal(first, again) {
			return nil, errors.New("two bundles of the same files differ")
		}
		first = again
	}
	r := row{figure: fmt.Sprintf("a bundle of 15,000 files, %d MiB, with the digest of each; %d MiB", total>>20, len(first)>>20), ours: took["bundle"].few()}
	if len(took["tar"]) > 0 {
		info, err := os.Stat(theirs)
		if err != nil {
			return nil, err
		}
		a, b := took["bundle"].at(.5), took["tar"].at(.5)
		r.peer, r.ratio, r.limit = fmt.Sprintf("tar | zstd, %d MiB: %s", info.Size()>>20, took["tar"].few()), times(over(a, b)), "1.7 times its time"
		r.met = judge(10*a <= 17*b)
	}
	return []row{r}, nil
}

// export is what coterie bundle export does.
func export(ctx context.Context, x bundle.Export, name string) error {
	x.Temp = filepath.Dir(name)
	content, err := x.List(ctx)
	if err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(x.Write(ctx, content, f), f.Close())
}

func (l *lab) compared(ctx context.Context) (_ []row, err error) {
	a, b := filepath.Join(l.dir, "dev"), filepath.Join(l.dir, "prod")
	defer func() { err = errors.Join(err, os.RemoveAll(a), os.RemoveAll(b)) }()
	for _, root := range []string{a, b} {
		if err := smallFiles(root, 100_000, 1000); err != nil {
			return nil, err
		}
	}
	const other = "d07/e0150/file-150-50.txt"
	if err := os.WriteFile(filepath.Join(b, other), bytes.Repeat([]byte("other"), 100), 0o644); err != nil {
		return nil, err
	}
	program, err := l.program(ctx)
	if err != nil {
		return nil, err
	}
	all := []rival{
		{argv: []string{program, "appdata", "compare", a, b}, code: 3},
		{argv: []string{"rsync", "-nrc", a + "/", b}},
		{argv: []string{"rclone", "check", a, b}, code: 1},
	}
	all = slices.DeleteFunc(all, func(r rival) bool { _, err := exec.LookPath(r.argv[0]); return err != nil })
	for range l.rounds() {
		for i := range all {
			if err := warm(a, b); err != nil {
				return nil, err
			}
			one, out, err := costed(exec.CommandContext(ctx, all[i].argv[0], all[i].argv[1:]...), all[i].code)
			if err != nil {
				return nil, err
			}
			if i == 0 && (bytes.Count(out, []byte("file-")) != 1 || !bytes.Contains(out, []byte(other))) {
				return nil, fmt.Errorf("%q says\n%s", all[i].argv, out)
			}
			all[i].add(one)
		}
	}
	var rows []row
	for _, peer := range all[1:] {
		x, y := all[0].took.at(.5), peer.took.at(.5)
		rows = append(rows, row{
			figure: "two trees of 100,000 files compared to the last byte, one differs", ours: all[0].few(), peer: strings.Join(peer.argv[:2], " ") + ": " + peer.few(),
			ratio: times(over(y, x)), limit: "less", met: judge(x < y),
		})
	}
	return append(rows, all[0].lean()), nil
}

// rival is a program that compares, and the code by which it says that there is a difference.
type rival struct {
	argv []string
	code int
	costs
}

// smallFiles makes a tree of small files, of a kibibyte and a half on average.
func smallFiles(root string, files, folders int) error {
	random := rand.New(rand.NewPCG(3, 5))
	text := bytes.Repeat([]byte("a line of some file\n"), 200)
	for i := range folders {
		dir := filepath.Join(root, fmt.Sprintf("d%02d", i/20), fmt.Sprintf("e%04d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for j := range files / folders {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%d-%d.txt", i, j)), text[:random.Uint32N(3000)], 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
