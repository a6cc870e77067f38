//go:build !linux && !windows && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !(libpcap && cgo && unix)

package builtin

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/passiflow/passiflow/source"
)

// Live opens interfaces, one source for each worker.
func Live(LiveOptions) ([]source.Source, error) {
	return nil, fmt.Errorf("open interfaces: live capture on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
