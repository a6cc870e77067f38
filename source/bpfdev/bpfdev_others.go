//go:build !(darwin || dragonfly || freebsd || netbsd || openbsd)

package bpfdev

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/passiflow/passiflow/source"
)

// Open needs macOS or a BSD: nobody else has /dev/bpf.
func Open(cfg Config) (source.Source, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("open: /dev/bpf is on macOS and the BSDs, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
