package golden

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	pt "github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/source"
)

var update = flag.Bool("update", false, "write the expected records anew; read them before you believe them")

// lines takes records as they would be written.
type lines struct {
	format format.Format
	out    []byte
}

func (l *lines) Push(_ context.Context, batch []*message.Exchange) {
	for _, x := range batch {
		l.out = l.format.Append(l.out, x)
	}
}

// summaries takes conversations as records.
type summaries struct{ *lines }

func (s summaries) Push(ctx context.Context, batch []*flow.Summary) {
	for _, x := range batch {
		s.lines.Push(ctx, []*message.Exchange{{Flow: x.Flow, Summary: x}})
	}
}

// records reads a capture once for a unit.
func records(t *testing.T, path string, unit passiflow.Unit, bodyLimit int) string {
	t.Helper()
	files, err := builtin.Files(builtin.FileOptions{Paths: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	l := &lines{format: builtin.Formats()["json"](builtin.FormatOptions{})}
	c := passiflow.DefaultConfig()
	c.Sources = []source.Source{files}
	c.Protocols = func() []protocol.Protocol { return builtin.Protocols(builtin.ProtocolOptions{BodyLimit: bodyLimit}) }
	c.Rules = rule.NewSecrets(rule.SecretHeaders())
	c.Outputs = []passiflow.Output{{Unit: unit, Records: l, Flows: summaries{l}}}
	p, err := passiflow.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	adds(t, p.Stats())
	return string(l.out)
}

// adds checks the sums of the ledger.
func adds(t *testing.T, s passiflow.Stats) {
	t.Helper()
	var parsed uint64
	for _, n := range s.Walk.Parsed {
		parsed += n
	}
	f, c := &s.Flow, &s.Core
	for what, ok := range map[string]bool{
		"packets":       s.Walk.Packets == parsed,
		"fragments":     s.Walk.Parsed[packet.Held] == s.Fragments.Completed+s.Fragments.Expired+s.Fragments.Shed+s.Fragments.Replaced+s.Fragments.Pending,
		"payload":       f.Payload == f.Delivered+f.Duplicate+f.OutOfWindow+f.AfterReset+f.Refused+f.Unsampled+f.Copies,
		"conversations": f.Opened == f.Finished+f.Idle+f.Evicted+f.Stopped,
		"messages":      c.Requests+c.Answers+c.Interim == 2*c.Pairs+c.Interims+c.Halves+c.ShedMessages,
		"pending":       s.Pending == 0 && s.Waiting == 0,
		"nothing fails": c.Broken == 0,
	} {
		if !ok {
			t.Errorf("%s do not add up: %+v", what, s)
		}
	}
}

func TestGolden(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range scenes {
		seen[s.name+".ndjson"] = true
		t.Run(s.name, func(t *testing.T) {
			tape := pt.NewTape()
			s.play(tape)
			path := filepath.Join(t.TempDir(), s.name+".pcap")
			if err := os.WriteFile(path, tape.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			limit := s.bodyLimit
			if limit == 0 {
				limit = 1 << 20
			}
			var got string
			for _, unit := range []passiflow.Unit{passiflow.UnitExchange, passiflow.UnitMessage, passiflow.UnitFlow} {
				once := records(t, path, unit, limit)
				if again := records(t, path, unit, limit); again != once {
					t.Errorf("the second time it is something else:\n%s", cmp.Diff(once, again))
				}
				got += once
			}
			file := filepath.Join("testdata", s.name+".ndjson")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
	all, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if !seen[e.Name()] {
			t.Errorf("testdata/%s belongs to no scene", e.Name())
		}
	}
	if len(seen) != len(scenes) || !slices.ContainsFunc(scenes, func(s scene) bool { return s.bodyLimit > 0 }) {
		t.Error("two scenes have one name, or none has a body limit")
	}
}
