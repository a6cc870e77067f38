package passiflow

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// blockBytes is how much of a file goes to a worker at once.
const blockBytes = 1 << 20

// block is a run of packets that belong to one worker, with their data.
type block struct {
	packets []packet.Packet
	data    []byte
	now     packet.Time // newest of all packets read when it was handed over
}

// split reads one source and spreads its packets over several workers by their
// innermost addresses. It owns the goroutine that reads; what it hands over
// belongs to the worker until it gives the block back.
type split struct {
	src      source.Source
	filter   Filter
	key      *packet.Partitioner
	outs     []*share
	free     chan *block
	now      packet.Time  // newest of the packets read
	last     atomic.Int64 // the same, once there are no more
	filtered atomic.Uint64
}

func newSplit(src source.Source, n int, cfg packet.Config, f Filter) *split {
	s := &split{src: src, filter: f, key: packet.NewPartitioner(cfg), free: make(chan *block, 4*n)}
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

// run reads until the source ends or ctx does.
func (s *split) run(ctx context.Context) error {
	defer func() {
		s.last.Store(int64(s.now))
		for _, o := range s.outs {
			close(o.in)
		}
	}()
	live := false
	if l, ok := s.src.(source.Live); ok {
		live = l.Live()
	}
	batch := make([]packet.Packet, source.Batch)
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
			if !o.add(ctx, p) {
				return nil
			}
		}
		if err != nil || live {
			for _, o := range s.outs {
				if !o.flush(ctx) {
					return nil
				}
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
	over  bool // there are no more
}

// add copies p into the block that fills.
func (o *share) add(ctx context.Context, p *packet.Packet) bool {
	b := o.fill
	if b != nil && len(b.data)+len(p.Data) > cap(b.data) {
		if !o.flush(ctx) {
			return false
		}
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
	return true
}

func (o *share) flush(ctx context.Context) bool {
	if o.fill == nil {
		return true
	}
	o.fill.now = o.split.now
	select {
	case o.in <- o.fill:
		o.fill = nil
		return true
	case <-ctx.Done():
		return false
	}
}

// Read implements source.Source.
func (o *share) Read(batch []packet.Packet) (int, error) {
	if o.cur != nil && o.at == len(o.cur.packets) {
		b := o.cur
		o.cur = nil
		b.packets, b.data = b.packets[:0], b.data[:0]
		select {
		case o.split.free <- b:
		default:
		}
	}
	if o.cur == nil {
		b, ok := <-o.in
		if !ok {
			o.over = true
			return 0, io.EOF
		}
		o.cur, o.at = b, 0
	}
	n := copy(batch, o.cur.packets[o.at:])
	o.at += n
	return n, nil
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

// Close implements source.Source.
func (o *share) Close() error { return nil }
