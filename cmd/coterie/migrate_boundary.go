//go:build !killpoints || !linux

package main

// boundary is told of each effect of a migration. Only programs that are built with
// the tag killpoints do anything there.
func boundary() func(string) { return nil }

func byRenames() bool { return false }

func filesASecond() int64 { return readFiles }
