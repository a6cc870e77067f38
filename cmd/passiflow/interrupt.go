package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// interruptWait is how long work has, after a signal, to end by itself: what
// reads a terminal or a pipe may wait there for ever.
const interruptWait = 250 * time.Millisecond

// interruptible does work until it ends or a signal comes. Work that does not end
// with its context is left behind.
func (p *process) interruptible(parent context.Context, work func(context.Context) error) error {
	ctx, stop := context.WithCancel(parent)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	var sig os.Signal
	select {
	case err := <-done:
		return err
	case sig = <-p.signals:
		stop()
	}
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			return err
		}
	case <-time.After(interruptWait):
	}
	return &exit{exitRun, fmt.Errorf("ended by signal: %v", sig)}
}
