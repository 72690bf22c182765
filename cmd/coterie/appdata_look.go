package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/worker"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) appdataFiles() *cobra.Command {
	var tree string
	cmd := c.view(&cobra.Command{
		Use:   "files [PATH]",
		Short: "List the manifest: files, sizes, classes, digests",
		Long: `Lists what the last scan knows of the share, or what is below one path of it.
A path is written as it is shown: bytes that cannot be shown are \xNN.`,
		Example: `  coterie appdata files
  coterie appdata files conf/server
  coterie appdata files --tree node/app-a -o csv --columns path,digest`,
		Args: perhapsOne("PATH"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		condition, values := "WHERE v.tree = $1", []any{tree}
		if len(args) > 0 {
			condition += ` AND (v.path = $2 OR starts_with(v.path, $2 || '/'))`
			values = append(values, args[0])
		}
		rows, err := k.rows(ctx, "appdata_files", condition+` ORDER BY v.path COLLATE "C"`, values...)
		if err != nil {
			return err
		}
		if rows.Len() == 0 && len(args) > 0 {
			return problem.New("COT-313", nil, "the manifest of %s has no %s", tree, args[0])
		}
		return c.show(rows,
			table.Prose("PATH", "path"),
			table.Column("KIND", "kind"),
			table.Column("CLASS", "class"),
			table.Number("SIZE", "size"),
			table.Column("MODE", "mode"),
			table.Span("MODIFIED", "modified_at"),
			table.Column("DIGEST", "digest").AsWide(),
			table.Column("ERROR", "error").AsWide())
	})
	cmd.Flags().StringVar(&tree, "tree", "share", "`NAME` of the tree: share, or node/NAME")
	return cmd
}

func (c *cli) appdataChanges() *cobra.Command {
	var last int
	var since string
	cmd := c.view(&cobra.Command{
		Use:   "changes [PATH]",
		Short: "Show what changed in the share, and who noticed it",
		Example: `  coterie appdata changes
  coterie appdata changes conf --since 24h
  coterie appdata changes -o jsonl --last 1000`,
		Args: perhapsOne("PATH"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		path := ""
		if len(args) > 0 {
			path = args[0]
		}
		rows, err := k.rows(ctx, "appdata_changes", `
WHERE v.seq IN (
    SELECT w.seq FROM coterie.appdata_changes w
    WHERE w.tree = 'share' AND ($1 = '' OR w.path = $1 OR starts_with(w.path, $1 || '/'))
      AND ($2 = '' OR w.at > coterie.clock() - nullif($2, '')::interval)
    ORDER BY w.seq DESC LIMIT $3)
  AND v.tree = 'share' ORDER BY v.seq`, path, since, last)
		if err != nil {
			return err
		}
		return c.show(rows,
			table.Column("WHEN", "at"),
			table.Column("CHANGE", "change"),
			table.Prose("PATH", "path"),
			table.Column("SEEN BY", "seen_by"),
			table.Column("SOURCE", "source"),
			table.Column("AFTER", "latency"),
			table.Prose("FROM", "from_path").AsWide(),
			table.Number("SIZE", "size").AsWide(),
			table.Column("CLASS", "class").AsWide())
	})
	cmd.Flags().IntVar(&last, "last", 50, "at most the last `NUMBER`")
	cmd.Flags().StringVar(&since, "since", "", "only of the last `TIME`, such as 1h")
	return cmd
}

func (c *cli) appdataCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Look at the share from here: ours, writable, quick?",
		Long: `Looks at the share as an application would use it, in a process of its own that
may hang, and says what is wrong with it, and which options of the mount will
hurt one day. What all nodes see is in the view coterie.storages.

The exit code is 3 when the share is not OK, or is mounted so that files can be
lost or read wrongly.`,
		Example: `  coterie appdata check
  coterie appdata check -o json`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.checkShare(ctx, k)
		},
	}
}

func (c *cli) checkShare(ctx context.Context, k *cluster) error {
	var id string
	if err := k.db.GetContext(ctx, &id, `SELECT id FROM coterie.clusters`); err != nil {
		return err
	}
	pool := worker.Pool{Argv: []string{"/proc/self/exe", verbWorker}, Deadline: k.cfg.AppData.AnswerWithin}
	defer pool.Close()
	found, err := pool.Probe(ctx, appdata.Share{
		Path: k.cfg.AppData.Path, Cluster: k.cfg.Cluster, ID: id, Node: k.cfg.Node.Name, FSTypes: k.cfg.AppData.ExpectMount,
	})
	if err != nil {
		return err
	}
	return c.tellShare(k, found, reach(ctx, found.Mount))
}

