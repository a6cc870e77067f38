package passiflow

import (
	"container/list"
	"context"
	"net/netip"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// tape keeps the packets of conversations until a record that the rules keep
// tells that they are wanted, for one output of UnitPacket. It belongs to one
// worker. What had to go at its bound is never told in part.
type tape struct {
	to    Frames
	reels map[ends]*reel
	ended map[ends]*reel // until the batch is handed on
	order *list.List     // of reels that hold packets, the oldest first
	held  int            // bytes
	most  int
	lost  *uint64 // packets of reels that had to go
}

// ends are the two ends of a conversation, whoever spoke.
type ends struct {
	low, high netip.AddrPort
	tunnel    packet.Tunnel
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
	return &tape{to: to, reels: map[ends]*reel{}, ended: map[ends]*reel{}, order: list.New(), most: most, lost: lost}
}

func endsOf(a, b netip.AddrPort, t packet.Tunnel) ends {
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return ends{a, b, t}
}

// packet takes p, which is borrowed.
func (t *tape) packet(ctx context.Context, p *packet.Packet) {
	k := endsOf(p.Src, p.Dst, p.Tunnel)
	r := t.reels[k]
	switch {
	case r == nil:
		r = &reel{}
		r.at = t.order.PushBack(r)
		t.reels[k] = r
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
		k := endsOf(x.Flow.Client, x.Flow.Server, x.Flow.Tunnel)
		r := t.ended[k]
		if r == nil {
			r = t.reels[k]
		}
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
func (t *tape) done(f *flow.Flow) {
	k := endsOf(f.Client, f.Server, f.Tunnel)
	if r := t.reels[k]; r != nil {
		delete(t.reels, k)
		if old := t.ended[k]; old != nil {
			t.drop(old)
		}
		t.ended[k] = r
	}
}

// flush forgets the conversations that have ended.
func (t *tape) flush() {
	for k, r := range t.ended {
		t.drop(r)
		delete(t.ended, k)
	}
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
