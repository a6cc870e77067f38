//go:build !unix

package pcapfile

import (
	"errors"
	"os"
	"time"
)

const (
	canPoll = false
	noWait  = 0
)

func poll(*os.File, time.Duration) (bool, error) { return false, errors.ErrUnsupported }
