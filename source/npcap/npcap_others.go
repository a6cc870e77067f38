//go:build !windows

package npcap

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/passiflow/passiflow/source"
)

// Open needs Windows.
func Open(cfg Config) (source.Source, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("open: Npcap is for Windows, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
