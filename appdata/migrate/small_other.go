//go:build !linux

package migrate

import "github.com/coterie-ha/coterie/appdata"

func (c *copier) small(_, _ string, _ []byte) (done bool, err error) { return false, nil }

func compareSmall(_, _ string, _ bool, _ []byte) (digest appdata.Digest, same, known bool) {
	return digest, false, false
}

func digestSmall(_ string, _ int64, _ bool, _ []byte) (digest appdata.Digest, known bool) {
	return digest, false
}
