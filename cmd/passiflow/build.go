package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/passiflow/passiflow/internal/config"
)

// maxExpression bounds a filter expression read from a file, in bytes.
const maxExpression = 64 << 10

// expression returns the filter expression that c asks for.
func expression(c *config.Capture) (string, error) {
	if c.FilterFile == "" {
		return c.Filter, nil
	}
	f, err := os.Open(c.FilterFile)
	if err != nil {
		return "", fmt.Errorf("read filter: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxExpression+1))
	if err != nil {
		return "", fmt.Errorf("read filter: %w", err)
	}
	if len(text) > maxExpression {
		return "", fmt.Errorf("read filter %s: longer than %d bytes", c.FilterFile, maxExpression)
	}
	return strings.TrimSpace(string(text)), nil
}

func checkFilter(c *config.Config) error {
	_, err := expression(&c.Capture)
	return err
}

func runCapture(_ context.Context, _ *process, c *config.Config, _ config.Faults) error {
	if err := checkFilter(c); err != nil {
		return &exit{exitUsage, err}
	}
	return &exit{exitRun, errors.New("not wired")}
}
