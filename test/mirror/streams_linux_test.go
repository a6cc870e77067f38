package mirror

import (
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"runtime/metrics"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/mirror"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/forward"
	"github.com/passiflow/passiflow/source"
)

// crowd is a source of conversations that all go on at the same time.
type crowd struct {
	sizes []uint64
	said  []uint64
	turn  []int // who is not at the end
	next  int
	began int // handshakes made
	rate  float64
	bytes float64
	start time.Time
	now   packet.Time
	rnd   *rand.Rand
	frame [source.Batch][2048]byte
}

const observed = 8090

func newCrowd(n int, total, rate float64) *crowd {
	c := &crowd{rate: rate, rnd: rand.New(rand.NewPCG(1, 2)), now: packet.Time(1767323045e9)}
	for i := range n {
		c.sizes = append(c.sizes, headBytes+uint64(c.rnd.IntN(int(2*total)/n)))
		c.turn = append(c.turn, i)
	}
	c.said = make([]uint64, n)
	return c
}

func (c *crowd) total() (n uint64) {
	for _, s := range c.sizes {
		n += s
	}
	return n
}

// Read implements source.Source.
func (c *crowd) Read(batch []packet.Packet) (n int, err error) {
	if c.start.IsZero() {
		c.start = time.Now()
	}
	for n < len(batch) && n < len(c.frame) {
		b := c.frame[n][:0]
		switch {
		case c.began < len(c.sizes):
			b = segment(b, c.began, 0, packet.SYN, nil, 0)
			c.began++
		case len(c.turn) > 0:
			b = c.say(b)
		default:
			if n == 0 {
				return 0, io.EOF
			}
			clear(batch[n:])
			return n, nil
		}
		c.now += 1000
		batch[n] = packet.Packet{Time: c.now, Data: b, Length: len(b), Link: packet.LinkIPv4}
		c.bytes += float64(len(b))
		n++
	}
	if c.rate > 0 {
		time.Sleep(time.Until(c.start.Add(time.Duration(c.bytes / c.rate * float64(time.Second)))))
	}
	return n, nil
}

// say appends the next packet of somebody who has not said all.
func (c *crowd) say(b []byte) []byte {
	k := c.next
	if c.said[c.turn[0]] > 0 { // all have begun
		k = c.rnd.IntN(len(c.turn))
	}
	id := c.turn[k]
	if c.next++; c.next >= len(c.turn) {
		c.next = 0
	}
	at := c.said[id]
	if at == c.sizes[id] {
		c.turn[k] = c.turn[len(c.turn)-1]
		c.turn = c.turn[:len(c.turn)-1]
		if c.next >= len(c.turn) {
			c.next = 0
		}
		return segment(b, id, at, packet.FIN|packet.ACK, nil, 0)
	}
	n := min(uint64(100+c.rnd.IntN(1360)), c.sizes[id]-at)
	c.said[id] += n
	return segment(b, id, at, packet.ACK|packet.PSH, c.sizes, n)
}

// segment appends an IPv4 packet with n bytes of stream id.
func segment(b []byte, id int, at uint64, flags packet.Flags, sizes []uint64, n uint64) []byte {
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(40+n))
	b = append(b, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, byte(id>>16), 1, 10, 1, 0, 2)
	b = binary.BigEndian.AppendUint16(b, uint16(id))
	b = binary.BigEndian.AppendUint16(b, observed)
	seq := uint32(at) + 1000
	if flags&packet.SYN == 0 {
		seq++
	}
	b = binary.BigEndian.AppendUint32(b, seq)
	b = append(b, 0, 0, 0, 1, 5<<4, byte(flags), 255, 255, 0, 0, 0, 0)
	for i := at; i < at+n; i++ {
		switch {
		case i < 8:
			b = append(b, byte(uint64(id)>>(56-8*i)))
		case i < 16:
			b = append(b, byte(sizes[id]>>(56-8*(i-8))))
		default:
			b = append(b, content(uint64(id), i))
		}
	}
	return b
}

func (c *crowd) Stats() source.Stats            { return source.Stats{} }
func (c *crowd) Interfaces() []source.Interface { return nil }
func (c *crowd) Close() error                   { return nil }

// heap returns the memory in use after the last collection, and that of stacks.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() + s[1].Value.Uint64()
}

