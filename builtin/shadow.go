package builtin

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/sink/shadow"
	"github.com/passiflow/passiflow/sink/shadow/diff"
	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// shadowTexts are settings of the sink shadow that are parsed when it is opened.
type shadowTexts struct {
	set           map[string]string
	urls, headers []string
	ignore        []string
	secrets       bool
}

func newShadow() *SinkSetup {
	c, x := shadow.DefaultConfig(), &shadowTexts{}
	limit := Bytes(c.BodyLimit)
	return &SinkSetup{
		Options: []Option{
			{Name: "url", Usage: "the target: HOST:PORT, http://HOST or https://HOST", To: &c.URL},
			{Name: "rate", Usage: "requests sent in a second at most", To: &c.Rate},
			{Name: "concurrency", Usage: "requests under way at once", To: &c.Concurrency},
			{Name: "methods", Usage: "methods that are sent", To: &c.Request.Methods},
			{Name: "unsafe_methods", Usage: "send requests of every method, also those that change something", To: &c.Request.Unsafe},
			{Name: "as_is", Usage: "also send requests that are masked or whose body was cut", To: &c.Request.AsIs},
			{Name: "host", Usage: "Host header of every request; empty: as recorded", To: &c.Request.Host},
			{Name: "set_headers", Usage: "header fields to set in every request", To: &x.set},
			{Name: "remove_headers", Usage: "header fields to leave out", To: &c.Request.Remove},
			{Name: "rewrite_headers", Usage: "changes of header fields, each as 'NAME: REGEXP => TEXT'", To: &x.headers},
			{Name: "rewrite_url", Usage: "changes of the request target, each as 'REGEXP => TEXT'", To: &x.urls},
			{Name: "compare_headers", Usage: "the only header fields that are compared; none: all but those that always differ", To: &c.Compare.Headers},
			{Name: "ignore_headers", Usage: "header fields that are not compared, beside those that always differ", To: &x.ignore},
			{Name: "ignore_json", Usage: "places in JSON bodies that are not compared, as $.id, $.items[*].price or $..updated", To: &c.Compare.Paths},
			{Name: "no_bodies", Usage: "do not compare bodies", To: &c.Compare.NoBody},
			{Name: "connect_timeout", Usage: "time for a connection", To: &c.Connect},
			{Name: "timeout", Usage: "time for a request to be taken, and for its answer to come whole", To: &c.Timeout},
			{Name: "body_limit", Usage: "bytes of an answer's body that are compared", To: &limit},
			{Name: "report", Usage: "file for the report: .html, .json, or text", To: &c.Report},
			{Name: "report_every", Usage: "how often the report is written anew, and a summary logged", To: &c.Every},
			{Name: "examples", Usage: "exchanges that differ to show in the report", To: &c.Examples},
			{Name: "show_secrets", Usage: "do not mask credentials in the report", To: &x.secrets},
			{Name: "ca", Usage: "PEM file with the authorities that are trusted", To: &c.TLS.CA},
			{Name: "certificate", Usage: "PEM file with the certificate to show", To: &c.TLS.Certificate},
			{Name: "key", Usage: "PEM file with the key of the certificate", To: &c.TLS.Key},
			{Name: "insecure", Usage: "take any certificate", To: &c.TLS.Insecure},
		},
		Units: []string{"exchange"},
		Open: func(o SinkOptions) (Opened, error) {
			if o.Unit != "exchange" {
				return Opened{}, fmt.Errorf("shadow: unit %s: there is nothing to compare an answer with; leave unit out", o.Unit)
			}
			if err := x.parse(&c); err != nil {
				return Opened{}, fmt.Errorf("shadow: %w", err)
			}
			c.BodyLimit, c.Wait = int(min(limit, 1<<30)), !o.Live
			c.Log, c.Dial, c.Allow, c.Production = o.Log, o.Dial, o.Ask, o.Production
			s, err := shadow.Open(c)
			if err != nil {
				return Opened{}, err
			}
			return Opened{Records: s, Place: targetOf(c.URL)}, nil
		},
	}
}

// targetOf returns scheme and host of a target.
func targetOf(text string) string {
	t, err := wire.ParseTarget(text)
	if err != nil {
		return ""
	}
	return t.String()
}

func (x *shadowTexts) parse(c *shadow.Config) error {
	var faults []error
	c.Request.Set, c.Request.Replace, c.Request.Targets = nil, nil, nil
	for _, name := range slices.Sorted(maps.Keys(x.set)) {
		f, err := wire.ParseHeader(name + ": " + x.set[name])
		c.Request.Set = append(c.Request.Set, message.Field{Name: f.Name, Value: f.Value})
		faults = append(faults, about("set_headers", err))
	}
	for _, text := range x.headers {
		r, err := wire.ParseHeaderRule(text)
		c.Request.Replace = append(c.Request.Replace, r)
		faults = append(faults, about("rewrite_headers", err))
	}
	for _, text := range x.urls {
		r, err := wire.ParseRule(text)
		c.Request.Targets = append(c.Request.Targets, r)
		faults = append(faults, about("rewrite_url", err))
	}
	if c.Request.Host != "" {
		_, err := wire.ParseHeader("Host: " + c.Request.Host)
		faults = append(faults, about("host", err))
	}
	c.Compare.Ignore = append(diff.IgnoredHeaders(), x.ignore...)
	if c.Compare.Rules = nil; !x.secrets {
		c.Compare.Rules = rule.Default()
	}
	return errors.Join(faults...)
}

func about(option string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", option, err)
}
