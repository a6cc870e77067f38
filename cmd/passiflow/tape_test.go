package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/passiflow/passiflow/packet/packettest"
)

// tape writes a capture: tape KIND FILE. The kinds stand in tapes.
func tape(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || tapes()[args[0]] == nil {
		ts.Fatalf("usage: tape kind file")
	}
	t := packettest.NewTape()
	tapes()[args[0]](t)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), t.Bytes(), 0o600))
}

func tapes() map[string]func(*packettest.Tape) {
	return map[string]func(*packettest.Tape){
		"shop":  shop,
		"empty": func(*packettest.Tape) {},
		// An answer of which 1,000 bytes in the middle were never captured.
		"lossy": func(t *packettest.Tape) {
			c := t.Open("10.0.0.1:40000", "10.0.0.2:80", nil)
			c.Client("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
			c.Server("HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + strings.Repeat("a", 1000))
			c.Lose(1000)
			c.Server(strings.Repeat("b", 1000))
			c.Client("GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
			c.Server("HTTP/1.1 204 No Content\r\n\r\n")
			c.Close()
		},
		// A request that nobody answers.
		"silent": func(t *packettest.Tape) {
			c := t.Open("10.0.0.1:40000", "10.0.0.2:80", nil)
			c.Client("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
			t.Wait(time.Minute)
			c.Close()
		},
		// Two ports, one of them inside VXLAN.
		"tunnel": func(t *packettest.Tape) {
			c := t.Open("10.0.1.1:40000", "10.0.1.2:80", func(p packettest.Piece) packettest.Piece {
				return packettest.Ether(packettest.IPv4("192.0.2.1", "192.0.2.2", packettest.UDP(50000, 4789, packettest.VXLAN(42, packettest.Ether(p)))))
			})
			c.Client("GET /inside HTTP/1.1\r\nHost: a\r\n\r\n")
			c.Server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			c.Close()
			o := t.Open("10.0.0.1:40001", "10.0.0.2:8080", nil)
			o.Client("GET /outside HTTP/1.1\r\nHost: a\r\n\r\n")
			o.Server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			o.Close()
		},
		// Enough to fill a pipe.
		"long": func(t *packettest.Tape) {
			c := t.Open("10.0.0.1:40000", "10.0.0.2:80", nil)
			for i := range 3000 {
				c.Client("GET /" + strconv.Itoa(i) + " HTTP/1.1\r\nHost: a\r\n\r\n")
				c.Server("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + strings.Repeat("x", 500))
			}
			c.Close()
		},
		// A TLS handshake.
		"tls": func(t *packettest.Tape) {
			c := t.Open("10.0.0.1:40000", "10.0.0.2:443", nil)
			name := "shop.example"
			sni := "\x00\x00\x00" + string(rune(len(name)+5)) + "\x00" + string(rune(len(name)+3)) + "\x00\x00" + string(rune(len(name))) + name
			hello := "\x03\x03" + strings.Repeat("r", 32) + "\x00" + "\x00\x02\x13\x01" + "\x01\x00" + "\x00" + string(rune(len(sni))) + sni
			c.Client("\x16\x03\x01\x00" + string(rune(len(hello)+4)) + "\x01\x00\x00" + string(rune(len(hello))) + hello)
			c.Server("\x16\x03\x03\x00\x04\x02\x00\x00\x00")
			c.Close()
		},
	}
}

// shop is a conversation of three exchanges, with credentials.
func shop(t *packettest.Tape) {
	c := t.Open("10.0.0.1:40000", "10.0.0.2:80", nil)
	c.Client("GET / HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer s3cret\r\n\r\n")
	c.Server("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nwelcome\n")
	c.Client("POST /orders HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 19\r\n\r\n{\"cup\":7,\"count\":2}")
	c.Server("HTTP/1.1 201 Created\r\nSet-Cookie: session=s3cret\r\nContent-Length: 17\r\n\r\nordered 19 bytes\n")
	c.Client("GET /nowhere HTTP/1.1\r\nHost: shop.example\r\n\r\n")
	c.Server("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnot \r\n6\r\nfound\n\r\n0\r\n\r\n")
	c.Close()
}
