package appdata

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hundredThousand makes 100,000 files in 1,000 folders.
func hundredThousand(b *testing.B) string {
	b.Helper()
	root := b.TempDir()
	for i := range 1000 {
		dir := filepath.Join(root, fmt.Sprintf("d%02d", i/20), fmt.Sprintf("e%04d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for j := range 100 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%d-%d.txt", i, j)), []byte("content"), 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	return root
}

// BenchmarkUnchanged compares a scan of a tree in which nothing changed with
// the least that any scan must do, a parallel walk that only asks for each
// file's attributes. Both run in turn, so that they share what else the machine does.
func BenchmarkUnchanged(b *testing.B) {
	root := hundredThousand(b)
	s := Scanner{Root: root, Clock: time.Now().Add(time.Hour), Workers: 4}
	known, err := s.Scan(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	s.Known = known.Dir
	var scans, bare, differences time.Duration
	for b.Loop() {
		begun := time.Now()
		if n := bareWalk(b, root, 4); n != 101_050 {
			b.Fatalf("%d names", n)
		}
		bare += time.Since(begun)
		begun = time.Now()
		m, err := s.Scan(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		scans += time.Since(begun)
		begun = time.Now()
		for c := range Compare(known, m) {
			b.Fatal(c)
		}
		differences += time.Since(begun)
	}
	n := float64(b.N)
	b.ReportMetric(bare.Seconds()*1000/n, "ms/bare")
	b.ReportMetric(scans.Seconds()*1000/n, "ms/scan")
	b.ReportMetric(differences.Seconds()*1000/n, "ms/compare")
	b.ReportMetric(scans.Seconds()/bare.Seconds(), "times-bare")
}

// bareWalk lists and lstats everything with some workers, and keeps nothing.
func bareWalk(b *testing.B, root string, workers int) int {
	var (
		mu      sync.Mutex
		news    = sync.NewCond(&mu)
		waiting = []string{root}
		left    = 1
		all     int
		wg      sync.WaitGroup
	)
	for range workers {
		wg.Go(func() {
			buf := make([]byte, 32<<10)
			for {
				mu.Lock()
				for len(waiting) == 0 && left > 0 {
					news.Wait()
				}
				if left == 0 {
					mu.Unlock()
					return
				}
				dir := waiting[len(waiting)-1]
				waiting = waiting[:len(waiting)-1]
				mu.Unlock()
				below, n := bareDir(b, dir, buf)
				mu.Lock()
				waiting = append(waiting, below...)
				left += len(below) - 1
				all += n
				news.Broadcast()
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return all
}

func bareDir(b *testing.B, dir string, buf []byte) (below []string, n int) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		b.Error(err)
		return nil, 0
	}
	var names []string
	for {
		got, err := unix.ReadDirent(fd, buf)
		if err != nil {
			b.Error(err)
		}
		if got <= 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:got], -1, names)
	}
	for _, name := range names {
		var st unix.Stat_t
		if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			b.Error(err)
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			below = append(below, dir+"/"+name)
		}
	}
	if err := unix.Close(fd); err != nil {
		b.Error(err)
	}
	return below, len(names)
}

// BenchmarkFirst reads all content, as a first scan does.
func BenchmarkFirst(b *testing.B) {
	root := hundredThousand(b)
	var heap uint64
	for b.Loop() {
		m, err := Scanner{Root: root}.Scan(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		heap = s.HeapAlloc
		runtime.KeepAlive(m)
	}
	b.ReportMetric(float64(heap)/100_000, "heap-bytes/file")
}

// BenchmarkLookoutRound looks once at 500 files that are critical, as a node does each
// second. On a network file system each of them is a request besides.
func BenchmarkLookoutRound(b *testing.B) {
	dir := b.TempDir()
	for i := range 500 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%d.txt", i)), []byte("content"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	l, s := Lookout{Root: filepath.Dir(dir)}, &spot{path: filepath.Base(dir)}
	var before, after unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := l.look(s, func(Dirty) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	if err := unix.Getrusage(unix.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	took := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(took)/float64(b.N)/1e7, "%core")
}
