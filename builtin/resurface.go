package builtin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	pairs "github.com/passiflow/passiflow/format/resurface"
	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/resurface"
)

func newResurface() *SinkSetup {
	c, f := resurface.DefaultConfig(), pairs.DefaultConfig()
	limit, bundle := Bytes(f.BodyLimit), Bytes(c.Bundle)
	p := &poster{config: &c.Post}
	open := func(o SinkOptions) (Opened, error) {
		if o.Unit != "" && o.Unit != "exchange" {
			return Opened{}, fmt.Errorf("unit %s: a Resurface message is a request with its answer: use unit exchange", o.Unit)
		}
		f.Name = "logging_rules"
		if c.Post.URL == "" {
			c.Post.URL = o.Getenv("USAGE_LOGGERS_URL")
		}
		if f.Rules == "" {
			f.Rules, f.Name = LoggingRules(o.Getenv("USAGE_LOGGERS_RULES")), "USAGE_LOGGERS_RULES"
		}
		if name := o.Getenv("DYNO"); name != "" {
			f.Host = name
		}
		f.BodyLimit, c.Bundle = int(limit), int(bundle)
		if err := p.set(o); err != nil {
			return Opened{}, err
		}
		c.Log = o.Log
		format, err := pairs.New(f)
		if err != nil {
			return Opened{}, err
		}
		s, err := resurface.New(c, format)
		// The format is the rule as well, so that what it removes never comes
		// into the queue or its spool.
		r, _ := format.(rule.Rule)
		return Opened{Records: s, Rules: r, Place: p.place()}, err
	}
	all := p.options("capture URL; default: the variable USAGE_LOGGERS_URL")
	all = slices.DeleteFunc(all, func(x Option) bool { return x.Name == "gzip" }) // the database does not read it
	return &SinkSetup{
		Options: slices.Insert(all, 1, []Option{
			{Name: "logging_rules", Usage: "rules in Resurface's language, one a line, or file:// and a path; default: the variable USAGE_LOGGERS_RULES, or else its set strict", To: &f.Rules},
			{Name: "disabled", Usage: "send nothing", To: &c.Discard},
			{Name: "client_header", Usage: "request header to put the client's address in; default: none", To: &f.ClientHeader},
			{Name: "body_limit", Usage: "bytes to send of each body", To: &limit},
			{Name: "bundle", Usage: "bytes of lines in one request, about", To: &bundle},
		}...),
		Bare:  true,
		Units: []string{"exchange"},
		// So long the programs collect whose place it takes.
		Queue: func(q *sink.QueueConfig) { q.Linger, q.Batch = time.Second, 5<<20 },
		Check: func(o SinkOptions) error {
			x, err := open(o)
			if err == nil {
				err = x.Records.Close(context.Background())
			}
			return err
		},
		Open: open,
	}
}

// LoggingRules reads Resurface's rules from an environment variable, which often
// cannot hold the end of a line: where there is none, \n stands for one, and
// \\n for \n. Quotes around them all, which some files of variables keep, fall
// away.
func LoggingRules(text string) string {
	text = strings.TrimSpace(text)
	if n := len(text); n > 1 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
		text = strings.TrimSpace(text[1 : n-1])
	}
	if strings.Contains(text, "\n") {
		return text
	}
	return strings.NewReplacer(`\\n`, `\n`, `\r\n`, "\n", `\n`, "\n").Replace(text)
}
