package diff

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Schema names the form of a report in JSON.
const Schema = "passiflow.replay/1"

// Report is what came of a run.
type Report struct {
	Schema  string        `json:"schema"`
	File    string        `json:"file,omitempty"`
	Target  string        `json:"target"`
	Started time.Time     `json:"started"`
	Took    time.Duration `json:"took_ns"`
	Speed   string        `json:"speed,omitempty"` // "1", "10", "max"; empty: live
	Rounds  int64         `json:"rounds,omitempty"`
	Stopped bool          `json:"stopped,omitempty"` // before its end

	Conversations int64   `json:"conversations,omitempty"`
	Connections   int64   `json:"connections"`
	Requests      int64   `json:"requests"` // recorded: sent and refused
	Refused       []Count `json:"refused,omitempty"`
	Skipped       []Count `json:"skipped,omitempty"` // what is no request
	Sent          int64   `json:"sent"`
	Answered      int64   `json:"answered"`
	Unanswered    []Count `json:"unanswered,omitempty"`
	Same          int64   `json:"same"`
	Different     int64   `json:"different"`
	Uncompared    []Count `json:"uncompared,omitempty"`
	// BodiesUncompared are answers of which all but the body was compared.
	BodiesUncompared []Count `json:"bodies_uncompared,omitempty"`

	Differences []Group      `json:"differences,omitempty"` // how many exchanges have each
	Routes      []RouteCount `json:"routes,omitempty"`
	FirstByte   Latency      `json:"first_byte"`
	LastByte    Latency      `json:"last_byte"`
	Late        Spread       `json:"late"` // how much later than planned requests were sent
	Examples    []Example    `json:"examples,omitempty"`
}

// Count is how often something was met.
type Count struct {
	What  string `json:"what"`
	Count int64  `json:"count"`
}

// Group is a difference that exchanges have in common.
type Group struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name,omitempty"`
	Change string `json:"change,omitempty"`
	Count  int64  `json:"count"`
}

// RouteCount is what became of the requests for one kind of thing.
type RouteCount struct {
	Route     string  `json:"route"`
	Requests  int64   `json:"requests"`
	Different int64   `json:"different"`
	LastByte  Latency `json:"last_byte"`
}

// Latency is the time from the first byte of a request to a byte of its answer,
// of exchanges that were answered both times.
type Latency struct {
	Recorded Spread `json:"recorded"`
	Replayed Spread `json:"replayed"`
}

// Example is one exchange whose answers differ.
type Example struct {
	Time        time.Time    `json:"time"`
	Client      string       `json:"client,omitempty"`
	Method      string       `json:"method"`
	Target      string       `json:"target"`
	Sent        string       `json:"sent,omitempty"` // the target as sent, where it was rewritten
	Differences []Difference `json:"differences"`
	More        int          `json:"more,omitempty"`
}

// WriteJSON writes r as one indented JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// rows bounds the tables of the text, which is to be read at a glance; JSON and
// HTML have them whole.
const rows = 20

// WriteText writes r for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(format string, a ...any) { fmt.Fprintf(t, format+"\n", a...) }
	line("requests\t%d", r.Requests)
	for _, c := range r.Refused {
		line("  not sent: %s\t%d", c.What, c.Count)
	}
	for _, c := range r.Skipped {
		line("  beside them: %s\t%d", c.What, c.Count)
	}
	line("  sent\t%d", r.Sent)
	for _, c := range r.Unanswered {
		line("  no answer: %s\t%d", c.What, c.Count)
	}
	line("answers\t%d", r.Answered)
	line("  same\t%d", r.Same)
	line("  different\t%d", r.Different)
	for _, c := range r.Uncompared {
		line("  not compared: %s\t%d", c.What, c.Count)
	}
	for _, c := range r.BodiesUncompared {
		line("  body not compared: %s\t%d", c.What, c.Count)
	}
	line("connections\t%d", r.Connections)
	line("took\t%s", round(r.Took))
	if r.Stopped {
		line("stopped before its end")
	}
	if r.LastByte.Recorded.Count > 0 || r.FirstByte.Recorded.Count > 0 {
		line("\nlatency\tp50\tp90\tp95\tp99\tmax")
		for _, x := range r.latencies() {
			s := x.Spread
			line("%s\t%s\t%s\t%s\t%s\t%s", x.Name, round(s.P50), round(s.P90), round(s.P95), round(s.P99), round(s.Max))
		}
	}
	if s := r.Late; s.Count > 0 {
		line("sent later than planned\t%s\t%s\t%s\t%s\t%s", round(s.P50), round(s.P90), round(s.P95), round(s.P99), round(s.Max))
	}
	if len(r.Differences) > 0 {
		line("\ndifferences\texchanges")
		for i, d := range r.Differences {
			if i == rows {
				line("  and %d more", len(r.Differences)-rows)
				break
			}
			line("  %s\t%d", d, d.Count)
		}
		line("\nroutes that differ\tof\tdifferent")
		for i, x := range r.Routes {
			if i == rows || x.Different == 0 {
				break
			}
			line("  %s\t%d\t%d", x.Route, x.Requests, x.Different)
		}
	}
	t.Flush()
	for i, e := range r.Examples {
		if i == rows/2 {
			fmt.Fprintf(&b, "\nand %d more examples in the report as JSON or HTML\n", len(r.Examples)-i)
			break
		}
		fmt.Fprintf(&b, "\n%s %s\n", e.Method, e.Target)
		for _, d := range e.Differences {
			fmt.Fprintf(&b, "  %s: %s → %s\n", d.place(), d.Recorded, d.Replayed)
		}
		if e.More > 0 {
			fmt.Fprintf(&b, "  and %d more\n", e.More)
		}
	}
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

// named is a Spread with what it is of.
type named struct {
	Name string
	Spread
}

// latencies lists those that are known.
func (r *Report) latencies() (all []named) {
	if r.FirstByte.Recorded.Count > 0 {
		all = append(all, named{"first byte, recorded", r.FirstByte.Recorded}, named{"first byte, replayed", r.FirstByte.Replayed})
	}
	if r.LastByte.Recorded.Count > 0 {
		all = append(all, named{"last byte, recorded", r.LastByte.Recorded}, named{"last byte, replayed", r.LastByte.Replayed})
	}
	return all
}

// Behind tells whether the plan of sending was not kept.
func (r *Report) Behind() bool { return r.Late.P50 > 100*time.Millisecond }

// String writes what differs.
func (g Group) String() string {
	s := string(g.Kind)
	for _, more := range []string{g.Name, g.Change} {
		if more != "" {
			s += " " + more
		}
	}
	return s
}

func (d Difference) place() string {
	if d.Name == "" {
		return string(d.Kind)
	}
	return string(d.Kind) + " " + d.Name
}

// round keeps three digits, about.
func round(d time.Duration) string {
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// printable replaces what a terminal would obey; the values come from servers.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return '\ufffd'
	}, s)
}

// Write writes r in the form that the name of a file ends in: .json, .html, or
// text.
func (r *Report) Write(w io.Writer, name string) error {
	name = strings.ToLower(name)
	switch {
	case strings.HasSuffix(name, ".json"):
		return r.WriteJSON(w)
	case strings.HasSuffix(name, ".html"), strings.HasSuffix(name, ".htm"):
		return r.WriteHTML(w)
	}
	return r.WriteText(w)
}
