//go:build !linux

package afpacket

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"

	"github.com/passiflow/passiflow/source"
)

// Open needs Linux: AF_PACKET is there alone.
func Open(cfg Config, log *slog.Logger) ([]source.Source, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("open: AF_PACKET is a Linux interface, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
