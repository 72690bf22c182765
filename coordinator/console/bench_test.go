package console

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

func withLocal(ctx context.Context, local net.Addr) context.Context {
	return context.WithValue(ctx, http.LocalAddrContextKey, local)
}

// BenchmarkProbes asks /lb a thousand times a second over TCP, from four
// connections, and reports how long the answers took.
func BenchmarkProbes(b *testing.B) {
	c := showing(sample())
	c.Metrics = NewMetrics("deploy-prod", "1.0.0")
	c.Listen = "127.0.0.1:0"
	at := make(chan net.Addr, 1)
	c.Listening = func(a net.Addr) { at <- a }
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	defer func() { stop(); <-done }()
	url := "http://" + (<-at).String() + "/lb"

	const workers, pause = 4, 4 * time.Millisecond
	var mu sync.Mutex // guards took
	var took []time.Duration
	var all sync.WaitGroup
	b.ResetTimer()
	for range workers {
		all.Go(func() {
			client := http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			beat := time.NewTicker(pause)
			defer beat.Stop()
			for range b.N / workers {
				<-beat.C
				began := time.Now()
				r, err := client.Get(url)
				if err != nil {
					b.Error(err)
					return
				}
				r.Body.Close()
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "req/s")
}

// BenchmarkAnswers is what each route costs without the network.
func BenchmarkAnswers(b *testing.B) {
	c := showing(sample())
	c.Metrics = busy()
	h := c.Handler()
	for _, path := range []string{"/lb", "/check", "/role/primary", "/nodes.json", "/status.json", "/metrics"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if serve(h, "GET", path).Code != 200 {
					b.Fatal(path)
				}
			}
		})
	}
}
