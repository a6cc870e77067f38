package mirror

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopacket/gopacket"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/source"
)

// session is one call of Start. Its table and streams belong to that goroutine.
type session struct {
	m      *GopacketTrafficMirror
	ctx    context.Context
	out    context.Context // of what is sent: ends a while after ctx
	cancel context.CancelFunc
	unhook func() bool
	table  *flow.Table
	parser *packet.Parser
	seed   maphash.Seed
	newest packet.Time // of the packets
	at     time.Time   // when newest was read
	held   int         // bytes of streams that wait for their end
	drains sync.WaitGroup
	queue  *sink.Chunks // nil: chunks are delivered as they come
	one    [1]*message.Chunk

	downMu sync.Mutex
	down   error // what connecting said last
	downAt time.Time

	errMu sync.Mutex
	err   error       // the first
	ended atomic.Bool // err is set

	count  Stats  // of the goroutine of Start
	sent   counts // of everybody
	public Stats  // under GopacketTrafficMirror.mu
}

// counts are those of what becomes of chunks.
type counts struct {
	chunks, chunkBytes, gaps, lost, connections, forwarded, answered, records, recorded, cut atomic.Uint64
}

func newSession(ctx context.Context, m *GopacketTrafficMirror) *session {
	s := &session{m: m, ctx: ctx, parser: packet.NewParser(packet.DefaultConfig()), seed: maphash.MakeSeed()}
	s.out, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.unhook = context.AfterFunc(ctx, func() {
		timer := time.NewTimer(m.config.Options.CloseTimeout)
		defer timer.Stop()
		select {
		case <-timer.C:
			s.cancel()
		case <-s.out.Done():
		}
	})
	c := m.config.Options.Flow
	if c.Ports = nil; m.config.ObservedPort != 0 {
		c.Ports = []uint16{m.config.ObservedPort}
	}
	s.table = flow.NewTable(c, s.open, nil)
	if m.config.Options.Workers > 0 {
		s.openQueue()
	}
	return s
}

// While nothing comes, timeouts go by the clock, behind which packets may lag.
const (
	idleEvery = 100 * time.Millisecond
	lag       = 250 * time.Millisecond
)

// receive takes packets of a channel until it is closed or something fails.
func (s *session) receive(from <-chan gopacket.Packet) error {
	tick := time.NewTicker(idleEvery)
	defer tick.Stop()
	var p packet.Packet
	for n := 1; !s.ended.Load(); n++ {
		select {
		case <-s.ctx.Done():
			return nil
		case <-tick.C:
			s.idle()
			s.publish()
		case x, ok := <-from:
			if !ok {
				return nil
			}
			if x == nil {
				continue
			}
			s.count.Packets++
			if p = (packet.Packet{}); !s.convert(x, &p) {
				s.count.NotTCP++
				continue
			}
			s.newest, s.at = max(s.newest, p.Time), time.Now()
			s.take(&p)
			if n%source.Batch == 0 {
				s.publish()
			}
		}
	}
	return nil
}

// read takes packets of one of our sources.
func (s *session) read(from source.Source) error {
	stop := context.AfterFunc(s.ctx, func() { from.Close() }) // ends a Read that waits
	defer stop()
	l, ok := from.(source.Live)
	live := ok && l.Live()
	batch := make([]packet.Packet, source.Batch)
	for s.ctx.Err() == nil && !s.ended.Load() {
		n, err := from.Read(batch)
		for i := range batch[:n] {
			p := &batch[i]
			s.count.Packets++
			s.newest = max(s.newest, p.Time)
			if s.parser.Parse(p) != packet.OK || p.Proto != packet.TCP {
				s.count.NotTCP++
				continue
			}
			if s.take(p); s.ended.Load() {
				break
			}
		}
		if live && n > 0 {
			s.at = time.Now()
		} else if live && err == nil {
			s.idle()
		}
		s.publish()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	if s.ctx.Err() != nil {
		finish(from, batch)
	}
	return nil
}

// finish reads a source that is closed, or about to be, to its end: only then it
// takes back what it has lent.
func finish(from source.Source, batch []packet.Packet) {
	for {
		if _, err := from.Read(batch); err != nil {
			return
		}
	}
}

// take takes one packet of a TCP conversation.
func (s *session) take(p *packet.Packet) {
	if _, wanted := direct(p.Src.Port(), p.Dst.Port(), s.m.config.ObservedPort); !wanted {
		// It belongs to a conversation neither of whose sides is looked at.
		s.count.OtherPort++
		return
	}
	s.table.Packet(p)
}

// idle lets the clock drive timeouts.
func (s *session) idle() {
	if !s.at.IsZero() {
		s.table.Advance(s.newest.Add(time.Since(s.at) - lag))
	}
}

// close ends all conversations and hands on what they held.
func (s *session) close() {
	defer s.unhook()
	defer s.cancel()
	s.table.Advance(s.newest)
	s.table.Close()
	if s.queue != nil {
		if s.ended.Load() {
			s.cancel()
		}
		s.fail(s.queue.Close(s.out))
	}
	s.drains.Wait()
	s.publish()
}

// fail keeps the first error, which ends Start.
func (s *session) fail(err error) {
	s.errMu.Lock()
	defer s.errMu.Unlock()
	if s.err == nil && err != nil {
		s.err = err
		s.ended.Store(true)
	}
}

func (s *session) failed() error {
	s.errMu.Lock()
	defer s.errMu.Unlock()
	return s.err
}

// publish makes a copy of the counts that others may read.
func (s *session) publish() {
	x, n := s.count, &s.sent
	x.HeldBytes = uint64(s.held)
	x.Chunks, x.ChunkBytes, x.Gaps, x.Lost = n.chunks.Load(), n.chunkBytes.Load(), n.gaps.Load(), n.lost.Load()
	x.Connections, x.Forwarded, x.Answered = n.connections.Load(), n.forwarded.Load(), n.answered.Load()
	x.Records, x.Recorded = n.records.Load(), n.recorded.Load()
	x.Cut = n.cut.Load()
	if s.queue != nil {
		q := s.queue.Stats()
		x.Waiting, x.Dropped, x.Streams = q.Depth.Bytes, q.Lost().Records, s.queue.Streams()
	}
	x.Flow = s.table.Stats()
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.public = x
}
