package passiflow_test

import (
	"errors"
	"io"
	"os"
	"runtime/debug"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/http1"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/pcapfile"
)

// BenchmarkStages walks over the capture that PASSIFLOW_CAPTURE names, ever
// further up the floors: what each costs is the difference.
func BenchmarkStages(b *testing.B) {
	path := os.Getenv("PASSIFLOW_CAPTURE")
	if path == "" {
		b.Skip("PASSIFLOW_CAPTURE names no capture")
	}
	if os.Getenv("GOGC") == "" {
		// As the program has it while little is alive.
		defer debug.SetGCPercent(debug.SetGCPercent(600))
	}
	for _, s := range []struct {
		name        string
		parse, flow bool
		decode      bool
		bodies      int
	}{
		{name: "read"},
		{name: "packets", parse: true},
		{name: "bytes", parse: true, flow: true},
		{name: "heads", parse: true, flow: true, decode: true},
		{name: "bodies", parse: true, flow: true, decode: true, bodies: 16 << 20},
	} {
		b.Run(s.name, func(b *testing.B) {
			packets := 0
			for b.Loop() {
				open := func(*flow.Flow) flow.Stream { return nil }
				if s.decode {
					h := http1.DefaultConfig()
					h.BodyLimit = s.bodies
					c := protocol.DefaultConfig()
					c.Protocols = []protocol.Protocol{http1.New(h)}
					open = protocol.NewCore(c, &discard{}).Open
				}
				table := flow.NewTable(flow.DefaultConfig(), open, nil)
				packets += pass(b, path, func(p *packet.Packet, ps *packet.Parser) {
					if s.parse && ps.Parse(p) == packet.OK && s.flow {
						table.Packet(p)
					}
				})
				table.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
		})
	}
}

// pass reads a capture once.
func pass(b *testing.B, path string, each func(*packet.Packet, *packet.Parser)) (packets int) {
	c := pcapfile.DefaultConfig()
	c.Paths = []string{path}
	src, err := pcapfile.Open(c)
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	parser := packet.NewParser(packet.DefaultConfig())
	batch := make([]packet.Packet, source.Batch)
	for {
		n, err := src.Read(batch)
		for i := range batch[:n] {
			each(&batch[i], parser)
		}
		packets += n
		if errors.Is(err, io.EOF) {
			return packets
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
