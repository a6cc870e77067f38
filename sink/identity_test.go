package sink_test

import (
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

func TestAhead(t *testing.T) {
	of := func(id uint64) *flow.Flow { return &flow.Flow{ID: id} }
	all := []*message.Exchange{
		{Flow: of(1), Request: &message.Message{}},
		{Flow: of(1), Request: &message.Message{Index: 1}, Response: &message.Message{From: flow.Server}},
		{Flow: of(1), Response: &message.Message{From: flow.Server, Index: 1}},
		{Flow: of(2), Request: &message.Message{}},
		{Flow: of(1), Summary: &flow.Summary{}},
		{Flow: of(2), Summary: &flow.Summary{}},
	}
	var a sink.Ahead
	for i, x := range all {
		if a.Has(x) {
			t.Errorf("%d is taken for another", i)
		}
		a.Add(x)
	}
	for i, x := range all {
		y := *x
		f := *x.Flow
		if y.Flow = &f; !a.Has(&y) {
			t.Errorf("a copy of %d is not known", i)
		}
		if a.Forget(&y); a.Has(x) {
			t.Errorf("%d is not forgotten", i)
		}
	}
	for _, nameless := range []*message.Exchange{{}, {Request: &message.Message{}}, {Flow: of(0)}} {
		if a.Add(nameless); a.Has(nameless) {
			t.Errorf("%+v has no identity", nameless)
		}
	}
	// What never comes again has a bound.
	for i := range 100_000 {
		a.Add(&message.Exchange{Flow: of(uint64(i)), Request: &message.Message{}})
	}
	n := 0
	for i := range 100_000 {
		if a.Has(&message.Exchange{Flow: of(uint64(i)), Request: &message.Message{}}) {
			n++
		}
	}
	if n > 50_000 || n < 10_000 {
		t.Errorf("%d are remembered", n)
	}
}
