package console_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/coterie-ha/coterie/coordinator/console"
)

func Example() {
	dir, err := os.MkdirTemp("", "console")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	c := console.Console{
		Socket: filepath.Join(dir, "agent.sock"),
		Snapshot: func() console.Snapshot {
			return console.Snapshot{
				Node: "app-a", Goal: "drained", GoalBy: "ana", GoalReason: "kernel update", State: "draining",
				Turned: time.Now(), Heartbeat: 1500 * time.Millisecond,
				Segments: []console.Segment{{Name: "database", OK: true, Text: "1.2 ms"}, {Name: "share", Text: "HUNG: no answer for 2 s"}},
			}
		},
	}
	up := make(chan struct{})
	c.Listening = func(net.Addr) { close(up) }
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	<-up
	for _, path := range []string{"/lb", "/check"} {
		body, err := console.Ask(ctx, c.Socket, path)
		if other := new(console.AnswerError); errors.As(err, &other) {
			fmt.Println(other.Code)
		}
		fmt.Printf("%s", body)
	}
	stop()
	fmt.Println(<-done)
	// Output:
	// 404
	// draining
	// 500
	// failing: share
	//   database  ok    1.2 ms
	//   share     FAIL  HUNG: no answer for 2 s
	// context canceled
}
