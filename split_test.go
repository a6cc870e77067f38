package passiflow_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	pt "github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/http1"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/pcapfile"
)

// told keeps what an output gets, as lines.
type told[T any] struct {
	mu    sync.Mutex
	lines []string
	line  func(T) string
}

func (o *told[T]) Push(_ context.Context, batch []T) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range batch {
		o.lines = append(o.lines, o.line(x))
	}
}

// tell reads a file with n workers and returns its exchanges and flows, sorted.
func tell(t *testing.T, file string, n int) []string {
	t.Helper()
	sc := pcapfile.DefaultConfig()
	sc.Paths = []string{file}
	src, err := pcapfile.Open(sc)
	if err != nil {
		t.Fatal(err)
	}
	exchanges := &told[*message.Exchange]{line: func(x *message.Exchange) string {
		q, a := x.Request, x.Response
		if q == nil {
			q = &message.Message{}
		}
		if a == nil {
			a = &message.Message{}
		}
		return fmt.Sprint("x ", x.Flow.ID, x.Half, q.Target, q.Start, q.Marks, a.Status, a.Start, a.Marks)
	}}
	flows := &told[*flow.Summary]{line: func(s *flow.Summary) string {
		return fmt.Sprint("f ", s.Flow.ID, s.Flow.Client, s.End, s.Reason, s.Packets, s.Bytes, s.Delivered, s.Lost)
	}}
	c := passiflow.DefaultConfig()
	c.Sources, c.Workers = []source.Source{src}, n
	c.Protocols = func() []protocol.Protocol { return []protocol.Protocol{http1.New(http1.DefaultConfig())} }
	c.Outputs = []passiflow.Output{{Records: exchanges}, {Unit: passiflow.UnitFlow, Flows: flows}}
	p, err := passiflow.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	all := append(exchanges.lines, flows.lines...)
	slices.Sort(all)
	return all
}

// TestWorkersTellTheSame holds that the records of a file do not depend on how
// many workers read it: a worker whose conversations are silent knows from the
// others how much time has passed.
func TestWorkersTellTheSame(t *testing.T) {
	tape := pt.NewTape()
	var open []*pt.Conversation
	for i := range 40 {
		c := tape.Open(fmt.Sprintf("10.0.%d.1:%d", i, 40000+i), "10.1.0.1:80", nil)
		c.Client("GET /" + strings.Repeat("x", i) + " HTTP/1.1\r\nHost: a\r\n\r\n")
		switch i % 4 {
		case 0: // never answered
		case 1:
			c.Server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			c.Close()
		case 2:
			c.Server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
		case 3:
			open = append(open, c)
		}
		tape.Wait(time.Duration(i) * time.Second)
	}
	for i, c := range open { // some of them after they were idle for too long
		tape.Wait(time.Duration(i) * 20 * time.Second)
		c.Server("HTTP/1.1 204 No Content\r\n\r\n")
	}
	// The newest packet is of no conversation.
	tape.Wait(10 * time.Minute)
	tape.Frame(pt.Piece{Bytes: bytes.Repeat([]byte{0xff}, 60)})
	file := filepath.Join(t.TempDir(), "f.pcap")
	if err := os.WriteFile(file, tape.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	want := tell(t, file, 1)
	for _, why := range []string{flow.Idle.String(), flow.Stopped.String(), flow.Finished.String()} {
		if !strings.Contains(strings.Join(want, "\n"), " "+why) {
			t.Errorf("no conversation is %s", why)
		}
	}
	for _, n := range []int{2, 3, 16} {
		if d := cmp.Diff(want, tell(t, file, n)); d != "" {
			t.Errorf("%d workers (-one +several):\n%s", n, d)
		}
	}
}
