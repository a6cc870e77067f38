package http1

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol/protocoltest"
	"github.com/passiflow/passiflow/source/pcapfile"
)

// capture is one entry of the manifest of the shared captures.
type capture struct {
	File, Category string
	Features       []string
}

// captures returns the shared captures of some categories.
func captures(t testing.TB, categories ...string) (dir string, list []capture) {
	dir = os.Getenv("PASSIFLOW_SHARED")
	if dir == "" {
		t.Skip("PASSIFLOW_SHARED is not set")
	}
	dir = filepath.Join(dir, "corpora")
	raw, err := os.ReadFile(filepath.Join(dir, "MANIFEST.json"))
	if err != nil {
		t.Skip(err)
	}
	var m struct{ Entries []capture }
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	for _, e := range m.Entries {
		for _, c := range categories {
			if e.Category == c {
				list = append(list, e)
			}
		}
	}
	return dir, list
}

// feeder joins reassembly to a decoder, without the core.
type feeder struct{ d *protocoltest.Driver }

func (f feeder) Chunk(c *flow.Chunk) packet.Time {
	f.d.Feed(&protocoltest.Segment{From: c.From, Data: string(c.Data), Lost: c.Lost, Mid: c.Mid, End: c.End})
	return 0
}
func (f feeder) Tick(packet.Time) packet.Time { return 0 }
func (f feeder) Close(flow.Reason)            { f.d.Close() }

// readCapture decodes every conversation of a capture as HTTP.
func readCapture(t testing.TB, path string) (all []*protocoltest.Driver) {
	src, err := pcapfile.Open(pcapfile.Config{Paths: []string{path}})
	if err != nil {
		t.Log(err)
		return nil
	}
	defer src.Close()
	p := New(DefaultConfig())
	table := flow.NewTable(flow.DefaultConfig(), func(f *flow.Flow) flow.Stream {
		if f.Transport != packet.TCP {
			return nil
		}
		d := protocoltest.NewDriver(p)
		all = append(all, d)
		return feeder{d}
	}, nil)
	parser := packet.NewParser(packet.DefaultConfig())
	batch := make([]packet.Packet, 64)
	for {
		n, err := src.Read(batch)
		for i := range batch[:n] {
			if parser.Parse(&batch[i]) == packet.OK {
				table.Packet(&batch[i])
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Log(err)
			break
		}
	}
	table.Close()
	return all
}

// TestEvader holds the share of the answers in which what a browser would see
// is found, however their framing and codings are disguised.
func TestEvader(t *testing.T) {
	dir, list := captures(t, "http-evader")
	found := 0
	for _, e := range list {
		ok := false
		var last *protocoltest.Driver
		for _, d := range readCapture(t, filepath.Join(dir, e.File)) {
			d.Check(t)
			last = d
			for _, m := range d.Messages {
				ok = ok || m.From == flow.Server && strings.Contains(string(m.Body), "EICAR-STANDARD-ANTIVIRUS-TEST-FILE")
			}
		}
		if ok {
			found++
			continue
		}
		if testing.Verbose() && last != nil {
			for _, m := range last.Messages {
				t.Logf("%s: %s %s%s %v size %d body %.60q", filepath.Base(filepath.Dir(e.File)), m.Target, m.Version, m.Status, m.Marks.Names(nil), m.Size, m.Body)
			}
			t.Log(last.Err)
		}
	}
	t.Logf("%d of %d", found, len(list))
	if share := float64(found) / float64(len(list)); share < 0.60 {
		t.Errorf("%.1f %% of the bodies", 100*share)
	}
}

// TestCorpora reads everything there is as HTTP: whatever it is, no promise is
// broken.
func TestCorpora(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	dir, list := captures(t, "http", "http-tunnel", "http-disputed", "reassembly", "robust", "websocket", "http2-grpc", "tls-keys")
	for _, e := range list {
		for _, d := range readCapture(t, filepath.Join(dir, e.File)) {
			d.Check(t)
		}
		if t.Failed() {
			t.Fatal(e.File)
		}
	}
}
