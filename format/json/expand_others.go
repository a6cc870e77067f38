//go:build !amd64

package json

const wide = false

func escapeWide(d, s []byte) (written, read int, seen uint64) { return 0, 0, 0 }
