package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	spareEvery = 10 * time.Second
	spareMost  = 4 << 20 // beside a quarter of what is alive
)

// spare gives memory back that a burst of work has left: ten thousand leases that are
// taken at once cost half as much again as they do when they are held, and the runtime
// keeps that for itself. It collects garbage only then: an agent at rest has no spare
// memory.
func (a *agent) spare(ctx context.Context) error {
	tick := time.NewTicker(spareEvery)
	defer tick.Stop()
	// Free spans, those with room for nothing of another size, and garbage are all
	// that the heap has beside what was alive when it was last looked through.
	seen := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		metrics.Read(seen)
		free, unused, objects, live := seen[0].Value.Uint64(), seen[1].Value.Uint64(), seen[2].Value.Uint64(), seen[3].Value.Uint64()
		if free+unused+objects > live+live/4+spareMost {
			debug.FreeOSMemory()
		}
	}
}
