package console

import (
	"fmt"
	"time"
)

// brief says a duration in at most two units, as people say it: 0.4 s, 42 s, 3 min, 2 h 5 min, 3 d 4 h.
func brief(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + brief(-d)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return units(int(d.Hours()), "h", int(d.Minutes())%60, "min")
	}
	return units(int(d.Hours())/24, "d", int(d.Hours())%24, "h")
}

// since says how long ago something was. Milliseconds would only flicker.
func since(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return "just now"
	case d < time.Second:
		return fmt.Sprintf("%.1f s ago", d.Seconds())
	}
	return brief(d) + " ago"
}

func units(n int, unit string, m int, lesser string) string {
	if m == 0 {
		return fmt.Sprintf("%d %s", n, unit)
	}
	return fmt.Sprintf("%d %s %d %s", n, unit, m, lesser)
}
