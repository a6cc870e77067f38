//go:build !amd64

package json

import "unicode/utf8"

const wide = false

func escapeWide(d, s []byte) (written, read int, seen uint64) { return 0, 0, 0 }

func valid(s []byte) bool { return utf8.Valid(s) }