// reached is what came of calling the file server.
type reached struct {
	host string
	port int
	took time.Duration
	err  error
}

// reach calls the server that a mount names at the port of such servers, so that one
// which is away is told from one that does not answer. Of a share that can be used nobody
// is told that it takes none: it is mounted over another port, or by another name.
func reach(ctx context.Context, m appdata.Mount) reached {
	r := reached{}
	if r.host, r.port = m.Server(); r.host == "" {
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	begun := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(r.host, strconv.Itoa(r.port)))
	r.took, r.err = time.Since(begun), err
	if err == nil {
		conn.Close()
	}
	return r
}

func (r reached) String() string {
	if r.err == nil {
		return fmt.Sprintf("%s takes connections at port %d, after %.1f ms", r.host, r.port, float64(r.took.Microseconds())/1000)
	}
	why := r.err
	if e, ok := errors.AsType[*net.OpError](r.err); ok && e.Err != nil {
		why = e.Err
	}
	return fmt.Sprintf("%s takes no connection at port %d: %v", r.host, r.port, why)
}

// tellShare shows what a probe found, and what is risky about the mount. Flaws by
// which files can be lost or read wrongly count as a problem though all works now.
func (c *cli) tellShare(k *cluster, found appdata.Condition, server reached) error {
	risks, grave := append(found.Mount.Risks(), clockRisk(found.Ahead)...), false
	told := []string{}
	for _, r := range risks {
		told, grave = append(told, r.String()), grave || r.Grave
	}
	doc := table.Document{
		{Name: "schema", Value: "coterie.appdata_check/v1"},
		{Name: "node", Value: k.cfg.Node.Name},
		{Name: "path", Value: k.cfg.AppData.Path},
		{Name: "state", Value: string(found.State)},
		{Name: "reason", Value: found.Reason},
		{Name: "marker_ok", Value: found.MarkerOK},
		{Name: "readable", Value: found.Readable},
		{Name: "writable", Value: found.Writable},
		{Name: "fs_type", Value: found.Mount.FSType},
		{Name: "source", Value: found.Mount.Source},
		{Name: "options", Value: found.Mount.Options},
		{Name: "latency_ms", Value: float64(found.Latency.Microseconds()) / 1000},
		{Name: "free_bytes", Value: found.FreeBytes},
		{Name: "clock_ahead_ms", Value: found.Ahead.Milliseconds()},
		{Name: "case_insensitive", Value: found.CaseInsensitive},
		{Name: "risks", Value: told},
	}
	state := k.cfg.AppData.Path + " is " + string(found.State)
	if found.Reason != "" {
		state += ": " + found.Reason
	}
	mount := "  " + orElse(found.Mount.FSType, "unknown file system") + " from " + orElse(found.Mount.Source, "nowhere") + ", " + size(found.FreeBytes) + " free"
	if found.Writable {
		mount += fmt.Sprintf(", a small write takes %.1f ms", float64(found.Latency.Microseconds())/1000)
	}
	lines := []string{state, mount}
	if server.host != "" && (server.err == nil || !found.Usable()) {
		doc = append(doc, table.Member{Name: "server", Value: server.String()}, table.Member{Name: "server_answers", Value: server.err == nil})
		lines = append(lines, "  "+server.String())
	}
	for i, r := range risks {
		sign := signLook
		if r.Grave {
			sign = signBad
		}
		lines = append(lines, c.sign(sign)+pad("", 4-len(sign))+c.folded(told[i], 4))
	}
	if err := c.document(doc, strings.Join(lines, "\n")+"\n"); err != nil {
		return err
	}
	if found.State != appdata.OK || grave {
		return outcome(problem.ExitDegraded)
	}
	return nil
}

// clockRisk tells of a file server whose clock is off. Nothing of ours goes by it.
func clockRisk(ahead time.Duration) []appdata.Risk {
	const usual = time.Minute
	which := "ahead of"
	if ahead < 0 {
		which = "behind"
	}
	if ahead.Abs() < usual {
		return nil
	}
	return []appdata.Risk{{
		Text:   fmt.Sprintf("the times of its files are %s %s this host's clock", table.Duration(ahead.Abs()), which),
		Remedy: "have the file server keep the time",
	}}
}
