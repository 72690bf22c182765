package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/sql/schema"
)

// scan looks again at a tree in which nothing changed: ours beside the least
// that anybody must do, a parallel walk that asks for each file's attributes,
// and beside rclone and rsync, which keep nothing.
func scan(ctx context.Context, l *lab) (_ []row, err error) {
	files, folders := 100_000, 1000
	if l.long {
		files, folders = 1_000_000, 10_000
	}
	t, err := l.newTree(ctx, files, folders)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(t.root), os.RemoveAll(t.copy), t.close()) }()
	took := map[string]sample{}
	for range l.rounds() {
		for _, c := range t.contestants(l) {
			begun := time.Now()
			if err := c.run(ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			took[c.name] = append(took[c.name], time.Since(begun))
		}
	}
	name := fmt.Sprintf("scan of %d files of which none changed", files)
	bare, scanned := took["bare"].at(.5), took["scan"].at(.5)
	rows := []row{
		{figure: name, ours: took["scan"].few(), peer: "parallel lstat walk, keeps nothing: " + took["bare"].few(), ratio: times(over(scanned, bare)), limit: "2 times its time", met: judge(scanned <= 2*bare)},
	}
	for _, peer := range []string{"rclone size", "rsync -an"} {
		r := row{figure: "the same with reading the manifest and a word to the database", ours: took["survey"].few()}
		if len(took[peer]) > 0 {
			r.peer, r.ratio, r.limit = peer+": "+took[peer].few(), times(over(took[peer].at(.5), took["survey"].at(.5))), "less"
			r.met = judge(took["survey"].at(.5) < took[peer].at(.5))
		}
		rows = append(rows, r)
	}
	stored, err := l.millionStored(ctx)
	return append(rows, stored...), err
}

// tree is a share with files, its manifest in memory and in a database.
type tree struct {
	root, copy string
	survey     manifest.Survey
	known      *appdata.Shelf
	names      int
	close      func() error
}

func (l *lab) newTree(ctx context.Context, files, folders int) (*tree, error) {
	t := &tree{root: filepath.Join(l.dir, "tree"), copy: filepath.Join(l.dir, "copy")}
	for _, root := range []string{t.root, t.copy} {
		for i := range folders {
			dir := filepath.Join(root, fmt.Sprintf("d%03d", i/20), fmt.Sprintf("e%04d", i))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return nil, err
			}
			for j := range files / folders {
				name := filepath.Join(dir, fmt.Sprintf("file-%d-%d.txt", i, j))
				if err := errors.Join(os.WriteFile(name, []byte("content"), 0o644), os.Chtimes(name, time.Time{}, time.Unix(1_700_000_000, 0))); err != nil {
					return nil, err
				}
			}
		}
	}
	if err := appdata.CreateMarker(t.root, appdata.Marker{Cluster: "bench", ID: "id", Generation: 1}); err != nil {
		return nil, err
	}
	store, err := l.store(ctx)
	if err != nil {
		return nil, err
	}
	t.close = store.DB.Close
	layout, err := appdata.LayoutOf("generic")
	if err != nil {
		return nil, err
	}
	t.survey = manifest.Survey{
		Store: store, Tree: manifest.Share, Layout: layout,
		Scanner: appdata.Scanner{Root: t.root, Check: (appdata.Share{Path: t.root, Cluster: "bench", ID: "id", Node: "app-a"}).Present, Workers: 4},
		Clock:   func() (time.Time, error) { return time.Now().Add(time.Minute), nil },
	}
	begun := time.Now()
	if _, err := t.survey.Run(ctx); err != nil {
		return nil, err
	}
	say("scan: the first one, stored, took %s", short(time.Since(begun)))
	t.known, err = store.Outline(ctx, manifest.Share)
	return t, err
}

func (l *lab) store(ctx context.Context) (manifest.Store, error) {
	name, err := l.database(ctx)
	if err != nil {
		return manifest.Store{}, err
	}
	db, err := schema.Open(ctx, schema.Options{DSN: l.server.TCP(name), MaxConns: 4})
	if err != nil {
		return manifest.Store{}, err
	}
	_, err = schema.Migrate(ctx, db)
	return manifest.Store{DB: db, Node: "app-a"}, err
}

type contestant struct {
	name string
	run  func(context.Context) error
}

func (t *tree) contestants(l *lab) []contestant {
	all := []contestant{
		{"bare", func(context.Context) error { return bareWalk(t.root, 4) }},
		{"scan", t.scanOnly},
		{"survey", func(ctx context.Context) error {
			out, err := t.survey.Run(ctx)
			if err == nil && out.Changes > 0 {
				err = fmt.Errorf("%d changes in a tree that rests", out.Changes)
			}
			return err
		}},
	}
	for _, peer := range [][]string{{"rclone", "size", t.root}, {"rsync", "-an", t.root + "/", t.copy}} {
		if program, err := exec.LookPath(peer[0]); err == nil {
			all = append(all, contestant{peer[0] + " " + peer[1], func(ctx context.Context) error { return exec.CommandContext(ctx, program, peer[1:]...).Run() }})
		}
	}
	return all
}

