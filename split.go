package passiflow

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// Bounds of what goes to a worker at once, and how long a worker of a live
// source waits for that before its timeouts have their turn.
const (
	blockBytes   = 1 << 20
	blockPackets = 4096
	liveWait     = 100 * time.Millisecond
)

// block is a run of packets that belong to one worker, with their data.
type block struct {
	packets []packet.Packet
	data    []byte
	now     packet.Time // newest of all packets read when it was handed over
	behind  []behind    // of packets older than one before them
}

// behind says how far the clock was when a packet was read.
type behind struct {
	index int // in its block
	now   packet.Time
}

// split reads one source and spreads its packets over several workers by their
// innermost addresses. What comes before that choice it does for all of them:
// Filter, and the end after Config.Packets, so that these are the same packets
// however many workers there are. A block belongs to the worker until it gives
// it back. The workers take what they are given until there is no more.
type split struct {
	src      source.Source
	live     bool
	filter   Filter
	packets  uint64 // 0: no end
	key      *packet.Partitioner
	outs     []*share
	free     chan *block
	now      packet.Time  // newest of the packets read
	last     atomic.Int64 // the same, once there are no more
	filtered atomic.Uint64
	beyond   atomic.Uint64
}

func newSplit(src source.Source, cfg *Config) *split {
	n := cfg.Workers
	s := &split{src: src, live: isLive(src), filter: cfg.Filter, packets: cfg.Packets, key: packet.NewPartitioner(cfg.Parser), free: make(chan *block, 4*n)}
	for range n {
		s.outs = append(s.outs, &share{split: s, in: make(chan *block, 2)})
	}
	return s
}

func (s *split) sources() (all []source.Source) {
	for _, o := range s.outs {
		all = append(all, o)
	}
	return all
}

// run reads until the source ends, ctx does or the last packet asked for came.
func (s *split) run(ctx context.Context) error {
	defer func() {
		s.last.Store(int64(s.now))
		for _, o := range s.outs {
			o.flush()
			close(o.in)
		}
	}()
	batch := make([]packet.Packet, source.Batch)
	passed := uint64(0)
	for ctx.Err() == nil {
		n, err := s.src.Read(batch)
		for i := range batch[:n] {
			p := &batch[i]
			if s.filter != nil && !s.filter.Match(p) {
				s.filtered.Add(1)
				continue
			}
			s.now = max(s.now, p.Time)
			o := s.outs[s.key.Key(p)%uint64(len(s.outs))]
			o.add(p)
			if p.Time < s.now {
				o.fill.behind = append(o.fill.behind, behind{len(o.fill.packets) - 1, s.now})
			}
			if passed++; passed == s.packets {
				s.beyond.Add(uint64(n - i - 1))
				return nil
			}
		}
		if s.live {
			for _, o := range s.outs {
				o.flush()
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// share is one worker's part of a split, as a Source.
type share struct {
	split *split
	in    chan *block
	fill  *block // by the reader
	cur   *block // by the worker
	at    int
	older int         // of cur.behind, those passed
	over  bool        // there are no more
	timer *time.Timer // of a live Read
}

// add copies p into the block that fills.
func (o *share) add(p *packet.Packet) {
	b := o.fill
	if b != nil && (len(b.data)+len(p.Data) > cap(b.data) || len(b.packets) == blockPackets) {
		o.flush()
		b = nil
	}
	if b == nil {
		select {
		case b = <-o.split.free:
		default:
			b = &block{data: make([]byte, 0, blockBytes)}
		}
		if cap(b.data) < len(p.Data) {
			b.data = make([]byte, 0, len(p.Data))
		}
		o.fill = b
	}
	at := len(b.data)
	b.data = append(b.data, p.Data...)
	b.packets = append(b.packets, *p)
	b.packets[len(b.packets)-1].Data = b.data[at:len(b.data):len(b.data)]
}

func (o *share) flush() {
	if o.fill != nil {
		o.fill.now = o.split.now
		o.in <- o.fill
		o.fill = nil
	}
}

// next waits for a block, of a live source no longer than liveWait.
func (o *share) next() (b *block, ok bool) {
	if !o.split.live {
		b, ok = <-o.in
		return b, ok
	}
	if o.timer == nil {
		o.timer = time.NewTimer(liveWait)
	} else {
		o.timer.Reset(liveWait)
	}
	select {
	case b, ok = <-o.in:
		return b, ok
	case <-o.timer.C:
		return nil, true
	}
}

// Read implements source.Source.
func (o *share) Read(batch []packet.Packet) (int, error) {
	if o.cur != nil && o.at == len(o.cur.packets) {
		b := o.cur
		o.cur = nil
		b.packets, b.data, b.behind = b.packets[:0], b.data[:0], b.behind[:0]
		o.older = 0
		select {
		case o.split.free <- b:
		default:
		}
	}
	if o.cur == nil {
		b, ok := o.next()
		if !ok {
			o.over = true
			return 0, io.EOF
		}
		if b == nil {
			return 0, nil
		}
		o.cur, o.at = b, 0
	}
	n := copy(batch, o.cur.packets[o.at:])
	o.at += n
	return n, nil
}

// before returns how far the clock was when the packet was read that stands n
// places before the end of what Read returned last; 0 where it was the newest.
func (o *share) before(n int) packet.Time {
	late := o.cur.behind[o.older:]
	if len(late) == 0 || late[0].index > o.at-n {
		return 0
	}
	o.older++
	return late[0].now
}

// elapsed returns a time that no packet still to come is older than, as far as
// packets come in order: the clock of a worker stands still while the others
// have all the packets.
func (o *share) elapsed() packet.Time {
	switch {
	case o.over:
		return packet.Time(o.split.last.Load())
	case o.cur != nil && o.at == len(o.cur.packets):
		return o.cur.now
	}
	return 0
}

// Stats implements source.Source; the split's own source has them.
func (o *share) Stats() source.Stats { return source.Stats{} }

// Interfaces implements source.Source.
func (o *share) Interfaces() []source.Interface { return o.split.src.Interfaces() }

// Live implements source.Live.
func (o *share) Live() bool { return o.split.live }

// Close implements source.Source; the split's own source is closed by Run.
func (o *share) Close() error { return nil }
