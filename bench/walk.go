package main

import (
	"os"
	"path/filepath"
	"sync"
)

// bareWalk lists and lstats everything with some workers, and keeps nothing.
func bareWalk(root string, workers int) error {
	var (
		mu      sync.Mutex
		news    = sync.NewCond(&mu)
		waiting = []string{root}
		left    = 1
		failed  error
		wg      sync.WaitGroup
	)
	for range workers {
		wg.Go(func() {
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
				below, err := bareDir(dir)
				mu.Lock()
				if err != nil {
					failed = err
				}
				waiting = append(waiting, below...)
				left += len(below) - 1
				news.Broadcast()
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}

func bareDir(dir string) (below []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		info, err := os.Lstat(name)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			below = append(below, name)
		}
	}
	return below, nil
}
