//go:build !libpcap || !cgo || !unix

package libpcap

import (
	"errors"
	"fmt"

	"github.com/passiflow/passiflow/source"
)

// Open needs another build.
func Open(cfg Config) (source.Source, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("open: this build is without libpcap: build with CGO_ENABLED=1 and -tags libpcap on a Unix: %w", errors.ErrUnsupported)
}
