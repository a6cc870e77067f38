package passiflow

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/source"
)

// worker carries the packets of one source from Read to the queues of the
// outputs, alone: no lock and no channel between.
type worker struct {
	cfg     *Config
	src     source.Source
	live    bool
	newest  packet.Time    // of the last packet read, when live
	now     packet.Time    // newest of the packets that passed the filter
	read    time.Time      // when newest was read
	packets *atomic.Uint64 // of all workers, where Config.Packets bounds them
	parser  *packet.Parser
	table   *flow.Table // nil: nobody wants records
	core    *protocol.Core
	frames  Frames
	ports   *[8192]byte // bitmap; nil: all
	notes   *notes

	sets   []*set
	tapes  []*tape
	pieces []*pieces // of outputs of unit chunk
	flows  []*flow.Summary

	others *handover // nil: nothing comes from elsewhere
	inbox  *inbox
	home   *inbox // of the packet that the parser met last which belongs elsewhere
	taken  *pile
	limit  packet.Time // of packets that are read before others were looked at
	tired  bool        // of waiting for others, in vain

	count  Walk
	mu     sync.Mutex
	public Stats
}

// run is the walk. It ends with walk; what is on its way then still reaches the
// outputs by ctx, with finish.
func (w *worker) run(walk, ctx context.Context) error {
	batch := make([]packet.Packet, source.Batch)
	o, shared := w.src.(*share)
	var stopped time.Time
	for empty := false; !w.over(walk, &stopped, empty); {
		n, err := w.src.Read(batch)
		empty = n == 0
		if w.live && n > 0 {
			w.newest, w.read = batch[n-1].Time, time.Now()
		}
		if w.others != nil {
			w.keepUp(ctx, batch, n)
		}
		for i := range batch[:n] {
			if w.others != nil && batch[i].Time > w.limit {
				w.pace(ctx, batch[i].Time)
			}
			if shared {
				w.now = max(w.now, o.before(n-i))
			}
			if !w.packet(ctx, &batch[i]) {
				w.count.Packets += uint64(n - i - 1)
				w.count.BeyondCount += uint64(n - i - 1)
				err = io.EOF
				break
			}
		}
		if n == 0 && err == nil {
			w.idle(ctx)
		}
		if shared && w.table != nil {
			w.table.Pass(o.elapsed())
		}
		w.hand(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// finish follows run, when it is known that nothing more is to be read.
func (w *worker) finish(ctx context.Context) {
	w.await(ctx)
	w.close(ctx)
}

// drain bounds how long a live source is read on after the end was asked for,
// and settle how soon that may be over: a Read may return for another reason than
// that there is nothing.
const (
	drain  = 250 * time.Millisecond
	settle = 80 * time.Millisecond
)

// over tells whether reading has come to its end: at once for a file, and for a
// live source when it has shown what came before the end was asked for.
func (w *worker) over(walk context.Context, stopped *time.Time, empty bool) bool {
	switch {
	case walk.Err() == nil:
		return false
	case !w.live:
		return true
	case stopped.IsZero():
		*stopped = time.Now()
		return false
	}
	past := time.Since(*stopped)
	return empty && past >= settle || past >= drain || w.newest.Time().After(*stopped)
}

// packet takes one packet as far as it is wanted. It returns false when it was
// the last one.
func (w *worker) packet(ctx context.Context, p *packet.Packet) bool {
	w.count.Packets++
	w.count.Bytes += uint64(len(p.Data))
	if w.cfg.Filter != nil && !w.cfg.Filter.Match(p) {
		w.count.Filtered++
		return true
	}
	if w.cfg.Packets == 0 {
		w.walk(ctx, p)
		return true
	}
	n := w.packets.Add(1)
	if n <= w.cfg.Packets {
		w.walk(ctx, p)
	} else {
		w.count.BeyondCount++
	}
	return n < w.cfg.Packets
}

// walk takes one packet through the floors.
func (w *worker) walk(ctx context.Context, p *packet.Packet) {
	w.now = max(w.now, p.Time)
	if len(p.Data) < p.Length {
		w.count.Cut++
	}
	if r := w.parser.Parse(p); r != packet.Elsewhere {
		w.parsed(ctx, p, r)
	} else {
		w.give(ctx, p)
	}
}

// parsed takes one packet whose headers have been read to their end.
func (w *worker) parsed(ctx context.Context, p *packet.Packet, r packet.Reason) {
	w.count.Parsed[r]++
	if r == packet.OK && w.ports != nil && !w.port(p.Src.Port()) && !w.port(p.Dst.Port()) {
		w.count.OtherPort++
		return
	}
	if w.frames != nil && (r == packet.OK || r == packet.Held || w.ports == nil) {
		w.frames.Packet(ctx, p)
		w.count.Written++
	}
	if r == packet.OK && w.table != nil {
		if w.now > p.Time {
			w.table.Pass(w.now)
		}
		w.table.Packet(p)
		if len(w.tapes) > 0 {
			w.tape(ctx, p)
		}
	}
}

func (w *worker) port(n uint16) bool { return w.ports[n>>3]&(1<<(n&7)) != 0 }

// idle lets the clock drive timeouts while a live source has nothing, lagging
// the time that packets may rest in the kernel's blocks. It counts from the last
// packet, so that a file which grows with packets of yesterday keeps their time.
func (w *worker) idle(ctx context.Context) {
	if w.live && w.table != nil && !w.read.IsZero() {
		w.table.Advance(w.newest.Add(time.Since(w.read) - lag))
	}
	w.flush(ctx)
}

// flush hands on what is held for files of packets.
func (w *worker) flush(ctx context.Context) {
	if w.frames != nil {
		w.frames.Flush(ctx)
	}
	for _, t := range w.tapes {
		t.to.Flush(ctx)
	}
}

const lag = 250 * time.Millisecond

// passed returns the time that has passed in the capture, whichever worker had
// the packets.
func (w *worker) passed() packet.Time {
	if o, ok := w.src.(*share); ok {
		return max(w.now, o.elapsed())
	}
	return w.now
}

// hand pushes what the batch brought to the outputs and publishes the counts.
func (w *worker) hand(ctx context.Context) {
	for _, s := range w.sets {
		s.push(ctx)
	}
	for _, t := range w.tapes {
		t.flush()
	}
	for _, p := range w.pieces {
		p.push(ctx)
	}
	if len(w.flows) > 0 {
		for i := range w.cfg.Outputs {
			if o := &w.cfg.Outputs[i]; o.Unit == UnitFlow {
				o.Flows.Push(ctx, w.flows)
			}
		}
		clear(w.flows)
		w.flows = w.flows[:0]
	}
	w.publish()
}

// close ends all conversations and hands on what they held.
func (w *worker) close(ctx context.Context) {
	if w.table != nil {
		w.table.Advance(w.passed())
		w.table.Close()
	}
	w.hand(ctx)
	w.flush(ctx)
}

// open begins a conversation.
func (w *worker) open(f *flow.Flow) flow.Stream {
	w.name(f)
	var s flow.Stream
	if w.core != nil {
		s = w.core.Open(f)
	}
	if len(w.pieces) > 0 && (w.cfg.Own == nil || !w.cfg.Own(f)) {
		s = w.cut(f, s)
	}
	return s
}

// name says where a conversation was seen.
func (w *worker) name(f *flow.Flow) {
	if all := w.src.Interfaces(); f.Source == "" && f.Interface < len(all) {
		f.Source = all[f.Interface].Name
	}
}

// done takes a conversation at its end.
func (w *worker) done(s *flow.Summary) {
	if s.Reason == flow.Evicted {
		w.notes.evicted(s)
	}
	for _, t := range w.tapes {
		t.done(s.Flow)
	}
	if w.flows != nil && (w.cfg.Own == nil || !w.cfg.Own(s.Flow)) {
		w.name(s.Flow)
		w.flows = append(w.flows, s)
	}
}

// Exchange implements protocol.Taker.
func (w *worker) Exchange(x *message.Exchange) {
	w.count.Exchanges++
	w.take(UnitExchange, x)
}

// Message implements protocol.Taker.
func (w *worker) Message(x *message.Exchange) {
	w.count.Messages++
	w.take(UnitMessage, x)
}

// Opaque implements protocol.Taker.
func (w *worker) Opaque(f *flow.Flow, o *protocol.Opaque) {
	if o.Next == "tls" {
		w.count.TLS++
	}
	w.notes.opaque(f, o)
}

// Broken implements protocol.Taker.
func (w *worker) Broken(f *flow.Flow, name string, cause any) { w.notes.broken(f, name, cause) }
