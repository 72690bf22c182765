package appdata

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// A restored database does not know what was given out after it was saved. The
// share does: each node writes there, into a file of its own so that no two
// race, the highest token that it knows, and reads those of all.
const tokensDir = dirName + "/tokens"

// maxToken is above what any cluster reaches. A damaged or planted file must not
// use up the numbers.
const maxToken = 1 << 60

// keepToken makes this node's file say at least what the node knows.
func (s Share) keepToken(root *os.Root) error {
	if s.Token <= 0 {
		return nil
	}
	if err := root.Mkdir(tokensDir, 0o775); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := refresh(root, tokensDir); err != nil {
		return err
	}
	said, err := readToken(root, s.Node)
	if err == nil && said >= s.Token {
		return nil
	}
	return put(root, tokensDir, s.Node, strconv.FormatInt(s.Token, 10)+"\n")
}

// tokens returns the highest token that any node has written down; 0 when none has.
func tokens(root *os.Root) (int64, error) {
	if err := refresh(root, tokensDir); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	dir, err := root.Open(tokensDir)
	if err != nil {
		return 0, err
	}
	nodes, err := dir.Readdirnames(10_000)
	if isEOF(err) {
		err = nil
	}
	if err = errors.Join(err, dir.Close()); err != nil {
		return 0, err
	}
	var highest int64
	for _, node := range nodes {
		token, err := readToken(root, node)
		var damaged *damagedError
		if err != nil && !errors.As(err, &damaged) && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		highest = max(highest, token)
	}
	return highest, nil
}

// readToken reads one node's file. What no node of ours wrote is damaged and
// counts for nothing.
func readToken(root *os.Root, node string) (int64, error) {
	if !nodeName().MatchString(node) {
		return 0, &damagedError{fmt.Errorf("%.80q is not a node's name", node)}
	}
	f, err := OpenPlain(root, path.Join(tokensDir, node))
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	token, err := strconv.ParseInt(strings.TrimSuffix(string(text), "\n"), 10, 64)
	if err != nil || token < 0 || token >= maxToken {
		return 0, &damagedError{fmt.Errorf("%.80q is not a token", text)}
	}
	return token, nil
}
