package bundle

import (
	"crypto/sha256"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How long and how deep paths may be.
const (
	maxPath  = 1000
	maxName  = 255
	maxDepth = 64
)

// nameFault says why a path is not taken; "" for one that is. It is judged as it is
// spelled: a path that would have to be cleaned up first is none of ours.
func nameFault(name string) string {
	switch {
	case name == "":
		return "an empty path"
	case len(name) > maxPath:
		return "longer than 1000 bytes"
	case !utf8.ValidString(name):
		return "no UTF-8"
	case strings.Count(name, "/") >= maxDepth:
		return "more than 64 folders deep"
	case strings.HasPrefix(name, "/"):
		return "absolute"
	}
	for part := range strings.SplitSeq(name, "/") {
		if why := partFault(part); why != "" {
			return why
		}
	}
	first, _, _ := strings.Cut(name, "/")
	if fold(first) == fold(ownFolder) {
		return "Coterie's own"
	}
	return ""
}

// partFault judges a name by what any file system may take it for.
func partFault(part string) string {
	switch {
	case part == "":
		return "a part of the path is empty"
	case part == "." || part == "..":
		return "leads elsewhere"
	case len(part) > maxName:
		return "a name of more than 255 bytes"
	case strings.ContainsAny(part, "\\:*?\"<>|"):
		return "has a character that Windows does not take for one of a name"
	case strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") || strings.HasPrefix(part, " "):
		return "a name that begins with a blank, or ends with one or with a dot"
	case strings.ContainsFunc(part, unseen):
		return "has characters that nobody sees"
	}
	stem, _, _ := strings.Cut(strings.ToUpper(part), ".")
	switch stem = strings.TrimRight(stem, " "); {
	case stem == "CON", stem == "PRN", stem == "AUX", stem == "NUL", stem == "CONIN$", stem == "CONOUT$":
		return "a name that Windows keeps for a device"
	case len(stem) > 3 && (stem[:3] == "COM" || stem[:3] == "LPT") && strings.Contains("0 1 2 3 4 5 6 7 8 9 ¹ ² ³", stem[3:]):
		return "a name that Windows keeps for a device"
	case strings.HasPrefix(part, ".nfs") || strings.HasPrefix(part, ".fuse_hidden"):
		return "a name that network file systems keep for themselves"
	case strings.Contains(part, "~") && shortName(part):
		return "may be the short name of another file on Windows"
	}
	return ""
}

// unseen says that a person who reads a name does not see the character, or sees the
// name in another order.
func unseen(r rune) bool {
	return r == utf8.RuneError || r != ' ' && !unicode.IsGraphic(r) || r == '\u00a0' || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r)
}

// shortName says that a name looks as Windows shortens long ones: PROGRA~1.
func shortName(part string) bool {
	stem, ext, _ := strings.Cut(part, ".")
	before, number, found := strings.Cut(stem, "~")
	return found && len(stem) <= 8 && len(ext) <= 3 && before != "" && number != "" && strings.Trim(number, "0123456789") == ""
}

// fold gives one spelling to names that differ in case alone.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}

// twins finds paths that one file system or another takes for the same.
type twins map[[16]byte]struct{}

// met says whether there was a twin of a path before.
func (t twins) met(name string) bool {
	sum := sha256.Sum256([]byte(fold(name)))
	key := [16]byte(sum[:16])
	_, known := t[key]
	t[key] = struct{}{}
	return known
}

// linkFault says why a link of that path may not have the target; "" if it may. It
// must lead from folder to folder within the tree, as it is spelled.
func linkFault(name, target string) string {
	switch {
	case target == "" || len(target) > maxPath || strings.ContainsFunc(target, unseen) || strings.ContainsAny(target, "\\:") || !utf8.ValidString(target):
		return "a link to something that is no path"
	case strings.HasPrefix(target, "/"):
		return "a link to an absolute path"
	}
	at := path.Dir(name)
	for part := range strings.SplitSeq(target, "/") {
		switch {
		case part == "" || part == ".":
			return "a link that is not spelled plainly"
		case part == ".." && at == ".":
			return "a link that leads out of the tree"
		}
		at = path.Join(at, part)
	}
	if first, _, _ := strings.Cut(at, "/"); fold(first) == fold(ownFolder) {
		return "a link to what is Coterie's own"
	}
	return ""
}
