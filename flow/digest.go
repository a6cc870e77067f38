package flow

import (
	"crypto/sha256"
	"hash"
)

// digest is the SHA-256 of what was delivered of one side, made at need.
type digest struct{ h hash.Hash }

func (d *digest) write(b []byte) {
	if d.h == nil {
		d.h = sha256.New()
	}
	d.h.Write(b)
}

func (d *digest) sum() (s [32]byte) {
	if d.h == nil {
		return sha256.Sum256(nil)
	}
	d.h.Sum(s[:0])
	return s
}
