package flow

import (
	"net/netip"
	"testing"
	"time"

	"github.com/passiflow/passiflow/packet"
)

func syn(from Side) seg { return seg{from: from, ack: -1, flags: packet.SYN} }

func synAck(from Side, got int) seg { return seg{from: from, ack: got, flags: packet.SYN} }

func TestBegin(t *testing.T) {
	c, s := Client, Server
	tests := []struct {
		name  string
		segs  []seg
		after packet.Time
		order string
	}{
		{"SYN again", []seg{syn(c), syn(c), synAck(s, 0), synAck(s, 0), said(c, 0, "ask", 0), syn(c), said(s, 0, "answer", 3)}, 0, "c:ask s:answer"},
		{"SYN with data", []seg{{from: c, ack: -1, flags: packet.SYN, data: "ask"}, synAck(s, 3), said(s, 0, "answer", 3)}, 0, "c:ask s:answer"},
		{"SYN with data, not accepted", []seg{{from: c, ack: -1, flags: packet.SYN, data: "ask"}, synAck(s, 0), said(c, 0, "ask", 0), said(s, 0, "answer", 3)}, 0, "c:ask s:answer"},
		{"SYN-ACK with data", []seg{syn(c), {from: s, ack: 0, flags: packet.SYN, data: "hello"}, said(c, 0, "ask", 5)}, 0, "s:hello c:ask"},
		{"SYN-ACK before SYN", []seg{synAck(s, 0), syn(c), said(c, 0, "ask", 0), said(s, 0, "answer", 3)}, 0, "c:ask s:answer"},
		{"data before SYN", []seg{said(c, 0, "ask", 0), syn(c), synAck(s, 0), said(s, 0, "answer", 3)}, 0, "c:ask s:answer"},
		{"later data before SYN", []seg{said(c, 3, "more", 0), syn(c), said(c, 0, "ask", 0)}, 0, "c:ask c:more"},
		{"simultaneous open", []seg{syn(c), syn(s), synAck(c, 0), synAck(s, 0), said(c, 0, "ask", 0), said(s, 0, "answer", 3)}, 0, "c:ask s:answer"},
		{"split handshake, four packets", []seg{syn(c), syn(s), synAck(c, 0), said(s, 0, "", 0), said(c, 0, "ask", 0), said(s, 0, "answer", 3)}, 0, "c:ask s:answer"},
		{"split handshake, five packets", []seg{syn(c), {from: s, off: 1 << 30, ack: 0}, syn(s), synAck(c, 0), said(s, 0, "", 0), said(c, 0, "ask", 0), said(s, 0, "answer", 3)}, 0, "c:ask s:answer"},
		{"no SYN-ACK seen", []seg{syn(c), said(c, 0, "ask", 0), said(s, 0, "answer", 3)}, 0, "c:ask s:answer"},
		{"no handshake seen", []seg{said(c, 0, "ask", 0), said(s, 0, "answer", 3), said(c, 3, "more", 6)}, 60 * ms, "c:ask s:answer c:more"},
		{"in the middle, swapped", []seg{said(c, 3, "more", 0), said(c, 0, "ask", 0), said(s, 0, "answer", 7)}, 60 * ms, "c:ask c:more s:answer"},
		{"in the middle, answer first", []seg{said(s, 0, "answer", 3), said(c, 0, "ask", 0)}, 60 * ms, "c:ask s:answer"},
		{"in the middle of a message", []seg{said(s, 100, "swer", 50), said(s, 104, "!", 50)}, 60 * ms, "s:swer s:!"},
		{"in the middle, pure acknowledgements", []seg{said(c, 7, "", 9), said(s, 9, "", 7), said(c, 7, "ask", 9), said(s, 9, "answer", 10)}, 0, "c:ask s:answer"},
		{"in the middle, gap", []seg{said(c, 7, "", 9), said(s, 9, "", 7), said(c, 10, "x", 9)}, 3e9, "c:[3]x"},
		{"in the middle, keep-alive", []seg{said(c, 6, "", 9), said(s, 9, "", 7), said(c, 7, "ask", 9)}, 60 * ms, "c:ask"},
		{"in the middle, FIN only", []seg{fin(c, 7, 9), fin(s, 9, 8), said(c, 8, "", 10)}, 0, ""},
		{"client only", []seg{syn(c), said(c, 0, "", 0), said(c, 0, "ask", 0), said(c, 3, "more", 6), said(c, 7, "again", 5000)}, 0, "c:ask c:more c:again"},
		{"server only", []seg{synAck(s, 0), said(s, 0, "answer", 3), said(s, 6, "second", 30)}, 0, "s:answer s:second"},
		{"server only, in the middle", []seg{said(s, 0, "answer", 3), said(s, 6, "second", 300), said(s, 12, "third", 1<<26)}, 60 * ms, "s:answer s:second s:third"},
		{"the other side is seen later", []seg{synAck(s, 0), said(s, 0, "answer", 300), said(c, 300, "ask", 6)}, 60 * ms, "s:answer c:ask"},
		{"the other side is seen much later", []seg{said(s, 0, "a", 10), said(s, 1, "b", 1<<28), said(s, 2, "c", 1<<29), said(c, 1<<29, "ask", 3)}, 60 * ms, "s:a s:b s:c c:ask"},
		{"one SYN, then only the other side", []seg{syn(c), synAck(s, 0), said(s, 0, "1", 3), said(s, 1, "2", 3), said(s, 2, "3", 6)}, 60 * ms, "s:1 s:2 s:3"},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			for _, isn := range [][2]uint32{{1000, 5000}, {0, 0xffffffff}, {0xfffffffe, 3}} {
				sc := newScene(t)
				sc.isn = isn
				sc.send(x.segs...)
				if x.after > 0 {
					sc.pass(x.after)
				}
				if x.order == "" {
					if len(sc.tapes) > 0 {
						t.Errorf("opened: %q", sc.tape(0).order())
					}
				} else {
					sc.wantOrder(0, x.order)
				}
				sc.table.Close()
				laws(t, sc.table)
				if len(sc.ends) != 1 {
					t.Errorf("%d conversations", len(sc.ends))
				} else if f := sc.ends[0].Flow; f.Client != alice {
					t.Errorf("client %v", f.Client)
				}
				if lost := sc.table.Stats().Lost; (lost > 0) != (x.name == "in the middle, gap") {
					t.Errorf("lost %d", lost)
				}
			}
		})
	}
}

