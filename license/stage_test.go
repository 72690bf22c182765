package license

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
)

func (s *stage) node(node, rest string) string {
	verb, args, _ := strings.Cut(rest, " ")
	word := words(s, args)
	switch verb {
	case "checkout":
		var rows []struct {
			Granted      bool
			Seat         *int
			Kind, Reason *string
		}
		if err := s.as(node).Select(&rows, `SELECT granted, seat, kind, reason FROM coterie.license_checkout($1, $2, $3, $4)`, word[0], word[1], word[2], word[3]); err != nil {
			return refusal(err)
		}
		r := rows[0]
		return fmt.Sprintf("granted %v%s", r.Granted, outcome(r.Seat, r.Kind, r.Reason))
	case "renew", "checkin":
		var v string
		if err := s.as(node).Get(&v, `SELECT coterie.license_`+verb+`($1, $2, $3, $4)`, word[0], word[1], word[2], word[3]); err != nil {
			return refusal(err)
		}
		return v
	case "keep":
		s.numbers[node]++
		var rows []struct {
			Seats int
			Lasts float64 `db:"lasts_ms"`
		}
		if err := s.as(node).Select(&rows, `SELECT seats, lasts_ms FROM coterie.license_keep($1, $2, $3, $4, $5, $6)`,
			node, s.lives[node], pq.Array(s.former(node)), s.numbers[node], word[0], word[1]); err != nil {
			return refusal(err)
		}
		return fmt.Sprintf("keeps %d for %v", rows[0].Seats, time.Duration(rows[0].Lasts)*time.Millisecond)
	case "saw":
		var told bool
		if err := s.as(node).Get(&told, `SELECT coterie.license_saw($1, $2, $3, $4, $5, 1, '')`, node, s.lives[node], word[0], word[1], word[2]); err != nil {
			return refusal(err)
		}
		if !told {
			return "not of the list"
		}
		return ""
	case "follows":
		former := s.lives[node]
		s.born++
		s.lives[node] = s.born
		s.must(s.as(node).Exec(`SELECT coterie.session_begin($1, $2, '{}', $3, NULL, 0)`, node, s.born, former))
		return ""
	case "sweep":
		return s.sweep(node, word[0], word[1] == "watched")
	case "late":
		return s.batch(node, s.numbers[node]-1, args)
	}
	s.numbers[node]++
	return s.batch(node, s.numbers[node], rest)
}

// former are the lives before the present one, as if one process had had them all.
func (s *stage) former(node string) []int64 {
	var all []int64
	for i := int64(1); i < s.lives[node]; i++ {
		all = append(all, i)
	}
	return all
}

func (s *stage) sweep(node, pool string, watched bool) string {
	var incarnations, stamps pq.Int64Array
	if watched {
		s.must(nil, s.db.QueryRow(`SELECT coalesce(array_agg(incarnation ORDER BY incarnation), '{}'), coalesce(array_agg(stamp ORDER BY incarnation), '{}') FROM coterie.license_escrow WHERE pool = $1`, pool).Scan(&incarnations, &stamps))
	}
	if _, err := s.as(node).Exec(`SELECT coterie.license_sweep($1, $2, $3, $4, $5)`, node, s.lives[node], pool, incarnations, stamps); err != nil {
		return refusal(err)
	}
	return ""
}

func (s *stage) batch(node string, number int64, text string) string {
	var ops, pools, holders, sessions, hosts pq.StringArray
	for one := range strings.SplitSeq(text, ";") {
		op, args, _ := strings.Cut(strings.TrimSpace(one), " ")
		w := words(s, args)
		ops, pools, holders, sessions, hosts = append(ops, op), append(pools, w[0]), append(holders, w[1]), append(sessions, w[2]), append(hosts, w[3])
	}
	var rows []struct {
		N            int
		Answer       string
		Seat         *int
		Kind, Reason *string
	}
	err := s.as(node).Select(&rows, `SELECT n, answer, seat, kind, reason FROM coterie.license_batch($1, $2, $3, $4, $5, $6, $7, $8) ORDER BY n`,
		node, s.lives[node], number, ops, pools, holders, sessions, hosts)
	if err != nil {
		return refusal(err)
	}
	var out strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&out, "%s%s\n", r.Answer, outcome(r.Seat, r.Kind, r.Reason))
	}
	return out.String()
}

