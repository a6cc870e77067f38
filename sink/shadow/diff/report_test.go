package diff_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink/shadow/diff"
)

func tally(t testing.TB, examples int) *diff.Tally {
	t.Helper()
	d, err := diff.New(diff.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return diff.NewTally(d, examples)
}

func outcome(target string, was, is *message.Message) *diff.Outcome {
	return &diff.Outcome{Time: time.Unix(1, 0), Client: "10.0.0.1:4000", Method: "GET", Target: target, Sent: target, Recorded: was, Replayed: is,
		WasFirst: time.Millisecond, WasLast: 2 * time.Millisecond, IsFirst: 3 * time.Millisecond, IsLast: 4 * time.Millisecond}
}

func TestTally(t *testing.T) {
	a := tally(t, 2)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			switch i % 5 {
			case 0:
				a.Take(outcome(fmt.Sprintf("/a/%d", i), answer("200", `{"l":[1,2]}`, jsonType), answer("500", `{"l":[2,3]}`, jsonType)))
			case 1:
				o := outcome("/hang", answer("200", ""), nil)
				o.Why = "timeout"
				a.Take(o)
			case 2:
				a.Take(outcome("/b", nil, answer("200", "")))
			case 3:
				o := outcome("/stopped", answer("200", ""), nil)
				o.Why = diff.Stopped
				a.Take(o)
			default:
				a.Take(outcome("/b", answer("200", "x"), answer("200", "x")))
			}
		})
	}
	all.Wait()
	a.Refuse("masked", 3)
	r := a.Report()
	if r.Sent != 100 || r.Answered != 60 || r.Same != 20 || r.Different != 40 || len(r.Examples) != 2 || r.Examples[0].Differences[0].Kind == r.Examples[1].Differences[0].Kind {
		t.Errorf("%+v", r)
	}
	for _, x := range []struct{ got, want any }{
		{r.Unanswered, []diff.Count{{What: "stopped", Count: 20}, {What: "timeout", Count: 20}}},
		{r.Uncompared, []diff.Count{{What: "no recorded answer", Count: 20}, {What: "stopped", Count: 20}}},
		{r.Refused, []diff.Count{{What: "masked", Count: 3}}},
		{r.Differences, []diff.Group{{Kind: "body", Name: "$.l[*]", Count: 20}, {Kind: "no answer", Change: "200 → timeout", Count: 20}, {Kind: "status", Change: "200 → 500", Count: 20}}},
	} {
		if d := cmp.Diff(x.want, x.got); d != "" {
			t.Error(d)
		}
	}
	if r.LastByte.Recorded.Count != 40 || r.LastByte.Recorded.P50 != 2*time.Millisecond || r.LastByte.Replayed.Max != 4*time.Millisecond || r.FirstByte.Replayed.P99 != 3*time.Millisecond {
		t.Errorf("%+v", r.LastByte)
	}
}

// What servers say cannot make the counts grow without end.
func TestTallyIsBounded(t *testing.T) {
	a := tally(t, 10)
	for i := range 3000 {
		a.Take(outcome(fmt.Sprintf("/%s", strings.Repeat("x", i%40)+fmt.Sprint("w", i, "w")), answer("200", ""), answer("200", "", fmt.Sprintf("H%d: 1", i))))
		o := outcome("/", nil, nil)
		o.Why = fmt.Sprint(i)
		a.Take(o)
	}
	r := a.Report()
	var routes, groups, words int64
	for _, x := range r.Routes {
		routes += x.Requests
	}
	for _, x := range r.Differences {
		groups += x.Count
	}
	for _, x := range r.Unanswered {
		words += x.Count
	}
	if len(r.Routes) > 201 || len(r.Differences) > 501 || len(r.Unanswered) > 101 || routes != 6000 || groups != 3000 || words != 3000 || len(r.Examples) != 10 {
		t.Errorf("%d routes, %d groups, %d words, %d examples; %d %d %d", len(r.Routes), len(r.Differences), len(r.Unanswered), len(r.Examples), routes, groups, words)
	}
}

func TestPercentiles(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	a := tally(t, 0)
	var all []time.Duration
	for range 5000 {
		d := time.Duration(rnd.ExpFloat64() * 1e7)
		all = append(all, d)
		o := outcome("/", answer("200", ""), answer("200", ""))
		o.WasLast, o.IsLast = d, 0
		a.Take(o)
	}
	slices.Sort(all)
	s := a.Report().LastByte.Recorded
	for _, x := range []struct {
		got   time.Duration
		share float64
	}{{s.P50, .5}, {s.P90, .9}, {s.P95, .95}, {s.P99, .99}} {
		want := all[int(x.share*5000)-1]
		if d := float64(x.got-want) / float64(want); d < -.04 || d > .04 {
			t.Errorf("p%g: %v, want %v", 100*x.share, x.got, want)
		}
	}
	if s.Max != all[len(all)-1] || s.Count != 5000 {
		t.Errorf("%+v", s)
	}
}

func TestForms(t *testing.T) {
	a := tally(t, 100)
	for i := range 30 {
		o := outcome(fmt.Sprintf("/<script>alert(%d)</script>", i), answer("200", "<b>was</b>\x1b[31m", "X: \u202e"), answer("503", "</code><script>is</script>"))
		a.Take(o)
	}
	a.Refuse("unsafe method", 7)
	r := a.Report()
	r.Target, r.File, r.Requests = "http://127.0.0.1:1", "a.pcap", 37
	for _, name := range []string{"a.html", "A.HTML", "a.json", "a.txt", "a"} {
		var b bytes.Buffer
		if err := r.Write(&b, name); err != nil {
			t.Fatal(err)
		}
		s := b.String()
		switch strings.ToLower(name) {
		case "a.html":
			if !strings.HasPrefix(s, "<!doctype html>") || strings.Contains(s, "<script") || strings.Contains(s, "<b>was") || strings.Contains(s, "ZgotmplZ") ||
				strings.Contains(s, "http://") && strings.Count(s, "http://") != strings.Count(s, "http://127.0.0.1:1") {
				t.Error("the page holds what it should not")
			}
			for _, want := range []string{"30 differ</span>", "unsafe method", "&lt;b&gt;was", "200 → 503", "prefers-color-scheme:dark", "</html>"} {
				if !strings.Contains(s, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
		case "a.json":
			var back diff.Report
			if err := json.Unmarshal(b.Bytes(), &back); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(r, &back); d != "" {
				t.Error(d)
			}
		default:
			if strings.ContainsAny(s, "\x1b\u202e") {
				t.Error("the text holds what a terminal obeys")
			}
			for _, want := range []string{"different                30", "not sent: unsafe method  7", "and 20 more examples", "status 200 → 503"} {
				if !strings.Contains(s, want) {
					t.Errorf("the text lacks %q:\n%s", want, s)
				}
			}
		}
	}
}
