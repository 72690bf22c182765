package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
		Age      *float64      `json:"age_seconds"`
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
	age := "nothing yet"
	if word.Age != nil {
		age = "this, " + table.Duration(seconds(*word.Age)) + " ago"
	}
	text := fmt.Sprintf("Agent %s knew %s", word.Agent.Node, age)
	if word.Sentence != "" {
		text += ": " + word.Sentence
	}
	if err := c.print(table.Safe(text) + "\n"); err != nil {
		return err
	}
	if body, err := askAgent(ctx, cfg, "/nodes.json"); err == nil {
		nodes, err := table.Parse(body)
		if err != nil {
			return err
		}
		if err := c.nodeTable(nodes); err != nil {
			return err
		}
	}
	if err := c.print("\n" + trust(word.Agent) + " User sessions are not touched.\n"); err != nil {
		return err
	}
	return outcome(p.Exit)
}

// trust says for how long the agent still acts.
func trust(a console.Agent) string {
	if left := seconds(a.TrustSeconds); left > 0 {
		return fmt.Sprintf("Jobs on %s stop in %s unless the database is back.", a.Node, table.Duration(left))
	}
	return fmt.Sprintf("%s runs no jobs until the database is back.", a.Node)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
