//go:build linux

package rig

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// wanted are the modules that a guest loads, with what they need: clients, the
// server, the devices of the emulator, and ciphers that the SMB client asks for
// when it mounts (nobody is there who would load them then).
var wanted = []string{
	"virtio_pci", "virtio_net", "virtio_blk", "ext4", "nfsv4", "nfsd", "cifs",
	"ctr", "ghash_generic", "ccm", "gcm", "cmac", "ecb", "sha512_generic", "nls_utf8",
}

// pack writes what a guest starts from: a file system in memory with the tool as
// its first process, the agent's program, and modules in the order in which they
// are to be loaded.
func pack(to io.Writer, modules string, programs map[string]string) error {
	a := archive{to: to}
	for _, dir := range []string{"bin", "modules", "mnt", "etc"} {
		a.add(dir, fs.ModeDir|0o755, nil)
	}
	found, err := modulesBelow(modules)
	if err != nil {
		return err
	}
	order, err := found.order(wanted)
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, name := range order {
		text, err := os.ReadFile(found[name])
		if err != nil {
			return err
		}
		a.add("modules/"+name+".ko", 0o644, text)
		list.WriteString(name + ".ko\n")
	}
	a.add("modules/order", 0o644, []byte(list.String()))
	a.add("etc/passwd", 0o644, []byte("root:x:0:0:root:/tmp:/bin/sh\n"))
	for name, file := range programs {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		a.add(name, 0o755, text)
	}
	a.add("TRAILER!!!", 0, nil)
	return a.err
}

// archive writes cpio's "newc" format, which the kernel unpacks.
type archive struct {
	to    io.Writer
	files int
	err   error
}

func (a *archive) add(name string, mode fs.FileMode, text []byte) {
	if a.err != nil {
		return
	}
	a.files++
	kind := uint32(0o100000)
	if mode.IsDir() {
		kind = 0o040000
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		a.files, kind|uint32(mode.Perm()), 0, 0, 1, 0, len(text), 0, 0, 0, 0, len(name)+1, 0)
	b.WriteString(name + "\x00")
	pad := func() { b.Write(make([]byte, (4-b.Len()%4)%4)) }
	pad()
	b.Write(text)
	pad()
	_, a.err = a.to.Write(b.Bytes())
}

// koFiles are the module files by the kernel's names for them.
type koFiles map[string]string

func modulesBelow(dir string) (koFiles, error) {
	found := koFiles{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if name, is := strings.CutSuffix(filepath.Base(path), ".ko"); is {
			found[strings.ReplaceAll(name, "-", "_")] = path
		}
		return err
	})
	return found, err
}

// order puts each module behind what it needs; what is built into the kernel has no file.
func (k koFiles) order(names []string) ([]string, error) {
	var order []string
	seen := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		if seen[name] || k[name] == "" {
			return nil
		}
		seen[name] = true
		needs, err := needsOf(k[name])
		if err != nil {
			return err
		}
		for _, need := range needs {
			if err := visit(need); err != nil {
				return err
			}
		}
		order = append(order, name)
		return nil
	}
	for _, name := range names {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// needsOf reads "depends=" of a module: Debian's package has no list, which is made
// where it is installed.
func needsOf(file string) ([]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("%s says nothing of itself", file)
	}
	text, err := section.Data()
	if err != nil {
		return nil, err
	}
	for field := range bytes.SplitSeq(text, []byte{0}) {
		if value, is := strings.CutPrefix(string(field), "depends="); is && value != "" {
			needs := strings.Split(strings.ReplaceAll(value, "-", "_"), ",")
			return slices.Clip(needs), nil
		}
	}
	return nil, nil
}
