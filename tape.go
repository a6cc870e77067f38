package passiflow

import (
	"container/list"
	"context"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// tape keeps the packets of conversations until a record that the rules keep
// tells that they are wanted, for one output of UnitPacket. It belongs to one
// worker. What had to go at its bound is never told in part.
type tape struct {
	to    Frames
	reels map[uint64]*reel // by Flow.ID
	ended []uint64         // those that go when the batch is handed on
	order *list.List       // of reels that hold packets, the oldest first
	held  int              // bytes
	most  int
	lost  *uint64 // packets of reels that had to go
}

// reel is the packets of one conversation.
type reel struct {
	packets []packet.Packet // copies
	bytes   int
	wanted  bool // packets go out at once
	shed    bool // it had to go: what comes later would be a part
	at      *list.Element
}

// packetBytes is about what a held packet takes beside its bytes.
const packetBytes = 256

func newTape(to Frames, most int, lost *uint64) *tape {
	return &tape{to: to, reels: map[uint64]*reel{}, order: list.New(), most: most, lost: lost}
}

// packet takes p of the conversation f, which is borrowed.
func (t *tape) packet(ctx context.Context, f *flow.Flow, p *packet.Packet) {
	r := t.reels[f.ID]
	switch {
	case r == nil:
		r = &reel{}
		r.at = t.order.PushBack(r)
		t.reels[f.ID] = r
	case r.wanted:
		t.to.Packet(ctx, p)
		return
	case r.shed:
		*t.lost++
		return
	}
	c := *p
	c.Data = append([]byte(nil), p.Data...)
	c.Payload = nil
	r.packets = append(r.packets, c)
	r.bytes += len(c.Data) + packetBytes
	t.held += len(c.Data) + packetBytes
	for t.held > t.most && t.order.Len() > 0 {
		old := t.order.Front().Value.(*reel)
		*t.lost += uint64(len(old.packets))
		old.shed = true
		t.drop(old)
	}
}

// Push implements Pusher: the conversations of these records are wanted.
func (t *tape) Push(ctx context.Context, batch []*message.Exchange) {
	for _, x := range batch {
		r := t.reels[x.Flow.ID]
		if r == nil || r.wanted || r.shed {
			continue
		}
		for i := range r.packets {
			t.to.Packet(ctx, &r.packets[i])
		}
		r.wanted = true
		t.drop(r)
	}
}

// done takes the end of a conversation, whose last records may still come with
// this batch of packets.
func (t *tape) done(f *flow.Flow) { t.ended = append(t.ended, f.ID) }

// flush forgets the conversations that have ended.
func (t *tape) flush() {
	for _, id := range t.ended {
		if r := t.reels[id]; r != nil {
			t.drop(r)
			delete(t.reels, id)
		}
	}
	t.ended = t.ended[:0]
}

// drop lets go of the packets of r.
func (t *tape) drop(r *reel) {
	if r.at != nil {
		t.order.Remove(r.at)
		r.at = nil
	}
	t.held -= r.bytes
	r.packets, r.bytes = nil, 0
}

// tape keeps p, which the table had last, with its conversation.
func (w *worker) tape(ctx context.Context, p *packet.Packet) {
	if f := w.table.Last(); f != nil {
		for _, t := range w.tapes {
			t.packet(ctx, f, p)
		}
	}
}

// openTapes opens a tape for each output of UnitPacket, by its index.
func (w *worker) openTapes() map[int]*tape {
	all := map[int]*tape{}
	for i := range w.cfg.Outputs {
		if o := &w.cfg.Outputs[i]; o.Unit == UnitPacket {
			all[i] = newTape(o.Packets(w.src), w.cfg.TapeBytes, &w.count.TapeLost)
			w.tapes = append(w.tapes, all[i])
		}
	}
	return all
}
