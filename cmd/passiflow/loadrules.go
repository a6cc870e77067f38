package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
)

// maxRules bounds a file of rules, in bytes.
const maxRules = 1 << 20

// loadRules returns the rules of the file called name, or those that hold by
// default.
func loadRules(name string, c *config.Config, p *process) (rule.Rule, error) {
	if name == "" {
		if c.Mask.ShowSecrets {
			return rule.None{}, nil
		}
		return rule.Default(), nil
	}
	data, err := readBounded(name, maxRules)
	if err != nil {
		return nil, &exit{exitUsage, fmt.Errorf("read rules: %w", err)}
	}
	set, err := rule.Parse(name, data, rule.Options{Getenv: p.getenv, ReadFile: func(name string) ([]byte, error) { return readBounded(name, maxRules) }, ShowSecrets: c.Mask.ShowSecrets})
	if err != nil {
		return nil, &exit{exitUsage, err}
	}
	return set, nil
}

// readBounded reads a file of at most so many bytes.
func readBounded(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is longer than %d bytes", name, most)
	}
	return b, err
}

// chain applies one rule after the other.
type chain []rule.Rule

// Apply implements rule.Rule.
func (c chain) Apply(x *message.Exchange) bool {
	for _, r := range c {
		if !r.Apply(x) {
			return false
		}
	}
	return true
}

// rulesOf returns the rules of one sink, nil for those of the run: its own from
// a file, and those that it brings.
func rulesOf(s *config.Sink, brought rule.Rule, c *config.Config, p *process) (rule.Rule, error) {
	if s.Rules == "" {
		return brought, nil
	}
	own, err := loadRules(s.Rules, c, p)
	if err != nil || brought == nil {
		return own, err
	}
	return chain{own, brought}, nil
}

// faultLines tells each fault of rules on a line of its own.
func faultLines(err error) []string {
	var all rule.Faults
	if !errors.As(err, &all) {
		return nil
	}
	return strings.Split(all.Error(), "\n")
}
