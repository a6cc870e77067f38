//go:build !linux

package main

import (
	"errors"
	"os"
)

// interrupt falls back to an end at once where there are no signals.
func interrupt(p *os.Process) error {
	if err := p.Signal(os.Interrupt); err != nil {
		return p.Kill()
	}
	return nil
}

func namespaced(...string) error { return errors.ErrUnsupported }

func loopbackUp() error { return nil }
