//go:build linux

package main

import (
	"encoding/binary"
	"io"
	"sync"
)

// call is what the host asks a guest to run.
type call struct {
	Argv    []string          `json:"argv"`
	Env     []string          `json:"env,omitempty"`
	Files   map[string][]byte `json:"files,omitempty"`   // written before
	Forward []int             `json:"forward,omitempty"` // ports of the guest's loopback that lead to the host's
}

// Kinds of frames that a guest answers with: a byte, a length, and so much text.
const (
	frameOut  = 'o'
	frameErr  = 'e'
	frameExit = 'x'
)

// frames writes frames of one kind.
type frames struct {
	mu   *sync.Mutex
	to   io.Writer
	kind byte
}

func (f frames) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	head := []byte{f.kind, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[1:], uint32(len(p)))
	if _, err := f.to.Write(append(head, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func readFrame(from io.Reader) (kind byte, text []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, nil, err
	}
	text = make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err = io.ReadFull(from, text)
	return head[0], text, err
}