// TestMid holds that a side whose beginning is not known says so, once.
func TestMid(t *testing.T) {
	s := newScene(t)
	s.send(said(Client, 3, "more", 0), said(Client, 7, "yet", 0), said(Server, 0, "x", 10), said(Server, 1, "y", 10))
	s.pass(60 * ms)
	for i, want := range []bool{true, false, true, false} {
		if c := s.tape(0).calls[i]; c.Mid != want {
			t.Errorf("%q: mid %v", c.Data, c.Mid)
		}
	}
	if n := s.table.Stats().MidStream; n != 1 {
		t.Errorf("MidStream %d", n)
	}
	s = newScene(t)
	s.handshake()
	s.send(said(Client, 3, "more", 0))
	s.pass(3e9)
	if c := s.tape(0).calls[0]; c.Mid || c.Lost != 3 || c.Offset != 3 {
		t.Errorf("%+v", c)
	}
}

func TestDirection(t *testing.T) {
	high := netip.MustParseAddrPort("10.0.0.1:40000")
	low := netip.MustParseAddrPort("10.0.0.2:80")
	other := netip.MustParseAddrPort("10.0.0.2:40000")
	tests := []struct {
		name     string
		src, dst netip.AddrPort
		flags    packet.Flags
		ports    []uint16
		client   netip.AddrPort
	}{
		{"SYN to a high port", low, high, packet.SYN, nil, low},
		{"SYN-ACK", low, high, packet.SYN | packet.ACK, nil, high},
		{"SYN before configured port", low, high, packet.SYN, []uint16{80}, low},
		{"configured port", low, high, packet.ACK, []uint16{40000}, low},
		{"configured port, other way", high, low, packet.ACK, []uint16{40000}, low},
		{"both configured", high, low, packet.ACK, []uint16{40000, 80}, high},
		{"lower port", high, low, packet.ACK, nil, high},
		{"lower port, other way", low, high, packet.ACK, nil, high},
		{"same port", high, other, packet.ACK, nil, other},
		{"same port, other way", other, high, packet.ACK, nil, other},
	}
	for _, x := range tests {
		cfg := DefaultConfig()
		cfg.Ports = x.ports
		var f *Flow
		b := NewTable(cfg, func(*Flow) Stream { return nil }, func(s *Summary) { f = s.Flow })
		b.Packet(&packet.Packet{Time: 1e18, Src: x.src, Dst: x.dst, Proto: packet.TCP, TCP: packet.TCPHeader{Flags: x.flags}})
		b.Close()
		if f.Client != x.client {
			t.Errorf("%s: client %v, want %v", x.name, f.Client, x.client)
		}
	}
}

