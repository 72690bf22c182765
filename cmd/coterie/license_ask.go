package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/license"
)

func (c *cli) licenseCheckout() *cobra.Command {
	return c.atSocket("checkout POOL HOLDER", http.MethodPut, &cobra.Command{
		Short: "Check a seat out through the agent of this machine",
		Long: `Checks a seat out for a holder, as an application does: through the agent's
socket. The seat stays checked out until it is checked in, is idle for too
long, or the agent's session ends. Said again, it tells the same seat.`,
		Example: `  coterie license checkout floating ana
  coterie license checkout floating ana --session s1`,
	})
}

func (c *cli) licenseCheckin() *cobra.Command {
	return c.atSocket("checkin POOL HOLDER", http.MethodDelete, &cobra.Command{
		Short: "Give a seat back that was checked out here",
		Example: `  coterie license checkin floating ana
  coterie license checkin floating ana --session s1`,
	})
}

// atSocket is a verb that asks the agent of this machine.
func (c *cli) atSocket(use, method string, cmd *cobra.Command) *cobra.Command {
	var u license.Use
	cmd.Use = use
	cmd.Args = func(cmd *cobra.Command, args []string) error { return words(cmd, args, 2, 2, "POOL and HOLDER") }
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := c.load(cmd)
		if err != nil {
			return err
		}
		u.Pool, u.Holder = args[0], args[1]
		if c.flags.dryRun {
			_, err := c.agree("Would ask the agent at "+cfg.HTTP.Socket+":", []string{cmd.Name() + " " + u.Pool + " for " + u.Holder}, "")
			return err
		}
		ctx, cancel := c.context(cmd)
		defer cancel()
		return c.askSeat(ctx, cfg.HTTP.Socket, method, u)
	}
	cmd.Flags().StringVar(&u.Session, "session", "", "`SESSION` of the application in which the holder works")
	cmd.Flags().StringVar(&u.Host, "host", "", "`HOST` of the holder")
	return cmd
}

// seatAnswer is all that an agent says about seats.
type seatAnswer struct {
	Seat     int
	Kind     license.Kind
	Released bool
	Error    string
	Reason   string
}

func (c *cli) askSeat(ctx context.Context, socket, method string, u license.Use) error {
	code, got, err := askForSeat(ctx, socket, method, u)
	if err != nil {
		return problem.New("COT-213", err, "%s", socket)
	}
	if code != http.StatusOK {
		codes := map[int]string{http.StatusConflict: "COT-802", http.StatusNotFound: "COT-801", http.StatusServiceUnavailable: "COT-807", http.StatusForbidden: "COT-806"}
		if codes[code] == "" {
			return usageProblem("%s", got.Error)
		}
		p := problem.New(codes[code], nil, "%s", got.Error)
		if code == http.StatusConflict {
			p.Remedy = fmt.Sprintf("coterie license seats %s shows who holds them, coterie license show %[1]s by which rules", u.Pool)
		}
		return p
	}
	if method == http.MethodDelete {
		return c.document(table.Document{
			{Name: "schema", Value: "coterie.release/v1"}, {Name: "released", Value: got.Released},
		}, map[bool]string{
			true:  fmt.Sprintf("%s gave a seat of %s back.\n", u.Holder, u.Pool),
			false: fmt.Sprintf("%s has no seat of %s here in this session: given back before, or never checked out; nothing to do.\n", u.Holder, u.Pool),
		}[got.Released])
	}
	which := "a seat"
	if got.Seat != 0 {
		which = fmt.Sprintf("seat %d", got.Seat)
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.seat/v1"}, {Name: "pool", Value: u.Pool}, {Name: "holder", Value: u.Holder},
		{Name: "seat", Value: got.Seat}, {Name: "kind", Value: got.Kind},
	}, fmt.Sprintf("%s has %s of %s (%s).\n", u.Holder, which, u.Pool, kindOf[got.Kind]))
}

func askForSeat(ctx context.Context, socket, method string, u license.Use) (int, seatAnswer, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	query := url.Values{"session": {u.Session}, "host": {u.Host}}
	path := "http://localhost/v1/licenses/" + url.PathEscape(u.Pool) + "/holders/" + url.PathEscape(u.Holder) + "?" + query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, path, nil)
	if err != nil {
		return 0, seatAnswer{}, err
	}
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return 0, seatAnswer{}, err
	}
	defer resp.Body.Close()
	var got seatAnswer
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&got); err != nil {
		return 0, seatAnswer{}, errors.Join(errors.New("the answer cannot be read"), err)
	}
	return resp.StatusCode, got, nil
}

// kindOf tells people what a seat is.
var kindOf = map[license.Kind]string{
	license.Normal:    "seat",
	license.Overdraft: "overdraft: beyond the entitlement, as the pool permits",
	license.Excess:    "excess: at work when no seat was left",
	license.Escrowed:  "escrow: kept for when the database does not answer",
	license.Graced:    "grace: without a seat, as the pool permits while the database does not answer",
}
