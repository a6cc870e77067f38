package diff

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// Bounds of what a tally tells apart; the rest counts as "(others)".
const (
	maxRoutes = 200
	maxGroups = 500
	maxWords  = 100
	others    = "(others)"
)

// Unknown is a duration that nobody knows.
const Unknown time.Duration = -1

// Stopped is why a request has no answer when the run was ended before: no
// difference.
const Stopped = "stopped"

// Outcome is what became of one request that was sent.
type Outcome struct {
	Time              time.Time // when the request was recorded
	Client            string
	Method, Target    string           // as recorded
	Sent              string           // the target as sent
	Recorded          *message.Message // answers; nil: there is none
	Replayed          *message.Message
	Why               string        // no answer came
	WasFirst, IsFirst time.Duration // until the first byte of the answer, recorded and replayed
	WasLast, IsLast   time.Duration // until its last byte
}

// NewOutcome returns what is known of x when its request is sent with this
// target.
func NewOutcome(x *message.Exchange, sent string) *Outcome {
	q := x.Request
	o := &Outcome{Time: q.Start.Time(), Client: x.Flow.Client.String(), Method: q.Op, Target: q.Target, Sent: sent, Recorded: x.Response,
		WasFirst: Unknown, WasLast: Unknown, IsFirst: Unknown, IsLast: Unknown}
	if a := x.Response; a != nil {
		o.WasFirst, o.WasLast = took(q.Start, a.Start), took(q.Start, a.End)
	}
	return o
}

// took returns the time between two moments, Unknown where one is not known.
func took(from, to packet.Time) time.Duration {
	if from == 0 || to < from {
		return Unknown
	}
	return to.Sub(from)
}

// Tally keeps count of outcomes. It may be used by many goroutines.
type Tally struct {
	compare  *Comparer
	examples int

	mu         sync.Mutex
	sent       int64
	answered   int64
	same       int64
	different  int64
	uncompared words
	unread     words
	refused    words
	unanswered words
	groups     map[[3]string]int64
	routes     map[string]*route
	kept       []Example
	times      [4]histogram // recorded and replayed, first and last byte
	late       histogram
}

// route is what is counted for requests that ask for the same kind of thing.
type route struct {
	requests, different int64
	times               [2]histogram // recorded, replayed
}

// words counts words, boundedly many.
type words map[string]int64

func (w *words) add(word string, n int64) {
	if *w == nil {
		*w = words{}
	}
	if _, ok := (*w)[word]; !ok && len(*w) >= maxWords {
		word = others
	}
	(*w)[word] += n
}

// NewTally returns an empty tally that compares with c and keeps up to so many
// examples of differences.
func NewTally(c *Comparer, examples int) *Tally {
	return &Tally{compare: c, examples: examples, groups: map[[3]string]int64{}, routes: map[string]*route{}}
}

// Refuse counts recorded requests that were not sent.
func (t *Tally) Refuse(why string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused.add(why, int64(n))
}

// Late counts how much later than planned a request was sent.
func (t *Tally) Late(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.late.add(d)
}

// Answered returns how many requests were sent and how many of them answered.
func (t *Tally) Answered() (sent, answered int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent, t.answered
}

// Take compares the answers of o and counts what it finds. It returns whether
// they differ.
func (t *Tally) Take(o *Outcome) bool {
	var v Verdict
	switch {
	case o.Recorded == nil || o.Replayed == nil && o.Why == Stopped:
	case o.Replayed == nil:
		v.add(Difference{Kind: NoAnswer, Recorded: o.Recorded.Status, Replayed: o.Why}, place{})
	default:
		v = t.compare.Compare(o.Recorded, o.Replayed)
	}
	name := Route(o.Method, o.Target)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent++
	if o.Replayed != nil {
		t.answered++
	} else {
		t.unanswered.add(o.Why, 1)
	}
	switch {
	case v.Count > 0:
		t.different++
		t.example(o, &v, t.group(&v))
	case o.Replayed == nil && o.Why == Stopped:
		t.uncompared.add(Stopped, 1)
	case o.Recorded == nil:
		t.uncompared.add("no recorded answer", 1)
	case o.Recorded.Marks&message.StartMissing != 0:
		t.uncompared.add("recorded answer incomplete", 1)
	default:
		t.same++
	}
	if v.Unread != "" {
		t.unread.add(v.Unread, 1)
	}
	r := t.routes[name]
	if r == nil {
		if len(t.routes) >= maxRoutes {
			name = others
		}
		if r = t.routes[name]; r == nil {
			r = &route{}
			t.routes[name] = r
		}
	}
	r.requests++
	if v.Count > 0 {
		r.different++
	}
	if o.Replayed == nil || o.Recorded == nil {
		return v.Count > 0
	}
	// Only pairs count, so that both sides speak of the same requests.
	if o.WasFirst >= 0 && o.IsFirst >= 0 {
		t.times[0].add(o.WasFirst)
		t.times[1].add(o.IsFirst)
	}
	if o.WasLast >= 0 && o.IsLast >= 0 {
		t.times[2].add(o.WasLast)
		t.times[3].add(o.IsLast)
		r.times[0].add(o.WasLast)
		r.times[1].add(o.IsLast)
	}
	return v.Count > 0
}

