package passiflow

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// handover brings packets that came in fragments to the worker of what is inside
// of them. The fragments of a tunnel's packet meet in the worker of the tunnel's
// ends, since they show nothing else; only when it has put them together can be
// told whose conversation they belong to, and that worker then reads on.
type handover struct {
	inboxes []*inbox     // of the workers
	given   atomic.Int64 // about when something was handed over last, in packet time
	reading atomic.Int32
	done    chan struct{} // closed when no worker reads its source any more
}

// inbox holds what others have put together for one worker.
type inbox struct {
	bell chan struct{} // wakes a worker that reads its source no more
	most int           // bytes
	some atomic.Bool   // there is something
	seen atomic.Int64  // what the worker's source showed before is read
	mu   sync.Mutex
	fill *pile // nil: the worker has ended
}

// pile is a run of packets with their data, in chunks: what is there stays where
// it is.
type pile struct {
	packets []handed
	chunks  [][]byte
	at      int // of the chunk that fills
	size    int // bytes of data
}

// chunkBytes is the memory that a pile takes at a time.
const chunkBytes = 256 << 10

type handed struct {
	packet packet.Packet
	rest   packet.Rest
}

// handedBytes is what a handed takes beside its data: for small packets more
// than these do themselves.
const handedBytes = 280

// newHandover returns nil unless the sources share what is captured.
func newHandover(sources []source.Source, most int) *handover {
	if len(sources) < 2 {
		return nil
	}
	h := &handover{done: make(chan struct{})}
	for _, s := range sources {
		if _, ok := s.(source.Shared); !ok {
			return nil
		}
		h.inboxes = append(h.inboxes, &inbox{bell: make(chan struct{}, 1), most: most, fill: &pile{}})
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
	if l == nil || l.size+len(p.Data)+len(r.Frame)+handedBytes*(len(l.packets)+1) > b.most {
		return false
	}
	h := handed{*p, r}
	h.packet.Data, h.packet.Payload, h.rest.Frame = l.keep(p.Data), nil, l.keep(r.Frame)
	l.packets = append(l.packets, h)
	if !b.some.Swap(true) {
		select {
		case b.bell <- struct{}{}:
		default:
		}
	}
	return true
}

// keep copies x.
func (l *pile) keep(x []byte) []byte {
	for l.at < len(l.chunks) && cap(l.chunks[l.at])-len(l.chunks[l.at]) < len(x) {
		l.at++
	}
	if l.at == len(l.chunks) {
		l.chunks = append(l.chunks, make([]byte, 0, max(chunkBytes, len(x))))
	}
	c := &l.chunks[l.at]
	from := len(*c)
	*c = append(*c, x...)
	l.size += len(x)
	return (*c)[from:len(*c):len(*c)]
}

// empty forgets what is in l, and the memory that it did not need this time.
func (l *pile) empty() {
	used := min(l.at+1, len(l.chunks))
	clear(l.chunks[used:])
	l.chunks = l.chunks[:used]
	for i := range l.chunks {
		l.chunks[i] = l.chunks[i][:0]
	}
	clear(l.packets)
	if l.packets = l.packets[:0]; l.at == 0 && cap(l.packets) > 4096 {
		l.packets = nil
	}
	l.at, l.size = 0, 0
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
	w.others, w.inbox, w.taken = h, h.inboxes[i], &pile{}
	shared := w.src.(source.Shared)
	w.parser.Route(func(l packet.Link, frame []byte) bool {
		w.home = h.inboxes[shared.Place(l, frame)]
		return w.home == w.inbox
	})
}

// give hands over the packet for which the parser returned Elsewhere.
func (w *worker) give(ctx context.Context, p *packet.Packet) {
	w.others.note(p.Time)
	if w.home.put(p, w.parser.Rest()) {
		w.count.Given++
		return
	}
	w.parsed(ctx, p, packet.Elsewhere)
}

// accept reads on in what others have handed over, up to the time until: what is
// younger waits for what this worker's own source has yet to show.
func (w *worker) accept(ctx context.Context, until packet.Time) {
	if len(w.taken.packets) > 0 {
		w.resume(ctx, until)
	}
	if len(w.taken.packets) == 0 && w.inbox.some.Load() {
		w.taken = w.inbox.swap(w.taken)
		w.resume(ctx, until)
	}
}

// resume reads on in the packets taken, up to the time until. A clock that was set
// back must not hold packets from its future, nor what comes behind them.
func (w *worker) resume(ctx context.Context, until packet.Time) {
	l, kept, future := w.taken, 0, packet.Time(0)
	for i := range l.packets {
		h := &l.packets[i]
		if h.packet.Time > until && future == 0 {
			future = packet.Time(time.Now().Add(time.Second).UnixNano())
		}
		if h.packet.Time > until && h.packet.Time <= future {
			l.packets[kept] = *h
			kept++
			continue
		}
		w.count.Taken++
		w.now = max(w.now, h.packet.Time)
		if r := w.parser.Resume(&h.packet, h.rest); r == packet.Elsewhere {
			w.give(ctx, &h.packet)
		} else {
			w.parsed(ctx, &h.packet, r)
		}
	}
	if kept == 0 {
		l.empty()
		return
	}
	clear(l.packets[kept:])
	l.packets = l.packets[:kept]
}

// never is later than any packet, also with a wait added.
const never = packet.Time(1 << 62)

// calm is how long nothing is handed over until nobody waits for anybody any
// more.
const calm = 10 * time.Second

// note says that something is handed over at the time now. It is written now and
// then, not for each packet: all workers look at it.
func (h *handover) note(now packet.Time) {
	if d := now.Sub(packet.Time(h.given.Load())); d < -lag || d > lag {
		h.given.Store(int64(now))
	}
}

// used tells whether something was handed over lately.
func (h *handover) used(now packet.Time) bool {
	d := now.Sub(packet.Time(h.given.Load()))
	return -calm < d && d < calm
}

// keepUp begins a batch of n packets, before which this worker has read all that
// its source showed. What is handed over is not waited for by waking anybody: a
// Read returns soon enough, and until then it is too young anyway.
func (w *worker) keepUp(ctx context.Context, batch []packet.Packet, n int) {
	var until packet.Time
	if n == 0 {
		until = packet.Time(time.Now().Add(-settle).UnixNano())
	} else {
		until = batch[0].Time
		switch {
		case !w.others.used(until):
			w.limit = never
		case w.limit == never || w.inbox.seen.Load() > int64(until.Add(time.Second)): // or a clock was set back
			w.limit = 0
		}
	}
	w.inbox.seen.Store(int64(until))
	w.accept(ctx, until)
}

// pace waits until no other worker is so far behind the time now that what it
// hands over would come after it was waited for: after a pause of the program all
// have much to read, and none knows who begins. Who has the oldest packets never
// waits, and nobody does for long: who waited in vain waits no more until the
// others have caught up, lest one that stands still costs the rest what comes
// meanwhile.
func (w *worker) pace(ctx context.Context, now packet.Time) {
	w.inbox.seen.Store(int64(now))
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		w.limit = w.others.slowest(w.inbox).Add(lag)
		w.accept(ctx, now)
		if now <= w.limit {
			w.tired = false
			return
		}
		if w.tired || time.Now().After(end) {
			w.tired = true
			w.limit = now.Add(lag)
			return
		}
	}
}

// patience is how long a worker waits for others.
const patience = time.Second

// slowest returns up to when all but one have read what there was.
func (h *handover) slowest(but *inbox) packet.Time {
	least := never
	for _, b := range h.inboxes {
		if b != but {
			least = min(least, packet.Time(b.seen.Load()))
		}
	}
	return least
}

// await takes what others still hand over, until none of them reads any more.
// What is in fragments within fragments may then find the worker it belongs to
// ended; it is counted like what found no room.
func (w *worker) await(ctx context.Context) {
	if w.others == nil {
		return
	}
	w.others.leave()
	w.inbox.seen.Store(int64(never))
	for {
		select {
		case <-w.others.done:
			w.accept(ctx, never)
			w.taken = w.inbox.swap(nil)
			w.resume(ctx, never)
			return
		case <-w.inbox.bell:
			w.accept(ctx, never)
			w.hand(ctx)
		}
	}
}
