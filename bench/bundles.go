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
	"sync"
	"time"

	"github.com/coterie-ha/coterie/appdata"
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
	if err := os.WriteFile(filepath.Join(b, "d07/e0150/file-150-50.txt"), bytes.Repeat([]byte("other"), 100), 0o644); err != nil {
		return nil, err
	}
	all := []contestant{{"compare", func(ctx context.Context) error { return compareTwo(ctx, a, b) }}}
	for _, peer := range [][]string{{"rsync", "-nrc", a + "/", b}, {"rclone", "check", a, b}} {
		if program, err := exec.LookPath(peer[0]); err == nil {
			all = append(all, contestant{peer[0] + " " + peer[1], func(ctx context.Context) error {
				err := exec.CommandContext(ctx, program, peer[1:]...).Run()
				if _, differs := errors.AsType[*exec.ExitError](err); differs {
					return nil // it is how rclone says that they are not the same
				}
				return err
			}})
		}
	}
	took := map[string]sample{}
	for range l.rounds() {
		for _, c := range all {
			begun := time.Now()
			if err := c.run(ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			took[c.name] = append(took[c.name], time.Since(begun))
		}
	}
	var rows []row
	for _, c := range all[1:] {
		x, y := took["compare"].at(.5), took[c.name].at(.5)
		rows = append(rows, row{
			figure: "two trees of 100,000 files compared by digest, one differs", ours: took["compare"].few(), peer: c.name + ": " + took[c.name].few(),
			ratio: times(over(y, x)), limit: "less", met: judge(x < y),
		})
	}
	return rows, nil
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

// compareTwo is what coterie appdata compare does.
func compareTwo(ctx context.Context, roots ...string) error {
	profile, _ := bundle.ProfileOf("generic")
	sieve, err := profile.Sift(ctx, bundle.Sifting{Roots: roots, Workers: 4})
	if err != nil {
		return err
	}
	c := bundle.Comparison{Profile: profile, Columns: make([]bundle.Column, len(roots)), Sieve: sieve}
	failed := make([]error, len(roots))
	var scans sync.WaitGroup
	for i, root := range roots {
		scans.Go(func() {
			m, err := c.Scan(ctx, appdata.Scanner{Root: root, Workers: 4})
			c.Columns[i], failed[i] = bundle.Column{Name: root, Dir: m.Dir}, err
		})
	}
	scans.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if rows := c.Rows(); len(rows) != 1 {
		return fmt.Errorf("%d differences of two trees, want 1", len(rows))
	}
	return nil
}
