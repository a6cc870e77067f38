package mirror_test

import (
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passiflow/passiflow/mirror"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// lender is a source that takes back what it has lent at the Read after Close, as
// those with memory of the kernel do.
type lender struct {
	closed, back atomic.Bool
}

func (l *lender) Read(batch []packet.Packet) (int, error) {
	if l.closed.Load() {
		l.back.Store(true)
		return 0, io.EOF
	}
	for i := range batch {
		batch[i] = packet.Packet{Time: 1, Data: make([]byte, 60), Length: 60, Link: packet.LinkEthernet}
	}
	return len(batch), nil
}

func (l *lender) Stats() source.Stats            { return source.Stats{} }
func (l *lender) Interfaces() []source.Interface { return nil }
func (l *lender) Close() error                   { l.closed.Store(true); return nil }

// A source that is closed with packets in somebody's hands gets them back.
func TestLent(t *testing.T) {
	l := &lender{}
	s := mirror.NewSourceObservedPacketSource(l)
	<-s.Packets()
	s.Close()
	for end := time.Now().Add(30 * time.Second); !l.back.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("they are still lent")
		}
	}
}
