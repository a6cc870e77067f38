package flow

import (
	"testing"

	"github.com/passiflow/passiflow/packet"
)

func fin(from Side, off, got int) seg { return seg{from: from, off: off, ack: got, flags: packet.FIN} }
func rst(from Side, off int) seg      { return seg{from: from, off: off, ack: -1, flags: packet.RST} }

func TestClose(t *testing.T) {
	c, s := Client, Server
	ask, answer := said(c, 0, "ask", 0), said(s, 0, "answer", 3)
	tests := []struct {
		name   string
		segs   []seg
		after  packet.Time
		order  string
		closed string // before the table is closed
	}{
		{"both sides", []seg{ask, answer, fin(c, 3, 6), fin(s, 6, 4), said(c, 4, "", 7)}, 0, "c:ask s:answer c:$ s:$", "finished"},
		{"FIN with data", []seg{ask, {from: s, ack: 3, data: "answer", flags: packet.FIN}, said(c, 3, "", 7)}, 0, "c:ask s:answer s:$", "open"},
		{"half closed", []seg{ask, fin(c, 3, 0), said(s, 0, "", 4), said(s, 0, "answer", 4), fin(s, 6, 4), said(c, 4, "", 7)}, 0, "c:ask c:$ s:answer s:$", "finished"},
		{"FIN not acknowledged", []seg{ask, answer, fin(s, 6, 3)}, 1900 * ms, "c:ask s:answer", "open"},
		{"FIN not acknowledged, waited", []seg{ask, answer, fin(s, 6, 3)}, 2100 * ms, "c:ask s:answer s:$", "open"},
		{"FIN before its data", []seg{ask, fin(s, 6, 3), answer, said(c, 3, "", 7)}, 0, "c:ask s:answer s:$", "open"},
		{"FIN before its data, which is lost", []seg{ask, fin(s, 6, 3), said(c, 3, "", 7)}, 60 * ms, "c:ask s:[6]$", "open"},
		{"FIN before its data, which is partly lost", []seg{ask, said(s, 2, "s", 3), fin(s, 6, 3), said(c, 3, "", 7)}, 60 * ms, "c:ask s:[2]s s:[3]$", "open"},
		{"FIN again", []seg{ask, answer, fin(s, 6, 3), fin(s, 6, 3), said(c, 3, "", 7), fin(s, 6, 3)}, 0, "c:ask s:answer s:$", "open"},
		{"wrong FIN, data beyond", []seg{ask, fin(s, 0, 3), answer, said(c, 3, "", 6), fin(s, 6, 3), said(c, 3, "", 7)}, 0, "c:ask s:answer s:$", "open"},
		{"wrong FIN, data beyond held", []seg{ask, said(s, 3, "wer", 3), fin(s, 3, 3), said(s, 0, "ans", 3), said(c, 3, "", 6)}, 3e9, "c:ask s:ans s:wer", "open"},
		{"FIN from the past", []seg{ask, answer, fin(s, 2, 3), said(c, 3, "", 6)}, 3e9, "c:ask s:answer", "open"},
		{"FIN acknowledged before its data came", []seg{ask, said(c, 3, "", 7), fin(s, 6, 3), answer}, 0, "c:ask s:answer s:$", "open"},
		{"FIN before the peer's data that it acknowledged", []seg{ask, fin(c, 3, 6), answer, said(s, 6, "", 4)}, 0, "c:ask s:answer c:$", "open"},
		{"data after the end", []seg{ask, fin(c, 3, 0), said(s, 0, "", 4), said(c, 3, "more", 0), answer}, 0, "c:ask c:$ s:answer", "open"},

		{"reset", []seg{ask, rst(s, 0)}, 1900 * ms, "c:ask", "open"},
		{"reset, waited", []seg{ask, rst(s, 0)}, 3500 * ms, "c:ask", "finished"},
		{"wrong reset, the side goes on", []seg{ask, rst(s, 0), answer, said(c, 3, "more", 6)}, 4e9, "c:ask s:answer c:more", "open"},
		{"wrong reset, the side acknowledges", []seg{ask, rst(s, 0), said(c, 3, "more", 0), said(s, 0, "", 7)}, 4e9, "c:ask c:more", "open"},
		{"reset, data on the way", []seg{ask, rst(s, 0), said(c, 3, "more", 0)}, 4e9, "c:ask c:more", "finished"},
		{"reset out of the window", []seg{ask, rst(s, 1<<24), rst(s, -1000)}, 4e9, "c:ask", "open"},
		{"reset from the other side", []seg{ask, answer, rst(c, 3)}, 4e9, "c:ask s:answer", "finished"},
		{"reset with data", []seg{ask, {from: s, ack: 3, flags: packet.RST, data: "Go away"}}, 4e9, "c:ask", "finished"},
		{"reset before early bytes were due", []seg{ask, said(c, 5, "x", 0), rst(s, 0)}, 4e9, "c:ask c:[2]x", "finished"},
		{"idle", []seg{ask}, 902e9, "c:ask", "idle"},
		{"not yet idle", []seg{ask}, 899e9, "c:ask", "open"},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			sc := newScene(t)
			sc.handshake()
			sc.send(x.segs...)
			if x.after > 0 {
				sc.pass(x.after)
			}
			sc.wantOrder(0, x.order)
			sc.wantClosed(0, x.closed)
			sc.table.Close()
			laws(t, sc.table)
			if x.closed == "open" {
				sc.wantClosed(0, "stopped")
			}
			if len(sc.ends) != 1 || len(sc.tapes) != 1 {
				t.Errorf("%d conversations, %d summaries", len(sc.tapes), len(sc.ends))
			}
		})
	}
}

