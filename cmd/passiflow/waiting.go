package main

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/passiflow/passiflow/internal/config"
)

// spoolOf returns the directory of a sink's spool, "" for none.
func spoolOf(c *config.Config, s *config.Sink) string {
	if own := s.Queue.Spool.Directory; own != "" || c.Run.Spool == "" || s.Kind == "stdout" || s.Setup.Raw {
		return own
	}
	return filepath.Join(c.Run.Spool, s.Name)
}

// again is where a run has its configuration from, as far as it stands in the
// command that delivers what it left.
type again struct {
	file  string // "": none
	sinks bool   // they are from the command line
}

// tellWaiting says at the end of a run what waits in spools, and how it comes to
// be delivered.
func (o *outputs) tellWaiting(c *config.Config, p *process) {
	for _, x := range o.all {
		n := x.queue.Stats().Spooled.Records
		if n == 0 || x.spool == "" {
			continue
		}
		more := []any{"sink", x.label, "records", n, "directory", x.spool}
		if q, ok := x.queue.(interface{ Trouble() error }); ok && q.Trouble() != nil {
			more = append(more, "error", q.Trouble())
		}
		o.log.Warn("records wait in the spool for the next run, or to be delivered alone", append(more, "deliver", deliverCommand(c, p.again))...)
	}
}

// deliverCommand returns the command that delivers what a run has left in its
// spools. An address may hold secrets and is left out.
func deliverCommand(c *config.Config, a again) string {
	words := []string{"passiflow", "deliver"}
	if a.file != "" {
		words = append(words, "--config", a.file)
	}
	if c.Run.Spool != "" {
		words = append(words, "--spool", c.Run.Spool)
	}
	if a.file == "" || a.sinks {
		for _, s := range c.Sinks { // all of them: their order makes their names
			word := s.Kind
			address, ok := s.Setup.Options[0].To.(*string)
			if !s.Setup.Bare || ok && s.Kind != "stdout" && *address != "" {
				word += "=" + strings.ToUpper(s.Setup.Options[0].Name)
			}
			words = append(words, "--sink", word)
		}
	}
	plain := regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)
	for i, w := range words {
		if !plain.MatchString(w) {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
