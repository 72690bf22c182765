//go:build linux

package main

import (
	"fmt"
	"net"
	"path"

	"github.com/coterie-ha/coterie/appdata/smb"
)

// overhear passes on what the file server tells of a folder, a name each line, to an
// address, and does nothing else: FOLDER ADDRESS.
func overhear(w []string) error {
	conn, err := net.Dial("tcp", w[1])
	if err != nil {
		return err
	}
	defer conn.Close()
	folder, err := smb.Open(w[0])
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		notices, _, err := folder.Await()
		if err != nil {
			return err
		}
		for _, n := range notices {
			if _, err := fmt.Fprintln(conn, path.Base(n.Path)); err != nil {
				return err
			}
		}
	}
}
