package main

import (
	"log/slog"
	"strings"
	"time"

	"github.com/passiflow/passiflow/internal/config"
)

// newLog writes to standard error, never to standard output, where the records
// are. In JSON each message says where the program runs, as far as the
// environment tells.
func (p *process) newLog(c *config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: rename}
	if c.Format != "json" {
		return slog.New(slog.NewTextHandler(p.stderr, o))
	}
	o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 {
			switch v := a.Value.Any().(type) {
			case time.Time:
				if a.Key == slog.TimeKey {
					a.Value = slog.StringValue(v.UTC().Format("2006-01-02T15:04:05.000Z"))
				}
			case slog.Level:
				a.Value = slog.StringValue(strings.ToLower(v.String()))
			}
		}
		return rename(groups, a)
	}
	var h slog.Handler = slog.NewJSONHandler(p.stderr, o)
	if p.wrapLog != nil {
		h = p.wrapLog(h)
	}
	var place []any
	for _, v := range [...]struct{ key, name string }{{"pod", "POD_NAME"}, {"namespace", "NAMESPACE"}, {"node", "NODE_NAME"}} {
		if text := p.getenv(v.name); text != "" {
			place = append(place, slog.String(v.key, text))
		}
	}
	if len(place) > 0 {
		h = h.WithAttrs([]slog.Attr{slog.Group("placement", place...)})
	}
	return slog.New(h)
}

func rename(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		a.Key = "timestamp"
	case slog.MessageKey:
		a.Key = "message"
	}
	return a
}