func TestSummary(t *testing.T) {
	s := newScene(t, func(c *Config) { c.Digest = true })
	s.handshake()
	s.send(said(Client, 0, "ab", 0), said(Client, 0, "ab", 0), said(Client, 5, "c", 0), said(Server, 0, "xyz", 6), fin(Client, 6, 3), fin(Server, 3, 7), said(Client, 7, "", 4))
	s.pass(60 * ms)
	s.pass(4e9)
	if len(s.ends) != 1 {
		t.Fatalf("%d summaries", len(s.ends))
	}
	x := s.ends[0]
	if x.Reason != Finished || x.HalfOpen || x.Packets != [2]uint64{7, 3} || x.Bytes != [2]uint64{5, 3} || x.Delivered != [2]uint64{3, 3} || x.Lost != [2]uint64{3, 0} {
		t.Errorf("%+v", x)
	}
	if x.Flow.Client != alice || x.Flow.Server != bob || x.Flow != s.tape(0).flow {
		t.Errorf("%+v", x.Flow)
	}
	var d digest
	d.write([]byte("abc"))
	if !x.HasDigest || x.Digest[Client] != d.sum() {
		t.Error("digest")
	}
}

// TestLateEnd holds that an end that came before anything was said is told when
// something is.
func TestLateEnd(t *testing.T) {
	s := newScene(t)
	s.handshake()
	s.send(fin(Server, 0, 0), said(Client, 0, "", 1), said(Client, 0, "ask", 1))
	s.wantOrder(0, "s:$ c:ask")
}

func TestTick(t *testing.T) {
	s := newScene(t)
	s.wait = 30e9
	s.handshake()
	s.send(said(Client, 0, "a", 0))
	asked := s.now + 30e9
	s.pass(29e9)
	if n := len(s.tape(0).calls); n != 1 {
		t.Fatalf("%d calls", n)
	}
	// A packet after the time makes it ring first, at its own time.
	s.send(seg{from: Server, ack: 1, data: "x", after: 2e9})
	c := s.tape(0).calls
	if len(c) != 3 || c[1].What != "tick" || c[1].Time != asked || c[2].Data != "x" {
		t.Fatalf("%+v", c)
	}
	// So does time alone.
	s.pass(31e9)
	if c = s.tape(0).calls; len(c) != 4 || c[3].What != "tick" {
		t.Fatalf("%+v", c)
	}
}
