// Package diff compares what a request was answered with what it had been
// answered when it was recorded, keeps count of it, and writes the counts down
// as a report.
package diff

import (
	"fmt"
	"strings"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
)

// Config says what is compared.
type Config struct {
	// Headers are the only header fields that are compared. Default: all but
	// Ignore.
	Headers []string
	// Ignore are header fields that are not compared. Default IgnoredHeaders.
	Ignore []string
	// Paths are places in JSON bodies that are not compared: $.id,
	// $.items[*].price, $..updated at any depth. Default: none.
	Paths []string
	// NoBody leaves bodies out. Default false.
	NoBody bool
	// Rules mask what a report shows: a value stands in it as it would in a
	// record. nil: as it is
	Rules rule.Rule
}

// IgnoredHeaders returns the fields that differ from answer to answer without
// meaning anything, and those that say how a body went over the wire, which is
// compared decoded.
func IgnoredHeaders() []string {
	return []string{
		"Date", "Age", "Expires", "Server-Timing", "X-Runtime", "X-Response-Time", "X-Request-Start",
		"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Content-Length", "Content-Encoding", "Trailer",
		"Via", "X-Request-Id", "Request-Id", "X-Correlation-Id", "X-Trace-Id", "X-Amzn-Trace-Id", "X-Amzn-Requestid", "X-Cloud-Trace-Context",
		"Traceparent", "Tracestate", "X-B3-Traceid", "X-B3-Spanid", "Cf-Ray",
	}
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Ignore: IgnoredHeaders()} }

// Kind says where a difference is.
type Kind string

// The kinds.
const (
	Status   Kind = "status"
	Header   Kind = "header"
	Body     Kind = "body"
	NoAnswer Kind = "no answer"
)

// Difference is one thing that is not as it was. Recorded or Replayed is empty
// where one side does not have it.
type Difference struct {
	Kind     Kind   `json:"kind"`
	Name     string `json:"name,omitempty"` // of the header field, or the place in the body
	Recorded string `json:"recorded,omitempty"`
	Replayed string `json:"replayed,omitempty"`
}

// Verdict is what a comparison found.
type Verdict struct {
	Differences []Difference // the first maxDifferences
	Count       int          // all of them
	Unread      string       // why the bodies were not compared; "": they were, or there is none
	places      []place      // of Differences
}

// place is where in a body something differs.
type place struct {
	json bool
	path []string // in JSON, none for the whole
	line int      // of text, from 1
}

// maxDifferences bounds Verdict.Differences: of a body with thousands of them
// nobody reads more.
const maxDifferences = 20

func (v *Verdict) add(d Difference, at place) {
	v.Count++
	if len(v.Differences) < maxDifferences {
		v.Differences = append(v.Differences, d)
		v.places = append(v.places, at)
	}
}

// full tells whether further differences are only counted.
func (v *Verdict) full() bool { return len(v.Differences) >= maxDifferences }

// Comparer compares answers. It may be used by many goroutines.
type Comparer struct {
	config Config
	only   map[string]bool
	ignore map[string]bool
	paths  []pattern
}

// New returns what compares as c says.
func New(c Config) (*Comparer, error) {
	d := &Comparer{config: c, ignore: names(c.Ignore)}
	if len(c.Headers) > 0 {
		d.only = names(c.Headers)
	}
	for _, p := range c.Paths {
		parsed, err := parsePath(p)
		if err != nil {
			return nil, fmt.Errorf("path %q: %w", p, err)
		}
		d.paths = append(d.paths, parsed)
	}
	return d, nil
}

func names(all []string) map[string]bool {
	set := map[string]bool{}
	for _, n := range all {
		set[strings.ToLower(strings.TrimSpace(n))] = true
	}
	return set
}

// Compare compares two answers to the same request. What was hidden when the
// first one was recorded cannot be compared.
func (d *Comparer) Compare(recorded, replayed *message.Message) Verdict {
	v := d.find(recorded, replayed)
	if len(v.Differences) > 0 {
		d.show(&v, recorded, replayed)
	}
	return v
}

// find is Compare, with the values as they are.
func (d *Comparer) find(recorded, replayed *message.Message) Verdict {
	var v Verdict
	if recorded.Marks&message.StartMissing != 0 {
		v.Unread = "recorded answer incomplete"
		return v
	}
	if recorded.Status != replayed.Status {
		v.add(Difference{Kind: Status, Recorded: recorded.Status, Replayed: replayed.Status}, place{})
	}
	if recorded.Marks&message.HeadTruncated == 0 {
		d.headers(&v, recorded, replayed)
	}
	if d.config.NoBody {
		return v
	}
	switch {
	case recorded.Marks&message.Incomplete != 0:
		v.Unread = "recorded answer incomplete"
	case recorded.Marks&message.BodyTruncated != 0 || recorded.Size >= 0 && recorded.Size != int64(len(recorded.Body)):
		v.Unread = "recorded body truncated"
	case replayed.Marks&message.BodyTruncated != 0:
		v.Unread = "body over the limit"
	case recorded.Marks&(message.BadEncoding|message.Bomb) != 0 || replayed.Marks&message.BadEncoding != 0:
		v.Unread = "body not decoded"
	default:
		d.body(&v, recorded, replayed)
	}
	return v
}

// absent stands for a value that is not there.
const absent = "(absent)"

// shown bounds a value in a report, in bytes.
const shown = 200

func clip(s string) string {
	if len(s) <= shown {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	return strings.ToValidUTF8(s[:shown], "") + "…"
}

// headers compares the fields by name: the values of each in their order.
func (d *Comparer) headers(v *Verdict, recorded, replayed *message.Message) {
	a, order := d.values(recorded, nil)
	b, order := d.values(replayed, order)
	for _, n := range order {
		x, y := a[n], b[n]
		was, is := strings.Join(x, ", "), strings.Join(y, ", ")
		if was == is && (len(x) > 0) == (len(y) > 0) || rule.Masked(was) && len(y) > 0 {
			continue
		}
		f := Difference{Kind: Header, Name: n, Recorded: was, Replayed: is}
		if len(x) == 0 {
			f.Recorded = absent
		}
		if len(y) == 0 {
			f.Replayed = absent
		}
		v.add(f, place{})
	}
}

// values returns the values of the fields of m that count, by name in lower
// case, and appends the names that are new to order.
func (d *Comparer) values(m *message.Message, order []string) (map[string][]string, []string) {
	all := map[string][]string{}
	for _, f := range m.Fields {
		n := strings.ToLower(f.Name)
		if d.only != nil && !d.only[n] || d.only == nil && d.ignore[n] {
			continue
		}
		if _, ok := all[n]; !ok {
			known := false
			for _, o := range order {
				known = known || o == n
			}
			if !known {
				order = append(order, n)
			}
		}
		all[n] = append(all[n], strings.TrimSpace(f.Value))
	}
	return all, order
}
