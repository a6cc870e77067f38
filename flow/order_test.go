package flow

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/packet"
)

// said is a segment with data, got what it acknowledges.
func said(from Side, off int, data string, got int) seg {
	return seg{from: from, off: off, data: data, ack: got}
}

func TestOrder(t *testing.T) {
	c, s := Client, Server
	tests := []struct {
		name  string
		segs  []seg
		after packet.Time // before the end
		order string
	}{
		{"in order", []seg{said(c, 0, "ab", 0), said(s, 0, "xy", 2), said(c, 2, "cd", 2)}, 0, "c:ab s:xy c:cd"},
		{"swapped", []seg{said(c, 2, "cd", 0), said(c, 0, "ab", 0)}, 0, "c:ab c:cd"},
		{"reversed", []seg{said(c, 3, "d", 0), said(c, 2, "c", 0), said(c, 1, "b", 0), said(c, 0, "a", 0)}, 0, "c:a c:b c:c c:d"},
		{"retransmission", []seg{said(c, 0, "ab", 0), said(c, 0, "ab", 0), said(c, 0, "abc", 0)}, 0, "c:ab c:c"},
		{"retransmission of held bytes", []seg{said(c, 2, "cd", 0), said(c, 2, "cd", 0), said(c, 0, "ab", 0)}, 0, "c:ab c:cd"},
		{"overlap, first wins", []seg{said(c, 1, "bcd", 0), said(c, 0, "ABCDE", 0)}, 0, "c:A c:bcd c:E"},
		{"keep-alive probe with a byte", []seg{said(c, 0, "ab", 0), said(c, 1, "Z", 0), said(c, 1, "", 0), said(c, 2, "c", 0)}, 0, "c:ab c:c"},
		{"answer before question", []seg{said(s, 0, "answer", 3), said(c, 0, "ask", 0)}, 0, "c:ask s:answer"},
		{"acknowledgement before question", []seg{said(s, 0, "", 3), said(c, 0, "ask", 0), said(s, 0, "answer", 3)}, 0, "c:ask s:answer"},
		{"pipelined, answers before questions", []seg{said(s, 0, "1", 1), said(s, 1, "2", 2), said(c, 0, "a", 0), said(c, 1, "b", 0)}, 0, "c:a s:1 c:b s:2"},
		{"both sides early", []seg{said(c, 1, "b", 1), said(s, 0, "1", 1), said(c, 0, "a", 0)}, 0, "c:a s:1 c:b"},
		{"question never seen", []seg{said(s, 0, "answer", 3), {from: s, off: 6, ack: 3, data: "!", after: 60 * ms}}, 0, "s:answer s:!"},
		{"question seen too late", []seg{said(s, 0, "answer", 3), {from: c, data: "ask", after: 60 * ms}}, 0, "s:answer c:ask"},
		{"gap, acknowledged", []seg{said(c, 0, "ab", 0), said(c, 5, "fg", 0), said(s, 0, "", 7), {from: s, ack: 7, data: "x", after: 51 * ms}}, 0, "c:ab c:[3]fg s:x"},
		{"gap, not acknowledged, waits", []seg{said(c, 0, "ab", 0), said(c, 5, "fg", 0), {from: c, off: 2, data: "cde", after: 1900 * ms}}, 0, "c:ab c:cde c:fg"},
		{"gap, not acknowledged, ends", []seg{said(c, 0, "ab", 0), said(c, 5, "fg", 0), {from: c, off: 2, data: "cde", after: 2100 * ms}}, 0, "c:ab c:[3]fg"},
		{"gap, time passes", []seg{said(c, 0, "ab", 0), said(c, 5, "fg", 0)}, 3e9, "c:ab c:[3]fg"},
		{"gap told before the answer to what followed", []seg{said(c, 0, "a", 0), said(c, 3, "d", 0), said(s, 0, "1", 4)}, 60 * ms, "c:a c:[2]d s:1"},
		{"two gaps at once", []seg{said(c, 1, "b", 0), said(c, 3, "d", 0), said(s, 0, "", 4)}, 52 * ms, "c:[1]b c:[1]d"},
		{"cut by the snaplen", []seg{{from: c, data: "ab", cut: 3}, said(c, 5, "f", 0)}, 0, "c:ab c:[3]f"},
		{"cut, then answered", []seg{{from: c, data: "ab", cut: 3}, said(s, 0, "x", 5)}, 0, "c:ab c:[3] s:x"},
		{"cut, then nothing", []seg{{from: c, data: "ab", cut: 3}}, 0, "c:ab c:[3]"},
		{"headers only", []seg{{from: c, cut: 5}, {from: s, ack: 5, cut: 7}}, 0, ""},
		{"urgent data stays in its place", []seg{{from: c, data: "ab", flags: packet.URG}, said(c, 2, "c", 0)}, 0, "c:ab c:c"},
		{"far outside the window", []seg{said(c, 0, "ab", 0), said(c, 1<<29, "zz", 0), said(c, -5000, "zz", 0), said(c, 2, "cd", 0)}, 0, "c:ab c:cd"},
		{"forged acknowledgement", []seg{said(s, 0, "1", 1<<27), said(c, 0, "ask", 0), said(s, 1, "2", 3)}, 0, "s:1 c:ask s:2"},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			for _, isn := range [][2]uint32{{1000, 5000}, {0xffffffff, 0}, {0xfffffffe, 0xfffffffc}} {
				sc := newScene(t)
				sc.isn = isn
				sc.handshake()
				sc.send(x.segs...)
				if x.after > 0 {
					sc.pass(x.after)
				}
				sc.table.Close()
				laws(t, sc.table)
				if x.order == "" && len(sc.tapes) == 0 {
					continue
				}
				sc.wantOrder(0, x.order)
			}
		})
	}
}

