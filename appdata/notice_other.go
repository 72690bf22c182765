//go:build !linux

package appdata

import "errors"

const noticeHead = 9

func awaitNotice(string, []byte) ([]byte, error) { return nil, errors.ErrUnsupported }

func noticesAt(string) bool { return false }