// group counts what v has in common with others. It returns whether something
// in it was not met before.
func (t *Tally) group(v *Verdict) (first bool) {
	seen := map[[3]string]bool{}
	for _, d := range v.Differences {
		k := [3]string{string(d.Kind), d.Name, ""}
		switch d.Kind {
		case Status, NoAnswer:
			k[2] = d.Recorded + " → " + d.Replayed
		case Body:
			k[1] = family(d.Name)
		}
		if seen[k] {
			continue // once for each exchange
		}
		seen[k] = true
		if _, ok := t.groups[k]; !ok && len(t.groups) >= maxGroups {
			k = [3]string{k[0], others, ""}
		}
		first = first || t.groups[k] == 0
		t.groups[k]++
	}
	return first
}

// example keeps o for the report. Half of the room is for what was not met
// before, or else one difference in every answer would leave none for others.
func (t *Tally) example(o *Outcome, v *Verdict, first bool) {
	if n := len(t.kept); n >= t.examples || n >= (t.examples+1)/2 && !first {
		return
	}
	e := Example{Time: o.Time.UTC(), Client: o.Client, Method: clip(o.Method), Target: t.compare.Target(o.Target),
		Differences: v.Differences, More: v.Count - len(v.Differences)}
	if o.Sent != o.Target {
		e.Sent = t.compare.Target(o.Sent)
	}
	t.kept = append(t.kept, e)
}

// Report returns what was counted so far.
func (t *Tally) Report() *Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &Report{
		Schema: Schema, Sent: t.sent, Answered: t.answered, Same: t.same, Different: t.different,
		Uncompared: t.uncompared.sorted(), BodiesUncompared: t.unread.sorted(), Refused: t.refused.sorted(), Unanswered: t.unanswered.sorted(),
		FirstByte: Latency{t.times[0].spread(), t.times[1].spread()}, LastByte: Latency{t.times[2].spread(), t.times[3].spread()},
		Late: t.late.spread(), Examples: slices.Clone(t.kept),
	}
	for k, n := range t.groups {
		r.Differences = append(r.Differences, Group{Kind(k[0]), k[1], k[2], n})
	}
	slices.SortFunc(r.Differences, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Change, b.Change))
	})
	for name, x := range t.routes {
		r.Routes = append(r.Routes, RouteCount{name, x.requests, x.different, Latency{x.times[0].spread(), x.times[1].spread()}})
	}
	slices.SortFunc(r.Routes, func(a, b RouteCount) int {
		return cmp.Or(cmp.Compare(b.Different, a.Different), cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Route, b.Route))
	})
	return r
}

func (w words) sorted() []Count { return Counts(w) }

// Counts lists what m counts, the most frequent first.
func Counts[N int | int64](m map[string]N) []Count {
	var all []Count
	for k, n := range m {
		all = append(all, Count{k, int64(n)})
	}
	slices.SortFunc(all, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.What, b.What)) })
	return all
}

// Route names the kind of thing that a request asks for: method and path, with
// {id} for what looks like a number or an identifier.
func Route(method, target string) string {
	path, _, _ := strings.Cut(target, "?")
	if _, rest, ok := strings.Cut(path, "://"); ok {
		_, rest, _ = strings.Cut(rest, "/")
		path = "/" + rest
	}
	parts := strings.Split(path, "/")
	if len(parts) > 12 {
		parts = append(parts[:12], "…")
	}
	for i, p := range parts {
		if identifier(p) {
			parts[i] = "{id}"
		}
	}
	return clip(method + " " + strings.Join(parts, "/"))
}

// identifier tells whether a part of a path is a number, long hexadecimal
// digits, or too long to be a word.
func identifier(s string) bool {
	digits, hex := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c-'0' <= 9:
			digits++
			hex++
		case c == '-', (c|0x20)-'a' < 6:
			hex++
		}
	}
	return s != "" && (digits == len(s) || digits > 0 && hex == len(s) && len(s) >= 8 || len(s) > 48)
}
