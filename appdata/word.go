package appdata

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Word is what a node's challenge file says: a nonce that the node has drawn for
// its present life and told the database, and a number that rises with each
// look. Who reads the nonce looks at the share that the node writes to; who sees
// the number rise reads what is there now, not what a client or a copy remembers.
type Word struct {
	Nonce string `json:"nonce"`
	Round int64  `json:"round"`
}

// Words is what one look found in challenge files.
type Words struct {
	Kept  bool            `json:"kept"`  // this node's own was written
	Own   Word            `json:"own"`   // that was found before; zero: none
	Peers map[string]Word `json:"peers"` // of those that have one that can be read
}

const wordEnd = ".challenge"

var nonceText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z2-7]{16,64}$`) })

func (w Word) String() string { return w.Nonce + " " + strconv.FormatInt(w.Round, 10) + "\n" }

// ParseWord reads what String wrote.
func ParseWord(text string) (Word, error) {
	nonce, round, found := strings.Cut(strings.TrimSuffix(text, "\n"), " ")
	n, err := strconv.ParseInt(round, 10, 64)
	if !found || err != nil || n < 1 || !nonceText().MatchString(nonce) {
		return Word{}, &damagedError{fmt.Errorf("%.80q is not a challenge", text)}
	}
	return Word{nonce, n}, nil
}

// ReadWord reads a node's challenge file, as seen from here.
func ReadWord(sharePath, node string) (Word, error) {
	if !nodeName().MatchString(node) {
		return Word{}, fmt.Errorf("challenge of %q: not a node's name", node)
	}
	root, err := os.OpenRoot(sharePath)
	if err != nil {
		return Word{}, err
	}
	w, err := readWord(root, node)
	if err = errors.Join(err, root.Close()); err != nil {
		return Word{}, fmt.Errorf("challenge of %s: %w", node, err)
	}
	return w, nil
}

func readWord(root *os.Root, node string) (Word, error) {
	text, err := readSmall(root, nodesDir, node+wordEnd, 1024)
	if err != nil {
		return Word{}, err
	}
	return ParseWord(string(text))
}

// readWords reads the challenge files of others, and sees that this node's own
// still says what was written there last. If it does not, another folder has
// come in this one's place, or an older copy of it, and it is not written to.
func (s Share) readWords(c *Condition, root *os.Root) (ours bool) {
	c.Words = &Words{Peers: map[string]Word{}}
	for _, peer := range s.Peers {
		if !nodeName().MatchString(peer) {
			continue
		}
		w, err := readWord(root, peer)
		if trouble := wordTrouble(err); trouble != nil {
			c.worsen(readProblem(trouble), "cannot read the challenge of %s: %v", peer, withoutName(trouble))
		} else if err == nil {
			c.Words.Peers[peer] = w
		}
	}
	if s.Word == (Word{}) {
		return true
	}
	own, err := readWord(root, s.Node)
	if trouble := wordTrouble(err); trouble != nil {
		c.worsen(readProblem(trouble), "cannot read this node's own challenge: %v", withoutName(trouble))
		return true
	}
	c.Words.Own = own
	if s.Said > 0 && (own.Nonce != s.Word.Nonce || own.Round < s.Said) {
		c.MarkerOK = false
		c.worsen(WrongShare, "does not hold what this node wrote there last: another export, or an older copy of it")
		return false
	}
	return true
}

// wordTrouble leaves out what only says that there is no word to be read.
func wordTrouble(err error) error {
	var damaged *damagedError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &damaged) {
		return nil
	}
	return err
}
