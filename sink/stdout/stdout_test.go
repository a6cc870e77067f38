package stdout_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/sinktest"
	"github.com/passiflow/passiflow/sink/stdout"
)

type output struct {
	bytes.Buffer
	broken bool
	writes int
}

func (o *output) Write(b []byte) (int, error) {
	if o.broken {
		return 0, errors.New("no room")
	}
	o.writes++
	return o.Buffer.Write(b)
}

func TestSink(t *testing.T) {
	sinktest.Run(t, func(*testing.T) sinktest.Place {
		o := &output{}
		c := stdout.DefaultConfig()
		c.Writer = o
		return sinktest.Place{Sink: stdout.New(c, sinktest.Format{}),
			Received: func() []string { return sinktest.Lines(o.Bytes()) },
			Break:    func() { o.broken = true }}
	})
}

func TestLargeWrites(t *testing.T) {
	o := &output{}
	s := stdout.New(stdout.Config{Writer: o}, sinktest.Format{})
	x := &message.Exchange{Flow: &flow.Flow{}, Request: &message.Message{Target: string(bytes.Repeat([]byte("x"), 999))}}
	batch := make([]*message.Exchange, 1000) // 1 MB
	for i := range batch {
		batch[i] = x
	}
	if err := s.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if o.writes > 16 || o.Len() != 1e6 {
		t.Errorf("%d writes for %d bytes", o.writes, o.Len())
	}
	if n := testing.AllocsPerRun(10, func() { o.Reset(); _ = s.Write(t.Context(), batch) }); n > 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

func TestReaderGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	c := stdout.DefaultConfig()
	c.Writer = w
	s := stdout.New(c, sinktest.Format{})
	r.Close()
	err = s.Write(t.Context(), []*message.Exchange{{Flow: &flow.Flow{}}})
	if !sink.ReaderGone(err) || !sink.IsBroken(err) {
		t.Errorf("got %v", err)
	}
}

// A receiver that goes away is no reader who has seen enough.
func TestConnectionBroken(t *testing.T) {
	err := fmt.Errorf("post: %w", &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)})
	if sink.ReaderGone(err) {
		t.Errorf("%v is taken for the end of a pipe", err)
	}
}
