package replay_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/format/json"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/source"
)

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	z.Close()
	return b.String()
}

type shelf struct {
	mu  sync.Mutex
	out []byte
}

func (s *shelf) Push(_ context.Context, batch []*message.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := json.New(json.DefaultConfig())
	for _, x := range batch {
		s.out = f.Append(s.out, x)
	}
}

// lines returns what passiflow writes of a capture.
func lines(t testing.TB, capture []byte, unit string) string {
	t.Helper()
	src, err := builtin.Files(builtin.FileOptions{Paths: []string{"-"}, Stdin: bytes.NewReader(capture)})
	if err != nil {
		t.Fatal(err)
	}
	c, to := passiflow.DefaultConfig(), &shelf{}
	c.Sources = []source.Source{src}
	c.Protocols = func() []protocol.Protocol { return builtin.Protocols(builtin.ProtocolOptions{BodyLimit: 1 << 20}) }
	c.Outputs = []passiflow.Output{{Unit: passiflow.UnitExchange, Records: to}}
	if unit == "message" {
		c.Outputs[0].Unit = passiflow.UnitMessage
	}
	p, err := passiflow.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return string(to.out)
}
