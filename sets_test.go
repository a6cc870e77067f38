package passiflow_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/message"
)

// targets keeps what requests ask for.
type targets struct {
	mu  sync.Mutex
	all map[string]int
}

func (s *targets) Push(_ context.Context, batch []*message.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range batch {
		if x.Request != nil {
			if s.all == nil {
				s.all = map[string]int{}
			}
			s.all[x.Request.Target[:2]]++
			s.all[x.Request.Fields[0].Value]++
		}
	}
}

// stamp is a rule that leaves a trace each time it sees a half.
type stamp string

func (s stamp) Apply(x *message.Exchange) bool {
	m := x.Request
	if m == nil {
		return true
	}
	if s == "panic" {
		panic("rule")
	}
	m.Target = string(s) + m.Target
	m.Fields[0].Value = string(s) + m.Fields[0].Value
	return !strings.HasSuffix(m.Target, "/1")
}

// Every output gets its own rules applied once, whatever others get.
func TestRulesOfOutputs(t *testing.T) {
	cfg, plain := config(open(t, capture(20, 4)))
	cfg.Rules = stamp("A")
	outs := [6]targets{}
	cfg.Outputs = []passiflow.Output{
		{Unit: passiflow.UnitExchange, Records: &outs[0]},
		{Unit: passiflow.UnitExchange, Records: &outs[1]}, // shares with the first
		{Unit: passiflow.UnitExchange, Records: &outs[2], Rules: stamp("B")},
		{Unit: passiflow.UnitMessage, Records: &outs[3]},
		{Unit: passiflow.UnitMessage, Records: &outs[4], Rules: stamp("B")},
		{Unit: passiflow.UnitExchange, Records: &outs[5], Rules: stamp("panic")},
		{Unit: passiflow.UnitExchange, Records: plain, Rules: stamp("")},
	}
	p := start(t, cfg)
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"A", "A", "B", "A", "B"} {
		if n := outs[i].all; n[want+"/"] != 60 || n[want+"a"] != 60 || len(n) != 2 {
			t.Errorf("output %d: %v, want 60 targets and fields with %s once", i, n, want)
		}
	}
	if outs[5].all != nil {
		t.Errorf("handed on what rules failed on: %v", outs[5].all)
	}
	w := p.Stats().Walk
	if w.RuleFailed != 80 || w.Dropped != 5*20 { // five sets of rules that decide
		t.Errorf("%+v", w)
	}
}

// The rules of a single set change records in place and see each half once.
func TestRulesInPlace(t *testing.T) {
	cfg, _ := config(open(t, capture(20, 4)))
	out := &targets{}
	cfg.Rules = stamp("A")
	cfg.Outputs[0].Records = out
	if err := start(t, cfg).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out.all["A/"] != 60 || len(out.all) != 2 {
		t.Error(out.all)
	}
}
