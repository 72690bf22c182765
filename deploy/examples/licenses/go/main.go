// Command seat holds a licence seat while it runs: an example of a client of the
// agent's socket.
//
//	seat -pool floating -holder ana [-session S] [-socket /run/coterie/agent.sock]
//
// It renews the seat every minute and gives it back when it is told to stop.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	socket := flag.String("socket", "/run/coterie/agent.sock", "the agent's socket")
	pool := flag.String("pool", "floating", "the pool")
	holder := flag.String("holder", os.Getenv("USER"), "who holds the seat")
	session := flag.String("session", "", "the session in which")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := client(*socket)
	path := "http://agent/v1/licenses/" + url.PathEscape(*pool) + "/holders/" + url.PathEscape(*holder) + "?session=" + url.QueryEscape(*session)
	if err := hold(ctx, c, path); err != nil {
		fmt.Fprintln(os.Stderr, "seat:", err)
		os.Exit(1)
	}
}

func client(socket string) *http.Client {
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}},
	}
}

// errRefused means that whoever asks must not be let in.
var errRefused = errors.New("no seat")

// hold checks a seat out, renews it until ctx ends, and gives it back.
func hold(ctx context.Context, c *http.Client, path string) error {
	if err := ask(ctx, c, http.MethodPut, path); err != nil {
		return err
	}
	fmt.Println("seated")
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ask(context.WithoutCancel(ctx), c, http.MethodDelete, path)
		case <-tick.C:
			// Whoever is in stays in: an agent that restarts is asked again.
			if err := ask(ctx, c, http.MethodPut, path); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "seat: not renewed:", err)
			}
		}
	}
}

func ask(ctx context.Context, c *http.Client, method, path string) error {
	r, err := http.NewRequestWithContext(ctx, method, path, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var said struct{ Error string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusConflict, http.StatusServiceUnavailable:
		return fmt.Errorf("%w: %s", errRefused, said.Error)
	}
	return errors.New(said.Error)
}
