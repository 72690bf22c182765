package license

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Definition is what an operator says of pools; what a pool does not say stays.
type Definition struct {
	Pools  []PoolDefinition `json:"pools"`
	Remove []string         `json:"remove,omitempty"`
}

// PoolDefinition is the rules of one pool, and perhaps a plain entitlement.
type PoolDefinition struct {
	Name             string              `json:"name"`
	Kind             string              `json:"kind,omitempty"`
	SharedBy         string              `json:"shared_by,omitempty"`
	Domains          string              `json:"domains,omitempty"`
	Enforced         *bool               `json:"enforced,omitempty"`
	Weight           *int                `json:"weight,omitempty"`
	Overdraft        *int                `json:"overdraft,omitempty"`
	OverdraftPercent *int                `json:"overdraft_percent,omitempty"`
	MaxPerUser       *int                `json:"max_per_user,omitempty"`
	Linger           Span                `json:"linger,omitempty"`
	Idle             Span                `json:"idle,omitempty"`
	Cooldown         Span                `json:"cooldown,omitempty"`
	Escrow           *int                `json:"escrow,omitempty"`
	EscrowFor        Span                `json:"escrow_for,omitempty"`
	Away             string              `json:"away,omitempty"`
	Grace            Span                `json:"grace,omitempty"`
	WarnAt           *int                `json:"warn_at,omitempty"`
	Least            *int                `json:"least,omitempty"`
	Seats            *int                `json:"seats,omitempty"`
	Begins           *time.Time          `json:"begins_at,omitempty"`
	Ends             *time.Time          `json:"ends_at,omitempty"`
	Addresses        []string            `json:"addresses,omitempty"`
	Rules            *[]Rule             `json:"rules,omitempty"`
	Groups           map[string][]string `json:"groups,omitempty"`
	Names            *[]string           `json:"names,omitempty"`
}

// Rule is for a user, a group or a node.
type Rule struct {
	Subject  string `json:"subject"`
	Name     string `json:"name"`
	Reserved int    `json:"reserved,omitempty"`
	Most     *int   `json:"most,omitempty"`
	Access   string `json:"access,omitempty"`
}

// Span is a duration as people write it: 90s, 15m, 48h.
type Span string

func (s Span) wrong(least, most time.Duration) string {
	if s == "" {
		return ""
	}
	d, err := time.ParseDuration(string(s))
	switch {
	case err != nil:
		return "is not a duration (write 90s, 15m, 48h)"
	case d < least || d > most:
		return fmt.Sprintf("is %v; %v to %v", d, least, most)
	}
	return ""
}

var (
	kinds   = []string{"floating", "named", "agents", "servers", "nodes"}
	shares  = []string{"user", "host", "session", "node"}
	domains = []string{"keep", "strip"}
	aways   = []string{"refuse", "grace"}
)

func isKind(kind string) bool { return slices.Contains(kinds, kind) }

// ParseDefinition reads a definition, and tells everything that is wrong with it.
func ParseDefinition(text []byte) (Definition, error) {
	var d Definition
	if err := strict(text, &d); err != nil {
		return Definition{}, err
	}
	var errs []error
	seen := map[string]bool{}
	for i := range d.Pools {
		p := &d.Pools[i]
		if seen[p.Name] {
			errs = append(errs, fmt.Errorf("pool %s is there twice", p.Name))
		}
		seen[p.Name] = true
		p.complete()
		errs = append(errs, p.validate()...)
	}
	if len(d.Pools)+len(d.Remove) == 0 {
		errs = append(errs, errors.New("no pools"))
	}
	return d, errors.Join(errs...)
}

// complete fills what follows from the kind.
func (p *PoolDefinition) complete() {
	if (p.Kind == "servers" || p.Kind == "nodes") && p.SharedBy == "" {
		p.SharedBy = "node"
	}
}

func (p *PoolDefinition) validate() (errs []error) {
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("pool %q: "+format, append([]any{p.Name}, args...)...))
	}
	if !poolRule().MatchString(p.Name) {
		wrong("not a name of a-z 0-9 . -, at most 63")
	}
	for _, word := range []struct {
		key, value string
		known      []string
	}{{"kind", p.Kind, kinds}, {"shared_by", p.SharedBy, shares}, {"domains", p.Domains, domains}, {"away", p.Away, aways}} {
		if word.value != "" && !slices.Contains(word.known, word.value) {
			wrong("%s is %q, none of %v", word.key, word.value, word.known)
		}
	}
	for _, number := range []struct {
		key         string
		value       *int
		least, most int
	}{
		{"seats", p.Seats, 0, mostSeats}, {"weight", p.Weight, 1, 1000}, {"overdraft", p.Overdraft, 0, mostSeats}, {"overdraft_percent", p.OverdraftPercent, 0, 100},
		{"max_per_user", p.MaxPerUser, 1, mostSeats}, {"escrow", p.Escrow, 0, 10000}, {"warn_at", p.WarnAt, 1, 100}, {"least", p.Least, 0, mostSeats},
	} {
		if number.value != nil && (*number.value < number.least || *number.value > number.most) {
			wrong("%s is %d; %d to %d", number.key, *number.value, number.least, number.most)
		}
	}
	for _, span := range []struct {
		key         string
		value       Span
		least, most time.Duration
	}{
		{"linger", p.Linger, 0, 24 * time.Hour}, {"idle", p.Idle, time.Second, 31 * 24 * time.Hour}, {"cooldown", p.Cooldown, 0, 366 * 24 * time.Hour},
		{"escrow_for", p.EscrowFor, time.Second, 48 * time.Hour}, {"grace", p.Grace, 0, 48 * time.Hour},
	} {
		if why := span.value.wrong(span.least, span.most); why != "" {
			wrong("%s %q %s", span.key, span.value, why)
		}
	}
	if p.Begins != nil && p.Ends != nil && !p.Ends.After(*p.Begins) {
		wrong("it ends before it begins")
	}
	if p.Rules != nil {
		for i, r := range *p.Rules {
			if !slices.Contains([]string{"user", "group", "node"}, r.Subject) || r.Name == "" {
				wrong("rules[%d] needs a subject (user, group, node) and its name", i)
			}
			if r.Subject == "group" && p.Groups[r.Name] == nil {
				wrong("rules[%d]: no group %q", i, r.Name)
			}
			if r.Reserved < 0 || r.Most != nil && *r.Most < 0 || r.Access != "" && !slices.Contains([]string{"any", "include", "exclude"}, r.Access) {
				wrong("rules[%d]: reserved and most are not negative, access is any, include or exclude", i)
			}
		}
	}
	return errs
}
