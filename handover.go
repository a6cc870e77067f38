package passiflow

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// handover brings packets that came in fragments to the worker of what is inside
// of them. The fragments of a tunnel's packet meet in the worker of the tunnel's
// ends, since they show nothing else; only when it has put them together can be
// told whose conversation they belong to, and that worker then reads on.
type handover struct {
	inboxes []*inbox // of the workers
	reading atomic.Int32
	done    chan struct{} // closed when no worker reads its source any more
}

// inbox holds what others have put together for one worker.
type inbox struct {
	wake func()        // of the worker's source
	bell chan struct{} // the same for a worker that reads it no more
	most int           // bytes
	some atomic.Bool   // there is something
	mu   sync.Mutex
	fill *pile // nil: the worker has ended
}

// pile is a run of packets with their data.
type pile struct {
	packets []handed
	data    []byte
}

type handed struct {
	packet packet.Packet
	rest   packet.Rest
}

// newHandover returns nil unless the sources share what is captured.
func newHandover(sources []source.Source, most int) *handover {
	if len(sources) < 2 {
		return nil
	}
	h := &handover{done: make(chan struct{})}
	for _, s := range sources {
		shared, ok := s.(source.Shared)
		if !ok {
			return nil
		}
		h.inboxes = append(h.inboxes, &inbox{wake: shared.Wake, bell: make(chan struct{}, 1), most: most, fill: &pile{}})
	}
	h.reading.Store(int32(len(sources)))
	return h
}

// leave is called once by each worker that reads its source no more.
func (h *handover) leave() {
	if h.reading.Add(-1) == 0 {
		close(h.done)
	}
}

// put copies p and what is left to read of it. It returns false where there is
// no room.
func (b *inbox) put(p *packet.Packet, r packet.Rest) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.fill
	if l == nil || len(l.data)+len(p.Data)+len(r.Frame) > b.most {
		return false
	}
	// Where data has to grow, what is in it already stays where it was.
	keep := func(x []byte) []byte {
		at := len(l.data)
		l.data = append(l.data, x...)
		return l.data[at:len(l.data):len(l.data)]
	}
	h := handed{*p, r}
	h.packet.Data, h.packet.Payload, h.rest.Frame = keep(p.Data), nil, keep(r.Frame)
	l.packets = append(l.packets, h)
	if !b.some.Swap(true) {
		b.wake()
		select {
		case b.bell <- struct{}{}:
		default:
		}
	}
	return true
}

// swap returns what there is, and takes an empty pile for what comes; nil: nothing
// may come any more.
func (b *inbox) swap(empty *pile) *pile {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.fill
	b.fill = empty
	b.some.Store(false)
	return l
}

// join makes the worker the one of number i among those of h.
func (w *worker) join(h *handover, i int) {
	w.others, w.inbox, w.spare = h, h.inboxes[i], &pile{}
	shared := w.src.(source.Shared)
	w.parser.Route(func(l packet.Link, frame []byte) bool {
		w.home = h.inboxes[shared.Place(l, frame)]
		return w.home == w.inbox
	})
}

// give hands over the packet for which the parser returned Elsewhere.
func (w *worker) give(ctx context.Context, p *packet.Packet) {
	if w.home.put(p, w.parser.Rest()) {
		w.count.Given++
		return
	}
	w.parsed(ctx, p, packet.Elsewhere)
}

// accept reads on in what others have handed over.
func (w *worker) accept(ctx context.Context) {
	if w.inbox != nil && w.inbox.some.Load() {
		w.spare = w.resume(ctx, w.inbox.swap(w.spare))
	}
}

// resume reads on in the packets of l and returns it empty.
func (w *worker) resume(ctx context.Context, l *pile) *pile {
	for i := range l.packets {
		h := &l.packets[i]
		w.count.Taken++
		w.now = max(w.now, h.packet.Time)
		if r := w.parser.Resume(&h.packet, h.rest); r == packet.Elsewhere {
			w.give(ctx, &h.packet)
		} else {
			w.parsed(ctx, &h.packet, r)
		}
	}
	clear(l.packets)
	l.packets, l.data = l.packets[:0], l.data[:0]
	return l
}

// await takes what others still hand over, until none of them reads any more.
// What is in fragments within fragments may then find the worker it belongs to
// ended; it is counted like what found no room.
func (w *worker) await(ctx context.Context) {
	if w.others == nil {
		return
	}
	w.others.leave()
	for {
		select {
		case <-w.others.done:
			w.resume(ctx, w.inbox.swap(nil))
			return
		case <-w.inbox.bell:
			w.accept(ctx)
			w.hand(ctx)
		}
	}
}
