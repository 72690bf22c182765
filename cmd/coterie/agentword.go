package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coterie-ha/coterie/coordinator/console"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// askTime is how long an agent on this machine may take to answer from memory.
const askTime = 300 * time.Millisecond

// askAgent asks the agent of this configuration by its socket, or else by its
// HTTP address.
func askAgent(ctx context.Context, cfg *config.Config, path string) ([]byte, error) {
	var errs []error
	for _, at := range []string{cfg.HTTP.Socket, cfg.HTTP.Listen} {
		if at == "" {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, askTime)
		body, err := console.Ask(ctx, at, path)
		cancel()
		if err == nil {
			return body, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// statusFromAgent shows what the agent of this machine knew last. The exit code
// stays that of the unreachable database.
func (c *cli) statusFromAgent(ctx context.Context, cfg *config.Config, p *problem.Problem) error {
	body, err := askAgent(ctx, cfg, "/status.json")
	if err != nil {
		p.Remedy = "look at the database and the way to it; no agent answers on this machine either"
		return p
	}
	var word struct {
		Sentence string        `json:"sentence"`
		Agent    console.Agent `json:"agent"`
	}
	if err := json.Unmarshal(body, &word); err != nil {
		return fmt.Errorf("read the agent's answer: %w", err)
	}
	if word.Agent.Cluster != cfg.Cluster {
		p.Remedy = fmt.Sprintf("look at the database; the agent on this machine is of another cluster, %s", word.Agent.Cluster)
		return p
	}
	p.Remedy = "look at the database and the way to it; what the agent knew is shown"
	c.tell(p)
	if c.flags.machine() {
		if err := c.print(string(body)); err != nil {
			return err
		}
		return outcome(p.Exit)
	}
	text := fmt.Sprintf("Agent %s has not reached the database since it began.", word.Agent.Node)
	if age := word.Agent.Heartbeat.AgeSeconds; age != nil {
		text = fmt.Sprintf("Agent %s reached the database %s ago. What it knew then: %s", word.Agent.Node, table.Duration(seconds(*age)), word.Sentence)
	}
	if err := c.print(c.folded(text, 0) + "\n"); err != nil {
		return err
	}
	if err := c.nodesFromAgent(ctx, cfg); err != nil {
		return err
	}
	if err := c.print("\n" + c.folded(actsStill(word.Agent)+" User sessions are not touched.", 0) + "\n"); err != nil {
		return err
	}
	return outcome(p.Exit)
}

// nodesFromAgent shows the nodes as the agent knew them, without when they were
// seen: that was told once for all.
func (c *cli) nodesFromAgent(ctx context.Context, cfg *config.Config) error {
	body, err := askAgent(ctx, cfg, "/nodes.json")
	if err != nil {
		return nil //nolint:nilerr // it never read them; the sentence above has said all there is
	}
	nodes, err := table.Parse(body)
	if err != nil || nodes.Len() == 0 {
		return err
	}
	fields := slices.DeleteFunc(nodeFields(), func(f table.Field) bool { return f.Title == "SEEN" })
	if err := c.print("\n"); err != nil {
		return err
	}
	return nodes.Write(c.out, c.flags.format(), table.Sheet{Fields: fields, Width: c.width(), Indent: 2})
}

// actsStill says for how long the agent still acts.
func actsStill(a console.Agent) string {
	if left := seconds(a.TrustSeconds); left > 0 {
		return fmt.Sprintf("Jobs on %s stop in %s unless the database is back.", a.Node, table.Duration(left))
	}
	return fmt.Sprintf("%s runs no jobs until the database is back.", a.Node)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