// scanOnly is a scan without the database.
func (t *tree) scanOnly(ctx context.Context) error {
	s := t.survey.Scanner
	s.Known, s.Glance, s.Skip, s.Clock = t.known.Dir, t.known.Glance, t.survey.Layout.Skips, time.Now().Add(time.Minute)
	u := appdata.Update{Known: t.known, Class: t.survey.Layout.Class, Skip: s.Skip}
	if err := s.Follow(ctx, func(d *appdata.Dir, changed bool) error { u.Take(d, changed); return nil }); err != nil {
		return err
	}
	if b := u.Batch(true); len(b.Folders) > 0 || len(b.Changes) > 0 {
		return fmt.Errorf("%d folders of a tree that rests differ", len(b.Folders))
	}
	return nil
}

// millionStored stores two manifests of a million files, made up, that differ in
// one, and compares them.
func (l *lab) millionStored(ctx context.Context) (_ []row, err error) {
	store, err := l.store(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.DB.Close()) }()
	var stored, compared sample
	for _, name := range []string{manifest.Share, manifest.Own("app-a")} {
		scan, err := store.Begin(ctx, name, "generic")
		if err != nil {
			return nil, err
		}
		batches := million(name)
		begun := time.Now()
		if err := store2(ctx, store, scan, batches); err != nil {
			return nil, err
		}
		if err := store.Finish(ctx, scan, 0, nil, 0); err != nil {
			return nil, err
		}
		stored = append(stored, time.Since(begun))
	}
	for range l.rounds() {
		begun := time.Now()
		var different int
		if err := store.DB.GetContext(ctx, &different, `SELECT count(*) FROM coterie.appdata_diff('share', 'node/app-a')`); err != nil {
			return nil, err
		}
		if different != 1 {
			return nil, fmt.Errorf("%d differences of two manifests, want 1", different)
		}
		compared = append(compared, time.Since(begun))
	}
	return []row{
		{figure: "manifest of 1,000,000 files stored, 10,000 folders", ours: stored.few(), limit: "most 2.5 s", met: judge(stored.at(1) <= 2500*time.Millisecond)},
		{figure: "two of them compared, in which one file differs", ours: compared.few(), limit: "most 1 s", met: judge(compared.at(1) <= time.Second)},
	}, nil
}

// store2 stores batches as a first scan does, two at once.
func store2(ctx context.Context, store manifest.Store, scan manifest.Scan, batches []appdata.Batch) error {
	var both [2]error
	var wg sync.WaitGroup
	for i := range both {
		wg.Go(func() {
			for ; i < len(batches) && both[i%2] == nil; i += 2 {
				_, both[i%2] = store.Put(ctx, scan, batches[i], manifest.Done{}, manifest.Journal{})
			}
		})
	}
	wg.Wait()
	return errors.Join(both[:]...)
}

// million makes a manifest up; in the share one file is another.
func million(name string) (batches []appdata.Batch) {
	var b appdata.Batch
	all := func(string) appdata.Class { return appdata.Shared }
	at := func(*appdata.Entry) int64 { return 1_763_700_000 }
	for i := range 10_000 {
		d := appdata.Dir{Path: fmt.Sprintf("d%03d/e%05d", i/100, i)}
		for j := range 100 {
			d.Entries = append(d.Entries, appdata.Entry{
				Name: fmt.Sprintf("file-%d-%d.txt", i, 100+j), Kind: appdata.File, Mode: 0o644, UID: 1000, GID: 1000, Links: 1, Size: int64(i * j),
				MTime: appdata.Stamp{Sec: 1_763_600_000 + int64(j), Nsec: 123_456_789}, CTime: appdata.Stamp{Sec: 1_763_600_001 + int64(j), Nsec: 5},
				Inode: uint64(i*100 + j), Digest: sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(j)}),
			})
		}
		if i == 5000 && name == manifest.Share {
			d.Entries[7].Digest[0]++
		}
		pages := d.Pages(all, at)
		sums := &appdata.Sums{Content: sha256.Sum256([]byte(pages[0].Text)), Exact: sha256.Sum256([]byte(pages[0].Text)), Files: 100}
		b.Folders = append(b.Folders, appdata.DirText{Path: d.Path, Sums: sums, Looks: sums.Content, Pages: pages})
		if len(b.Folders) == 200 {
			batches, b = append(batches, b), appdata.Batch{}
		}
	}
	return batches
}
