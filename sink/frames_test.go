package sink_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/passiflow/passiflow/sink"
)

func TestFrames(t *testing.T) {
	var out bytes.Buffer
	closed := 0
	c := sink.DefaultQueueConfig()
	c.Policy, c.Bytes = sink.Wait, 1<<20
	f := sink.NewFrames(sink.NewFrameStream(&out, nil, func() error { closed++; return nil }), c)
	w := f.Framer()
	w.Flush(t.Context()) // nothing yet
	const n = 100_000
	for i := range uint32(n) {
		w.Append(t.Context(), func(dst []byte) []byte {
			return append(binary.BigEndian.AppendUint32(dst, i), "0123456789abcdef"[:i%16]...)
		})
	}
	w.Flush(t.Context())
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := out.Bytes()
	for i := range uint32(n) {
		if len(b) < 4+int(i%16) || binary.BigEndian.Uint32(b) != i {
			t.Fatalf("frame %d is not in its place", i)
		}
		b = b[4+i%16:]
	}
	s := f.Stats()
	if len(b) != 0 || closed != 1 || s.Written.Records != n || s.Written.Bytes != int64(out.Len()) {
		t.Errorf("%d bytes left, closed %d times, %+v", len(b), closed, s)
	}
}

// Blocks that are handed over with little in them, as whenever nothing comes, hold
// little memory while they wait.
func TestFramesHoldLittle(t *testing.T) {
	to := &caps{hold: make(chan struct{})}
	c := sink.DefaultQueueConfig()
	c.Bytes = 1 << 20
	f := sink.NewFrames(to, c)
	w := f.Framer()
	const n = 200
	for range n {
		w.Append(t.Context(), func(dst []byte) []byte { return append(dst, make([]byte, 1000)...) })
		w.Flush(t.Context())
	}
	if s := f.Stats(); s.Depth != (sink.Count{Records: n, Bytes: n * 1000}) {
		t.Errorf("%+v", s)
	}
	close(to.hold)
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if to.bytes != n*1000 || to.room > 3*to.bytes/2 {
		t.Errorf("%d bytes took %d", to.bytes, to.room)
	}
	// What was given back is used again, where it is of a size for that.
	for range 3 {
		if b := w.Buffer(); cap(b) < 256<<10 {
			t.Errorf("a block has room for %d bytes", cap(b))
		}
		w.Commit(t.Context(), append(w.Buffer(), make([]byte, 1000)...))
	}
}

// caps adds up how much memory blocks hold.
type caps struct {
	hold        chan struct{}
	bytes, room int
}

func (c *caps) Write(_ context.Context, batch []*sink.Block) error {
	<-c.hold
	for _, b := range batch {
		c.bytes += len(b.Data)
		c.room += cap(b.Data)
	}
	return nil
}

func (c *caps) Close(context.Context) error { return nil }

func TestFramesDropped(t *testing.T) {
	f := sink.NewFrames(sink.NewFrameStream(failing{}, nil, nil), sink.DefaultQueueConfig())
	w := f.Framer()
	for range 10 {
		w.Append(t.Context(), func(dst []byte) []byte { return append(dst, "frame"...) })
	}
	w.Flush(t.Context())
	if err := f.Close(t.Context()); !errors.Is(err, errNoRoom) {
		t.Errorf("got %v", err)
	}
	if s := f.Stats(); s.Dropped[sink.Failed] != (sink.Count{Records: 10, Bytes: 50}) {
		t.Errorf("%+v", s)
	}
	s := sink.NewFrameStream(&bytes.Buffer{}, nil, nil)
	_ = s.Close(context.Background())
	if err := s.Write(context.Background(), nil); err == nil {
		t.Error("a closed sink takes frames")
	}
}

var errNoRoom = errors.New("no room")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errNoRoom }

func TestFrameHead(t *testing.T) {
	var out bytes.Buffer
	n := 0
	s := sink.NewFrameStream(&out, func(dst []byte) []byte { n++; return append(dst, "<0123"[:n]...) }, nil)
	if err := s.Write(t.Context(), []*sink.Block{{Data: []byte("a")}, {Data: []byte("b")}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "<a<0b<01" {
		t.Error(out.String())
	}
}
