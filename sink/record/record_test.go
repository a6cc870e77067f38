package record_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	recordformat "github.com/passiflow/passiflow/format/record"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/record"
)

var conversation = &flow.Flow{Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:80")}

func chunk(from flow.Side, text string) *message.Chunk {
	return &message.Chunk{Flow: conversation, From: from, Data: []byte(text)}
}

func open(t *testing.T, c record.Config) sink.ChunkSink {
	t.Helper()
	s, err := record.Open(c, recordformat.New(recordformat.DefaultConfig()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bodies reads what a file holds, as "from body".
func bodies(t *testing.T, b []byte) (all []string) {
	t.Helper()
	r := recordformat.NewReader(bytes.NewReader(b), recordformat.DefaultConfig())
	for {
		x, err := r.Next()
		if err == io.EOF {
			if s := r.Stats(); s.Bad() > 0 {
				t.Errorf("%+v", s)
			}
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x.From+" "+string(x.Data))
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	both := []*message.Chunk{chunk(flow.Client, "a\nthe b"), chunk(flow.Server, "answer"), chunk(flow.Client, recordformat.Magic), {Flow: conversation, End: true}}
	for _, c := range []struct {
		side    string
		replace bool
		want    []string
	}{
		{"both", false, []string{"10.0.0.1:40000 a\nthe b", "10.0.0.2:80 answer", "10.0.0.1:40000 " + recordformat.Magic}},
		{"client", true, []string{"10.0.0.1:40000 a\nthe b", "10.0.0.1:40000 " + recordformat.Magic}},
		{"server", false, []string{"10.0.0.1:40000 a\nthe b", "10.0.0.1:40000 " + recordformat.Magic, "10.0.0.2:80 answer"}},
	} {
		s := open(t, record.Config{Path: path, Side: c.side, Replace: c.replace, Mode: 0o600})
		q := sink.NewChunks(s, sink.DefaultQueueConfig())
		for i, x := range both {
			y := *x
			y.First = i < 2
			q.Push(t.Context(), []*message.Chunk{&y})
		}
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, bodies(t, b)); d != "" {
			t.Errorf("%s: %s", c.side, d)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Write(t.Context(), both); !sink.IsBroken(err) {
			t.Error(err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	f := recordformat.New(recordformat.DefaultConfig())
	for _, c := range []record.Config{{Side: "both"}, {Path: "x", Side: "left"}, {Path: t.TempDir(), Side: "both"}} {
		if _, err := record.Open(c, f); err == nil {
			t.Errorf("%+v", c)
		}
	}
}

// pipe fails after n bytes.
type pipe struct {
	bytes.Buffer
	n   int
	err error
}

func (p *pipe) Write(b []byte) (int, error) {
	if p.Len()+len(b) > p.n {
		return 0, p.err
	}
	return p.Buffer.Write(b)
}

func TestPipe(t *testing.T) {
	p := &pipe{n: 200, err: syscall.EPIPE}
	s := open(t, record.Config{Path: "-", Side: "both", Writer: p})
	if err := s.Write(t.Context(), []*message.Chunk{chunk(flow.Client, "one")}); err != nil {
		t.Fatal(err)
	}
	err := s.Write(t.Context(), []*message.Chunk{chunk(flow.Client, string(make([]byte, 300)))})
	if !sink.IsBroken(err) || !sink.ReaderGone(err) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Write(ctx, []*message.Chunk{chunk(flow.Client, "x")}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if d := cmp.Diff([]string{"10.0.0.1:40000 one"}, bodies(t, p.Bytes())); d != "" {
		t.Error(d)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A second writer is refused, and takes nothing away.
func TestOneWriter(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files are not locked here")
	}
	path := filepath.Join(t.TempDir(), "out")
	c := record.Config{Path: path, Side: "both", Mode: 0o600}
	s := open(t, c)
	if err := s.Write(t.Context(), []*message.Chunk{chunk(flow.Client, "one")}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil || len(before) == 0 {
		t.Fatal(before, err)
	}
	for _, c.Replace = range []bool{false, true} {
		if _, err := record.Open(c, recordformat.New(recordformat.DefaultConfig())); err == nil || !strings.Contains(err.Error(), "being written already") {
			t.Errorf("replace %v: %v", c.Replace, err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("%q, %v", after, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := record.Open(c, recordformat.New(recordformat.DefaultConfig())); err != nil {
		t.Error(err)
	} else if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(path); err != nil || len(after) != 0 {
		t.Errorf("%q, %v", after, err)
	}
}
