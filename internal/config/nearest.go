package config

import "strings"

// Nearest is the name most like the given one, or "" when none is like it: at
// most two letters are wrong, missing, too many or swapped, and less than half.
func Nearest(name string, names []string) string {
	best, least := "", 3
	for _, candidate := range names {
		d := distance(strings.ToLower(name), candidate)
		if d < least && 2*d < max(len(candidate), 3) {
			best, least = candidate, d
		}
	}
	return best
}

// distance is the number of letters to change, insert, delete or swap with
// their neighbour to make b of a.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64 // no key is that long, and the table below is quadratic
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