func TestStreams(t *testing.T) {
	n, total := 10_000, 200e6
	if testing.Short() {
		n, total = 1000, 80e6
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if most := int(limit.Max) - 500; n > most {
		t.Logf("%d streams in place of %d: no more files may be open", most, n)
		n = most
	}
	for _, c := range []struct {
		mode   string
		policy sink.Policy
		bytes  int64
		rate   float64
	}{
		{"well", sink.Wait, 16 << 20, 0},
		{"slow", sink.Drop, 16 << 20, 60 << 20},
		{"flapping", sink.Drop, 16 << 20, 60 << 20},
	} {
		t.Run(c.mode, func(t *testing.T) {
			to := startTarget(t, c.mode)
			f := forward.DefaultConfig()
			f.Address = to.address
			f.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				if err == nil && c.mode != "well" { // little is to rest in the kernel
					err = conn.(*net.TCPConn).SetWriteBuffer(4096)
				}
				return conn, err
			}
			out, err := forward.New(f)
			if err != nil {
				t.Fatal(err)
			}
			q := sink.DefaultQueueConfig()
			q.Bytes, q.Policy = c.bytes, c.policy
			q.Retry.Min, q.Retry.Max = 50*time.Millisecond, 400*time.Millisecond
			queue := sink.NewChunks(out, q)
			crowd := newCrowd(n, total, c.rate)

			runtime.GC()
			runtime.GC()
			before := heap()
			most := before
			done := make(chan struct{})
			var watch sync.WaitGroup
			watch.Go(func() {
				for {
					select {
					case <-done:
						return
					case <-time.After(20 * time.Millisecond):
						most = max(most, heap())
					}
				}
			})
			cfg := passiflow.DefaultConfig()
			cfg.Sources = []source.Source{crowd}
			cfg.Ports = []uint16{observed}
			cfg.Outputs = []passiflow.Output{{Unit: passiflow.UnitChunk, Chunks: queue, Wants: func(f *flow.Flow, from flow.Side) bool { return from == flow.Client }}}
			p, err := passiflow.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := p.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			read := time.Since(began)
			to.captured()
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			if err := queue.Close(ctx); err != nil {
				t.Error(err)
			}
			close(done)
			watch.Wait()
			v := to.end(t)
			judge(t, n, crowd, queue, v)
			s := queue.Streams()
			t.Logf("%d streams, %d at once, %.0f MB in %v: whole %d, shed %d, cut %d, refused %d, reset by the target %d; held at most %.1f of %.1f MB, memory %.1f MB",
				n, v.Most, float64(crowd.total())/1e6, read.Round(time.Millisecond), s.Whole, s.Shed, s.Cut, s.Refused, len(v.Reset), float64(s.Peak)/1e6, float64(c.bytes)/1e6, float64(most-before)/1e6)
			if c.policy == sink.Drop && s.Peak > c.bytes {
				t.Errorf("the queue held %d bytes of %d", s.Peak, c.bytes)
			}
			// A conversation, its connection and its goroutines take about 12 kB.
			// What was garbage while it was collected counts, too.
			if bound := uint64(c.bytes) + uint64(n)*12_000 + 48<<20; c.policy == sink.Drop && most-before > bound {
				t.Errorf("%d bytes of memory, more than %d", most-before, bound)
			}
			if c.mode == "well" && (s.Whole != int64(n) || v.Most < n/2) {
				t.Errorf("%+v, %d at once", s, v.Most)
			}
			if c.mode == "slow" && (s.Shed == 0 || s.Whole == 0) {
				t.Errorf("the target was not slow: %+v", s)
			}
		})
	}
}

// The same through package mirror, with fewer.
func TestLibrary(t *testing.T) {
	const n = 1000
	for _, mode := range []string{"well", "flapping"} {
		t.Run(mode, func(t *testing.T) {
			to := startTarget(t, mode)
			crowd := newCrowd(n, 20e6, 10e6)
			m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{ObservedPort: observed, TargetAddr: to.address,
				Options: mirror.Options{Workers: n, QueueBytes: 8 << 20, RetryTarget: true, DrainResponses: true, WaitForRoom: mode == "well"}})
			if err := m.Start(t.Context(), mirror.NewSourceObservedPacketSource(crowd)); err != nil {
				t.Error(err)
			}
			to.captured()
			v := to.end(t)
			s := m.Stats()
			for _, f := range v.Faults {
				t.Error(f)
			}
			whole := 0
			for id, got := range v.Streams {
				if got == crowd.sizes[id] {
					whole++
				}
			}
			t.Logf("whole %d, cut %d, reset by the target %d, %+v", whole, s.Cut, len(v.Reset), s.Streams)
			if missing := n - whole - len(v.Reset); missing > int(s.Streams.Shed+s.Streams.Refused+s.Streams.Cut)+int(s.Cut) {
				t.Errorf("%d streams are not whole: %+v", missing, s)
			}
			if mode == "well" && whole != n || s.Waiting != 0 || s.Streams.Open != 0 {
				t.Errorf("%d whole, %+v", whole, s)
			}
		})
	}
}

// judge holds what the target got against what was said.
func judge(t *testing.T, n int, crowd *crowd, queue *sink.Chunks, v verdict) {
	t.Helper()
	for _, f := range v.Faults {
		t.Error(f)
	}
	whole := 0
	for id, got := range v.Streams {
		switch size := crowd.sizes[id]; {
		case got == size:
			whole++
		case got > size:
			t.Errorf("stream %d: %d bytes of %d", id, got, size)
		}
	}
	s, q := queue.Streams(), queue.Stats()
	if s.Opened+s.Refused != int64(n) || s.Open != 0 || s.Opened != s.Whole+s.Shed+s.Cut {
		t.Errorf("%d streams, counted %+v", n, s)
	}
	if lost := q.Lost(); q.Pushed.Bytes != q.Written.Bytes+lost.Bytes || q.Depth.Bytes != 0 {
		t.Errorf("%+v", q)
	}
	// Every stream that is not whole was shed or cut, or torn down by the target.
	missing := n - whole - len(v.Reset)
	if counted := int(s.Shed + s.Cut + s.Refused); missing > counted {
		t.Errorf("%d streams are not whole, %d are counted: %+v", missing, counted, s)
	}
}
