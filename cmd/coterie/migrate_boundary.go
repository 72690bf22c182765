//go:build !killpoints || !linux

package main

import "time"

// boundary is told of each effect of a migration. Only programs that are built with
// the tag killpoints do anything there.
func boundary() func(string) { return nil }

func byRenames() bool { return false }

func filesASecond() int64 { return readFiles }

// together says whether all is done in one process.
func together() bool { return false }

func apartPatience() (still, answers time.Duration) { return apartStill, apartAnswers }
