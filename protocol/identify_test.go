package protocol_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/http1"
)

// script is a conversation and what is told of it.
type script struct {
	name string
	cfg  func(*protocol.Config)
	run  func(*talk)
	want []string
	stat func(*protocol.Stats) uint64 // a counter that must be 1
}

func play(t *testing.T, scripts []script) {
	for _, x := range scripts {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t, x.cfg)
			c := w.open()
			x.run(c)
			c.close(flow.Finished)
			w.empty()
			if d := cmp.Diff(x.want, w.got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if s := w.core.Stats(); x.stat != nil && x.stat(&s) != 1 {
				t.Errorf("the counter is %d, want 1: %+v", x.stat(&s), s)
			}
		})
	}
}

func http(c *protocol.Config) {
	c.Protocols = []protocol.Protocol{http1.New(http1.DefaultConfig())}
}

// hello is a TLS ClientHello with a server name.
func hello(name string) string {
	u16 := func(n int) string { return string([]byte{byte(n >> 8), byte(n)}) }
	entry := "\x00" + u16(len(name)) + name
	list := u16(len(entry)) + entry
	extensions := "\x00\x00" + u16(len(list)) + list
	body := "\x03\x03" + strings.Repeat("r", 32) + "\x00" + "\x00\x02\x13\x01" + "\x01\x00" + u16(len(extensions)) + extensions
	shake := "\x01\x00" + u16(len(body)) + body
	return "\x16\x03\x01" + u16(len(shake)) + shake
}

func TestIdentify(t *testing.T) {
	identified := func(s *protocol.Stats) uint64 { return s.Identified }
	unknown := func(s *protocol.Stats) uint64 { return s.Unknown }
	play(t, []script{
		{"at once", nil, func(c *talk) { c.ask("?a\n").answer("!a\n") }, []string{"?a !a"}, identified},
		{"after more", nil, func(c *talk) { c.ask("%").ask("?\n?a\n").answer("!a\n") }, []string{"?a !a"}, identified},
		{"more for ever", func(c *protocol.Config) { c.Probe, c.Tries = 0, 1 }, func(c *talk) { c.ask("%").ask("?a\n") },
			[]string{"opaque not_spoken"}, unknown},
		{"the roles are exchanged", nil, func(c *talk) { c.answer("?a\n").ask("!a\n").answer("?b\n").ask("!b\n") }, []string{"?a !a", "?b !b"}, identified},
		{"reversed in the middle", nil, func(c *talk) {
			c.mid = [2]bool{true, true}
			c.answer("?a\n").ask("!a\n").answer("?b\n").ask("!b\n").wait(second)
		}, []string{"?a !a presumed", "?b !b presumed"}, identified},
		{"the server first", nil, func(c *talk) { c.answer("!early\n").ask("?a\n").answer("!a\n") },
			[]string{"- !early unasked", "?a !a"}, identified},
		{"at a later segment", nil, func(c *talk) { c.ask("xyz").ask("zyx").answer("yx").ask("?a\n").answer("!a\n") }, []string{"?a !a presumed"}, identified},
		{"what came before may have been a request", nil, func(c *talk) { c.ask("xyz").ask("?a\n").answer("!a\n") },
			[]string{"- !a request_lost", "?a - pair_unproven"}, identified},
		{"the rest of what seemed more", nil, func(c *talk) { c.ask("%").ask("xyz").answer("yx").ask("?a\n").answer("!a\n") }, []string{"?a !a presumed"}, identified},
		{"behind a greeting", nil, func(c *talk) {
			c.ask("\x05\x01\x00").answer("\x05\x00").ask("\x05\x01\x00\x03\x01a\x00\x50").answer("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
			c.ask("?a\n").answer("!a\n").ask("?b\n").answer("!b\n")
		}, []string{"?a !a presumed", "?b !b presumed"}, identified},
		{"a burst behind a greeting", nil, func(c *talk) { c.answer("x").ask("?a\n?b\n").answer("!a\n!b\n") },
			[]string{"- !a pair_unproven", "- !b pair_unproven", "?a - pair_unproven", "?b - pair_unproven"}, identified},
		{"a burst, reversed in the middle", nil, func(c *talk) {
			c.mid = [2]bool{true, true}
			c.answer("?a\n?b\n").ask("!a\n!b\n")
		}, []string{"- !a pair_unproven", "- !b pair_unproven", "?a - pair_unproven", "?b - pair_unproven"}, identified},
		{"behind a gap", nil, func(c *talk) { c.lose(client, "?a\n").answer("!a\n").ask("?b\n").answer("!b\n") },
			[]string{"- !a request_unseen", "?b !b presumed"}, identified},
		{"in the middle, a request first", nil, func(c *talk) {
			c.mid = [2]bool{true, true}
			c.off = [2]uint64{1000, 5000}
			c.ask("?a\n").answer("!a\n").ask("?b\n").answer("!b\n")
		}, []string{"?a !a presumed", "?b !b presumed"}, identified},
		{"in the middle, an answer first", nil, func(c *talk) {
			c.mid = [2]bool{true, true}
			c.off = [2]uint64{1000, 5000}
			c.answer("!z\n").ask("?a\n").answer("!a\n")
		}, []string{"- !z request_unseen", "?a !a presumed"}, identified},
		{"given up", func(c *protocol.Config) { c.Tries = 3 }, func(c *talk) { c.ask("x").ask("y").ask("z").ask("?a\n").answer("!a\n") },
			[]string{"opaque not_spoken"}, unknown},
		{"each side has its tries", func(c *protocol.Config) { c.Tries = 3 }, func(c *talk) { c.ask("x").ask("y").answer("x").answer("y").ask("?a\n").answer("!a\n") },
			[]string{"?a !a presumed"}, identified},
		{"never", nil, func(c *talk) { c.ask("x").answer("y") }, []string{"opaque not_spoken"}, unknown},
		{"both ended", nil, func(c *talk) { c.ask("x").end(client).end(server).answer("?") }, []string{"opaque not_spoken"}, unknown},
		{"nothing said", nil, func(c *talk) { c.end(client).end(server) }, nil, nil},
		{"TLS", http, func(c *talk) { c.ask(hello("a.example")).answer("\x16\x03\x03\x00\x04\x02abc") },
			[]string{"opaque not_spoken tls a.example"}, unknown},
		{"TLS in pieces", http, func(c *talk) {
			h := hello("a.example")
			c.ask(h[:40]).ask(h[40:60]).ask(h[60:]).answer("\x16\x03\x03\x00\x04\x02abc")
		}, []string{"opaque not_spoken tls a.example"}, unknown},
		{"TLS behind CONNECT", http, func(c *talk) {
			c.ask("CONNECT a.example:443 HTTP/1.1\r\n\r\n").answer("HTTP/1.1 200 OK\r\n\r\n").ask(hello("a.example"))
		}, []string{"CONNECT 200", "opaque tunnelled tls a.example"}, identified},
	})
}

func TestProbePanics(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.open(), w.open()
	a.ask("x").ask("panic").ask("?a\n")
	b.ask("?b\n").answer("!b\n")
	a.close(flow.Finished)
	b.close(flow.Finished)
	w.empty()
	if d := cmp.Diff([]string{"broken lines probe", "?b !b"}, w.got); d != "" {
		t.Error(d)
	}
}
