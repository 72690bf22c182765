package keystore

import "fmt"

// budget bounds the work and the number of things that one file may ask for.
type budget struct {
	rounds, entries int
}

func newBudget() *budget { return &budget{rounds: mostRounds, entries: mostEntries} }

// derive pays for rounds of key derivation before they are done.
func (b *budget) derive(rounds int64, blocks int) error {
	if rounds < 1 {
		return fmt.Errorf("%w: %d rounds of key derivation", ErrMalformed, rounds)
	}
	if rounds > int64(b.rounds) || rounds*int64(blocks) > int64(b.rounds) {
		return fmt.Errorf("%w: %d rounds of key derivation are asked for, and %d are left of %d for a file", ErrLimit, rounds*int64(blocks), b.rounds, mostRounds)
	}
	b.rounds -= int(rounds) * blocks
	return nil
}

// thing pays for an entry, a bag or a certificate.
func (b *budget) thing() error {
	if b.entries--; b.entries < 0 {
		return fmt.Errorf("%w: more than %d entries and certificates", ErrLimit, mostEntries)
	}
	return nil
}
