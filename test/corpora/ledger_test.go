package corpora

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format"
	js "github.com/passiflow/passiflow/format/json"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/pcapfile"
)

// kept keeps what an output gets.
type kept[T any] struct {
	mu  sync.Mutex
	all []T
}

func (k *kept[T]) Push(_ context.Context, batch []T) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, batch...)
}

// reading is what one run makes of a file.
type reading struct {
	stats     passiflow.Stats
	exchanges []*message.Exchange
	flows     []*flow.Summary
	err       error
}

func read(t *testing.T, file string, workers int, adjust func(*passiflow.Config)) *reading {
	t.Helper()
	c := pcapfile.DefaultConfig()
	c.Paths = []string{file}
	src, err := pcapfile.Open(c)
	if err != nil {
		return &reading{err: err}
	}
	exchanges, flows := &kept[*message.Exchange]{}, &kept[*flow.Summary]{}
	cfg := passiflow.DefaultConfig()
	cfg.Sources, cfg.Workers = []source.Source{src}, workers
	cfg.Protocols = func() []protocol.Protocol {
		return builtin.Protocols(builtin.ProtocolOptions{BodyLimit: 1 << 20})
	}
	cfg.Outputs = []passiflow.Output{{Records: exchanges}, {Unit: passiflow.UnitFlow, Flows: flows}}
	adjust(&cfg)
	p, err := passiflow.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Run(context.Background())
	return &reading{p.Stats(), exchanges.all, flows.all, err}
}

// lines are the records as they are written, sorted.
func (r *reading) lines(f format.Format) (all []string) {
	for _, x := range r.exchanges {
		all = append(all, string(f.Append(nil, x)))
	}
	for _, s := range r.flows {
		all = append(all, string(f.Append(nil, &message.Exchange{Summary: s})))
	}
	slices.Sort(all)
	return all
}

// TestLedger holds that every packet, byte, message and record of every capture
// is accounted for, and that three workers tell the same as one.
func TestLedger(t *testing.T) {
	dir := folder(t)
	text, err := os.ReadFile(filepath.Join(dir, "MANIFEST.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Entries []struct{ File string } }
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest.Entries) == 0 {
		t.Fatal("no captures")
	}
	opened := 0
	for _, e := range manifest.Entries {
		file := filepath.Join(dir, e.File)
		one := read(t, file, 1, func(*passiflow.Config) {})
		several := read(t, file, 3, func(*passiflow.Config) {})
		if (one.err == nil) != (several.err == nil) {
			t.Errorf("%s: one worker: %v, three: %v", e.File, one.err, several.err)
		}
		if one.stats.Walk.Packets > 0 {
			opened++
		}
		for _, broken := range append(one.laws(), several.laws()...) {
			t.Errorf("%s: %s", e.File, broken)
		}
		for _, broken := range read(t, file, 2, tighten).laws() {
			t.Errorf("%s, at every bound: %s", e.File, broken)
		}
		f := js.New(js.DefaultConfig())
		if d := cmp.Diff(one.lines(f), several.lines(f)); d != "" {
			t.Errorf("%s: records of one worker and (+) three:\n%s", e.File, d)
		}
		if t.Failed() && opened > 1000 {
			break
		}
	}
	t.Logf("%d captures, %d with packets", len(manifest.Entries), opened)
	if opened < len(manifest.Entries)*9/10 {
		t.Errorf("only %d captures have packets", opened)
	}
}

// tighten sets every bound so low that captures reach it.
func tighten(c *passiflow.Config) {
	c.Parser.FragmentBytes, c.Parser.FragmentDatagrams = 4<<10, 2
	c.Flow.MaxFlows, c.Flow.MaxPending, c.Flow.MaxBytes = 3, 2<<10, 3<<10
	c.Flow.Sample = 0.8
	c.Core.Memory, c.Core.Hold, c.Core.Probe, c.Core.Outstanding = 16<<10, 600, 100, 2
	c.Packets = 200
}

// laws returns what does not add up.
func (r *reading) laws() (broken []string) {
	equal := func(what string, a, b uint64) {
		if a != b {
			broken = append(broken, what+": "+cmp.Diff(a, b))
		}
	}
	s := &r.stats
	w, f, c, g := &s.Walk, &s.Flow, &s.Core, &s.Fragments
	var parsed uint64
	for _, n := range w.Parsed {
		parsed += n
	}
	equal("packets received and read", s.Source.Received, w.Packets)
	equal("packets", w.Packets, w.Filtered+w.BeyondCount+parsed)
	equal("packets with ports", w.Parsed[packet.OK], w.OtherPort+f.Packets)
	equal("fragments", w.Parsed[packet.Held], g.Completed+g.Expired+g.Shed+g.Replaced+g.Pending)
	equal("payload", f.Payload, f.Delivered+f.Duplicate+f.OutOfWindow+f.AfterReset+f.Refused+f.Unsampled+f.Copies+uint64(s.Pending))
	equal("bytes decoded", f.Delivered, c.Decoded+c.SkippedBytes+c.OpaqueBytes+uint64(s.Undecoded))
	equal("messages", c.Requests+c.Answers+c.Interim, 2*c.Pairs+c.Interims+c.Halves+c.ShedMessages+uint64(s.Waiting))
	equal("conversations", f.Opened, f.Finished+f.Idle+f.Evicted+f.Stopped+uint64(s.Flows))
	equal("conversations at the end", uint64(s.Flows), 0)
	equal("waiting at the end", uint64(s.Waiting+s.Pending+s.Held), 0)
	equal("exchanges", uint64(len(r.exchanges)), c.Pairs+c.Halves)
	equal("exchanges counted", uint64(len(r.exchanges)), w.Exchanges)
	equal("summaries", uint64(len(r.flows)), f.Opened)
	var halves uint64
	for _, n := range c.HalfBy {
		halves += n
	}
	equal("halves", c.Halves, halves)

	// What the conversations say of themselves is what the table says of all.
	var packets, payload, delivered, lost uint64
	for _, x := range r.flows {
		for side := range x.Packets {
			packets += x.Packets[side]
			payload += x.Bytes[side]
			if x.Flow.Transport == packet.TCP {
				delivered += x.Delivered[side]
				lost += x.Lost[side]
			}
		}
	}
	equal("packets of conversations", packets+f.NotTCP+f.RefusedFlows+f.UnsampledPackets+f.CopyPackets, f.Packets)
	if f.Copies+f.NotTCPData == 0 {
		equal("payload of conversations", payload+f.Refused+f.Unsampled, f.Payload)
	}
	equal("bytes in order of conversations", delivered, f.Delivered)
	equal("lost bytes of conversations", lost, f.Lost)
	return broken
}