func TestReuse(t *testing.T) {
	c, s := Client, Server
	talk := []seg{syn(c), synAck(s, 0), said(c, 0, "ask", 0), said(s, 0, "answer", 3)}
	over := append(append([]seg{}, talk...), fin(c, 3, 6), fin(s, 6, 4), said(c, 4, "", 7))
	reset := append(append([]seg{}, talk...), rst(c, 3))
	again := []seg{syn(c), synAck(s, 0), said(c, 0, "ASK", 0), said(s, 0, "ANSWER", 3)}
	tests := []struct {
		name          string
		before, after []seg
		orders        []string
	}{
		{"finished", over, again, []string{"c:ask s:answer c:$ s:$", "c:ASK s:ANSWER"}},
		{"reset", reset, again, []string{"c:ask s:answer", "c:ASK s:ANSWER"}},
		{"finished, SYN not seen", over, again[1:], []string{"c:ask s:answer c:$ s:$", "c:ASK s:ANSWER"}},
		{"living, confirmed by the server", talk, again, []string{"c:ask s:answer", "c:ASK s:ANSWER"}},
		{"living, confirmed by the client", talk, []seg{syn(c), said(c, 0, "ASK", 0), said(s, 0, "ANSWER", 3)}, []string{"c:ask s:answer", "c:ASK s:ANSWER"}},
		{"refused, another attempt", []seg{syn(c), {from: s, off: -5000, ack: 0, flags: packet.RST}}, again, []string{"c:ASK s:ANSWER"}},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			sc := newScene(t)
			sc.send(x.before...)
			sc.isn = [2]uint32{0x70000000, 0x90000000}
			sc.send(x.after...)
			sc.pass(60 * ms)
			sc.table.Close()
			laws(t, sc.table)
			if len(sc.tapes) != len(x.orders) {
				t.Fatalf("%d conversations", len(sc.tapes))
			}
			for i, o := range x.orders {
				sc.wantOrder(i, o)
			}
			if n := sc.table.Stats().Reused; n != 1 {
				t.Errorf("Reused %d", n)
			}
			if n := len(sc.ends); n != 2 {
				t.Fatalf("%d summaries", n)
			}
			if last := sc.ends[1].Flow; last.Client != alice || last.ID == sc.ends[0].Flow.ID {
				t.Errorf("%+v after %+v", last, sc.ends[0].Flow)
			}
		})
	}
}

// TestForgedSYN holds that a SYN from nowhere ends nothing.
func TestForgedSYN(t *testing.T) {
	for _, from := range []Side{Client, Server} {
		s := newScene(t)
		s.handshake()
		s.send(said(Client, 0, "ask", 0))
		s.isn[from] += 0x12345678
		s.send(syn(from), seg{from: from, ack: -1, flags: packet.SYN, data: "bogus"})
		s.isn[from] -= 0x12345678
		s.send(said(Server, 0, "", 3), said(Server, 0, "answer", 3), said(Client, 3, "more", 6))
		s.wantOrder(0, "c:ask s:answer c:more")
		if len(s.ends) > 0 || len(s.tapes) != 1 {
			t.Error("a conversation ended")
		}
	}
}

// TestAsksAgain holds that a client that nobody answered may begin anew with
// another number, and that whichever of its attempts is answered counts.
func TestAsksAgain(t *testing.T) {
	for _, answered := range []int{0, 1, 2} {
		s := newScene(t)
		for i := range 3 {
			s.isn = [2]uint32{uint32(i+1) * 0x30000000, 0x90000000}
			s.send(syn(Client))
		}
		s.isn[Client] = uint32(answered+1) * 0x30000000
		s.send(synAck(Server, 0), said(Client, 0, "ask", 0), said(Server, 0, "answer", 3), fin(Client, 3, 6), fin(Server, 6, 4), said(Client, 4, "", 7))
		s.pass(3e9)
		s.wantOrder(0, "c:ask s:answer c:$ s:$")
		if len(s.ends) != 1 || s.ends[0].Packets != [2]uint64{6, 3} {
			t.Errorf("attempt %d: %d summaries", answered, len(s.ends))
		}
		laws(t, s.table)
	}
}

