//go:build !linux

package place

// fixed tells nothing here: what cannot be replaced is noticed when it is its turn.
func fixed(string) error { return nil }