// TestEdge holds that the beginning of a segment is told as such.
func TestEdge(t *testing.T) {
	s := newScene(t)
	s.handshake()
	s.send(said(Client, 0, "ab", 0), said(Client, 1, "bc", 0), said(Client, 5, "f", 0), said(Client, 3, "def", 0))
	want := map[string]bool{"ab": true, "c": false, "de": true, "f": true}
	for _, c := range s.tape(0).calls {
		if c.Edge != want[c.Data] {
			t.Errorf("%q: edge %v", c.Data, c.Edge)
		}
	}
}

// TestRepeatedAck holds that bytes sent again, with a newer acknowledgement, and
// captured before the first copy, do not wait for what the first did not.
func TestRepeatedAck(t *testing.T) {
	s := newScene(t)
	s.handshake()
	s.send(
		said(Server, 0, "12", 5), // the repetition
		said(Client, 2, "cde", 2),
		said(Server, 0, "12", 2),
		said(Client, 0, "ab", 0),
	)
	s.wantOrder(0, "c:ab s:12 c:cde")
}

func TestTimeOfChunk(t *testing.T) {
	s := newScene(t)
	s.handshake()
	s.send(said(Client, 2, "c", 0))
	early := s.now
	s.send(said(Client, 0, "ab", 0))
	if c := s.tape(0).calls[1]; c.Data != "c" || c.Time != early {
		t.Errorf("%q at %d, want %d", c.Data, c.Time, early)
	}
}

// TestOverlapLinux delivers the copy of the segment that starts earlier, or at
// the same place and is longer.
func TestOverlapLinux(t *testing.T) {
	tests := []struct{ segs, want string }{
		{"2:BBB 1:aa", ".aaBB"}, // byte 0 is sent last
		{"1:aa 1:BB", ".aa"},
		{"1:aa 1:BBB", ".BBB"},
		{"1:aaa 1:BB", ".aaa"},
		{"3:aaa 1:BBBBBBB", ".BBBBBBB"},
		{"1:aaaaaaa 3:BBB", ".aaaaaaa"},
		{"1:aa 5:cc 1:BBBB", ".BBBBcc"},
		{"4:aa 1:BBBB 4:CCCC", ".BBBBCCC"},
	}
	for _, x := range tests {
		s := newScene(t, func(c *Config) { c.Overlap = Linux })
		s.handshake()
		for _, f := range strings.Fields(x.segs) {
			s.send(said(Client, int(f[0]-'0'), f[2:], 0))
		}
		s.send(said(Client, 0, ".", 0))
		s.want(0, Client, x.want)
	}
}

// TestOverlapVectors compares with published figures of what systems do.
func TestOverlapVectors(t *testing.T) {
	dir := os.Getenv("PASSIFLOW_SHARED")
	if dir == "" {
		t.Skip("PASSIFLOW_SHARED is not set")
	}
	b, err := os.ReadFile(filepath.Join(dir, "corpora", "overlap_vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Name, Policy string
			Steps        []struct {
				Rel   int `json:"rel_seq"`
				Data  string
				After string `json:"stream_after"`
			}
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, v := range file.Vectors {
		var policy Overlap
		switch v.Policy {
		case "linux":
			policy = Linux
		case "vista", "first":
		default:
			continue
		}
		seen++
		t.Run(v.Name, func(t *testing.T) {
			// A byte before all is sent last, so that everything has to wait.
			for n := range v.Steps {
				s := newScene(t, func(c *Config) { c.Overlap = policy })
				s.handshake()
				for _, x := range v.Steps[:n+1] {
					s.send(said(Client, x.Rel, x.Data, 0))
				}
				s.send(said(Client, 0, ">", 0))
				s.table.Close()
				got := strings.Builder{}
				for _, c := range s.tape(0).calls {
					got.WriteString(strings.Repeat(".", int(c.Lost)) + c.Data)
				}
				if want := ">" + v.Steps[n].After; got.String() != want {
					t.Fatalf("step %d: %q, want %q", n, got.String(), want)
				}
			}
		})
	}
	if seen < 8 {
		t.Fatalf("%d vectors", seen)
	}
}

// TestLostBy holds that what a side repeats does not count as said after it had
// received what it acknowledges by then.
func TestLostBy(t *testing.T) {
	s := newScene(t)
	s.handshake()
	s.send(said(Server, 0, "12", 0), said(Server, 0, "12", 3), said(Client, 3, "d", 2), said(Server, 2, "3", 4))
	s.pass(60 * ms)
	s.wantOrder(0, "s:12 c:[3]d s:3")
	k := 0
	s.table.Close()
	for _, c := range s.tape(0).calls {
		if c.Lost > 0 {
			if k++; c.LostBy != 2 {
				t.Errorf("LostBy %d", c.LostBy)
			}
		}
	}
	if k != 1 {
		t.Errorf("%d gaps", k)
	}
}