// TestForgedRefusal holds that a RST and a FIN before the answer to a SYN, sent
// by somebody else, do not end what begins.
func TestForgedRefusal(t *testing.T) {
	s := newScene(t)
	s.isn[Server] = 0
	s.send(syn(Client), rst(Server, 0), fin(Server, 0, 0))
	s.isn[Server] = 59247
	s.send(synAck(Server, 0), said(Client, 0, "ask", 0), said(Server, 0, "answer", 3))
	s.pass(60 * ms)
	s.wantOrder(0, "c:ask s:answer")
	if len(s.tapes) != 1 || len(s.ends) != 0 {
		t.Errorf("%d conversations, %d ended", len(s.tapes), len(s.ends))
	}
	laws(t, s.table)
}

// TestVain holds that what is sent again and again to somebody who does not
// answer any more belongs to the conversation that closed.
func TestVain(t *testing.T) {
	s := newScene(t)
	s.handshake()
	s.send(fin(Server, 0, 0), said(Client, 0, "ask", 1), fin(Client, 3, 1))
	for after := packet.Time(300 * ms); after < 60e9; after *= 2 {
		s.send(seg{from: Client, ack: 1, flags: packet.FIN, data: "ask", after: after})
	}
	s.wantClosed(0, "finished")
	if len(s.tapes) != 1 || len(s.ends) != 0 {
		t.Errorf("%d conversations, %d summaries", len(s.tapes), len(s.ends))
	}
	s.pass(125e9)
	if len(s.ends) != 1 || s.ends[0].Bytes[Client] != 3*9 {
		t.Errorf("%d summaries", len(s.ends))
	}
	laws(t, s.table)
}

// TestReplay holds that a conversation that is played again after its end is
// another one, and that a copy of its SYN that came late is none.
func TestReplay(t *testing.T) {
	whole := []seg{syn(Client), synAck(Server, 0), said(Client, 0, "ask", 0), said(Server, 0, "answer", 3), fin(Client, 3, 6), fin(Server, 6, 4), said(Client, 4, "", 7)}
	s := newScene(t)
	s.send(whole...)
	s.send(syn(Client), synAck(Server, 0))
	if len(s.ends) != 0 {
		t.Fatal("ended by a copy")
	}
	s.pass(200 * ms)
	s.send(whole...)
	if len(s.tapes) != 2 {
		t.Fatalf("%d conversations", len(s.tapes))
	}
	s.wantOrder(1, "c:ask s:answer c:$ s:$")
	laws(t, s.table)
}

// TestOnlyReset holds that a RST that belongs to nothing is a conversation only
// where that is asked for.
func TestOnlyReset(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		s := newScene(t, func(c *Config) { c.Resets = wanted })
		s.send(rst(Server, 0))
		s.table.Close()
		if n := len(s.ends); n == 1 != wanted || len(s.tapes) != 0 {
			t.Errorf("wanted %v: %d summaries, %d conversations", wanted, n, len(s.tapes))
		}
		laws(t, s.table)
	}
}

// TestAfterClose holds that what comes late belongs to the conversation that
// closed, and that it does not keep it.
func TestAfterClose(t *testing.T) {
	s := newScene(t)
	s.handshake()
	s.send(said(Client, 0, "ask", 0), fin(Client, 3, 0), fin(Server, 0, 4), said(Client, 4, "", 1))
	s.wantClosed(0, "finished")
	s.send(said(Client, 0, "ask", 0), fin(Client, 3, 0), said(Client, 4, "more", 1))
	if x := s.table.Stats(); x.Duplicate != 3 || x.AfterReset != 4 {
		t.Errorf("%+v", x)
	}
	for range 3 {
		s.send(seg{from: Client, off: 0, ack: 1, after: 900 * ms})
	}
	if n := len(s.ends); n != 1 {
		t.Errorf("%d ended", n)
	}
}

// TestResetRemembered holds that a conversation that was reset is remembered as
// long as one that finished.
func TestResetRemembered(t *testing.T) {
	for _, remember := range []time.Duration{2 * time.Second, 20 * time.Second} {
		s := newScene(t, func(c *Config) { c.Remember, c.Resets = remember, true })
		s.handshake()
		s.send(said(Client, 0, "ask", 0), rst(Server, 0))
		s.pass(10e9)
		s.wantClosed(0, "finished")
		s.send(rst(Server, 0))
		s.table.Close()
		if want := map[bool]int{true: 1, false: 2}[remember > 10*time.Second]; len(s.ends) != want {
			t.Errorf("remembered %v: %d summaries, want %d", remember, len(s.ends), want)
		}
		laws(t, s.table)
	}
}
