// Package migrate is the migration of local folders seen from outside: the program as
// it is built, killed with kill -9 after each of its effects, on installations of
// each layout that are made by a program.
//
// After each kill the server must be able to start: its configuration names the old
// folders, and they are as they were, or it names the share, and all is there. From
// each kill the same command goes on to the end, and another goes back to the byte.
package migrate