func outcome(seat *int, kind, reason *string) string {
	text := ""
	if seat != nil {
		text += fmt.Sprintf(" %s %d", *kind, *seat)
	}
	if reason != nil {
		text += ": " + *reason
	}
	return text
}

// words splits at blanks and understands quotes; there are always four.
func words(t testing.TB, text string) []string {
	var all []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		word, rest, _ := strings.Cut(text, " ")
		if strings.HasPrefix(text, `"`) {
			quoted := text[:2+strings.Index(text[1:], `"`)]
			if _, err := fmt.Sscanf(quoted, "%q", &word); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			rest = text[len(quoted):]
		}
		all = append(all, word)
		text = rest
	}
	for len(all) < 4 {
		all = append(all, "")
	}
	return all
}

// shown are the statements that show something, a line of text per row.
var shown = map[string]string{
	"pool": `SELECT format('%s: %s of %s, %s free, %s overdraft, %s excess, %s escrowed, %s lingering, %s on several nodes, peak %s, denied %s',
		pool, in_use, entitled, coalesce(free::text, 'any'), overdraft, excess, escrowed, lingering, on_several_nodes, peak_today, denied_24h) FROM coterie.license_pools WHERE pool = $1`,
	"seats": `SELECT format('%s %s: %s on %s since %s, %s uses%s', kind, seat, holder, array_to_string(nodes, ' '), to_char(since, 'HH24:MI:SS'), uses,
		CASE WHEN void THEN ', void' WHEN linger_until IS NOT NULL THEN ', lingers until ' || to_char(linger_until, 'HH24:MI:SS') END) FROM coterie.license_seats WHERE pool = $1 ORDER BY seat`,
	"peaks":   `SELECT format('%s: %s (%s over)%s', to_char(hour, 'DD HH24:MI'), peak, over, CASE WHEN NOT moved THEN ', carried' END) FROM coterie.license_peaks WHERE pool = $1 ORDER BY hour`,
	"denials": `SELECT format('%s: %s, %s times', holder, reason, times) FROM coterie.license_denials WHERE pool = $1 ORDER BY first_at, holder`,
	"events":  `SELECT format('%s %s %s %s%s', kind, holder, node, seats, CASE WHEN over <> 0 THEN ' over ' || over END) FROM coterie.license_events WHERE pool = $1 ORDER BY id`,
	"report": `SELECT format('%s: peak %s of %s, over %s, %s hours, %s full, denied %s to %s holders', to_char(month, 'YYYY-MM'), peak, entitled, peak_over, hours, hours_full, denied, holders_denied)
		FROM coterie.license_reports WHERE pool = $1 ORDER BY month`,
	"violations": `SELECT format('%s: %s %s', invariant, subject, text) FROM coterie.violations WHERE invariant LIKE '%' || $1 || '%'`,
	"findings":   `SELECT format('%s %s: %s', code, severity, text) FROM coterie.findings WHERE subject LIKE '%' || $1 || '%' ORDER BY code`,
	"servers":    `SELECT format('%s %s, %s of %s up, %s', server, state, servers_up, servers, CASE WHEN quorum THEN 'enough' WHEN NOT quorum THEN 'too few' ELSE 'not looked at' END) FROM coterie.license_servers WHERE $1 = '' ORDER BY place`,
	"key":        `SELECT coalesce(coterie.license_who('keep', $1), 'no name')`,
}

func (s *stage) show(what, pool string) string {
	var lines []string
	if err := s.db.Select(&lines, shown[what], pool); err != nil {
		return refusal(err)
	}
	if len(lines) == 0 {
		return "none"
	}
	return strings.Join(lines, "\n")
}
