package passiflow_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/source"
)

// heap keeps chunks.
type heap struct {
	mu  sync.Mutex
	all []*message.Chunk
}

func (h *heap) Push(_ context.Context, batch []*message.Chunk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, batch...)
}

// lines tells what each stream brought, in order.
func (h *heap) lines() (all []string) {
	text := map[string]string{}
	for _, c := range h.all {
		s := string(c.Data)
		if c.First {
			s = "<" + s
		}
		if c.Mid {
			s = "mid" + s
		}
		if c.Lost > 0 {
			s = fmt.Sprintf("(%d)", c.Lost) + s
		}
		if c.End {
			s += ">"
		}
		text[c.Src().String()] += s
	}
	for k, v := range text {
		all = append(all, k+" "+v)
	}
	slices.Sort(all)
	return all
}

func TestChunks(t *testing.T) {
	tape := packettest.NewTape()
	a := tape.Open("10.0.0.1:40000", "10.0.0.2:80", nil)
	a.Client("GET / HTTP/1.1\r\n\r\n")
	a.Server("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab")
	a.Lose(2)
	a.Server("ef")
	a.Close()
	b := tape.Open("10.0.0.1:40001", "10.0.0.2:80", nil)
	b.Client("open")
	for _, workers := range []int{1, 4} {
		all, asked := &heap{}, &heap{}
		cfg, records := config(open(t, tape.Bytes()))
		cfg.Workers = workers
		cfg.Outputs = append(cfg.Outputs, passiflow.Output{Unit: passiflow.UnitChunk, Chunks: all},
			passiflow.Output{Unit: passiflow.UnitChunk, Chunks: asked, Wants: func(f *flow.Flow, from flow.Side) bool {
				return from == flow.Client && f.Client.Port() == 40000
			}})
		p := start(t, cfg)
		if err := run(t.Context(), t, p); err != nil {
			t.Fatal(err)
		}
		want := []string{"10.0.0.1:40000 <GET / HTTP/1.1\r\n\r\n>", "10.0.0.1:40001 <open>",
			"10.0.0.2:80 <HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab(2)ef>"}
		if d := cmp.Diff(want, all.lines()); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(want[:1], asked.lines()); d != "" {
			t.Error(d)
		}
		if len(records.sorted()) == 0 {
			t.Error("the other output got nothing")
		}
		if s := p.Stats(); s.Walk.ChunkBytes != s.Flow.Delivered {
			t.Errorf("%+v", s.Walk)
		}
	}
}

// An output of bytes alone needs no protocol.
func TestChunksAlone(t *testing.T) {
	tape := packettest.NewTape()
	c := tape.Open("10.0.0.1:40000", "10.0.0.2:80", nil)
	c.Client(strings.Repeat("x", 5000))
	h := &heap{}
	cfg := passiflow.DefaultConfig()
	cfg.Sources = []source.Source{open(t, tape.Bytes())}
	cfg.Outputs = []passiflow.Output{{Unit: passiflow.UnitChunk, Chunks: h}}
	if err := start(t, cfg).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"10.0.0.1:40000 <" + strings.Repeat("x", 5000) + ">"}, h.lines()); d != "" {
		t.Error(d)
	}
	cfg.Outputs[0].Chunks = nil
	if _, err := passiflow.New(cfg); err == nil {
		t.Error("an output without a place")
	}
}

type nobody struct{}

func (nobody) Write(context.Context, []*message.Chunk) error { return nil }
func (nobody) Close(context.Context) error                   { return nil }

func BenchmarkChunks(b *testing.B) {
	tape := capture(200, 100)
	b.SetBytes(int64(len(tape)))
	for b.Loop() {
		cfg := passiflow.DefaultConfig()
		cfg.Sources = []source.Source{open(b, tape)}
		c := sink.DefaultQueueConfig()
		c.Policy = sink.Wait
		q := sink.NewChunks(nobody{}, c)
		cfg.Outputs = []passiflow.Output{{Unit: passiflow.UnitChunk, Chunks: q}}
		if err := start(b, cfg).Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		_ = q.Close(b.Context())
	}
}
