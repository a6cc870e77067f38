package http1

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol/protocoltest"
)

// Bodies that are next to nothing on the wire and a MiB each are decompressed
// until the credit is used up, and from then on no further than what people
// compress: which is told whole all the time.
func TestCredit(t *testing.T) {
	var text strings.Builder
	for i := range 400 {
		fmt.Fprintf(&text, `{"id":%d,"name":"user %d","mail":"u%d@example.org","active":true},`, i, i*7, i)
	}
	for _, how := range []string{"gzip", "br", "zstd"} {
		t.Run(how, func(t *testing.T) {
			p := New(Config{BodyLimit: 1 << 20, DecodedCredit: 8 << 20})
			bomb, honest := packed(t, how, strings.Repeat("\x00", 1<<20)), packed(t, how, text.String())
			taken, wire, all := 0, 0, 0
			for i := range 200 {
				for _, said := range []string{bomb, honest} {
					d := protocoltest.Run(p, []seg{{From: flow.Client, Data: "GET / HTTP/1.1\r\n\r\n"}, fin(s(said))})
					d.Check(t)
					m := d.Messages[1]
					all += len(said) + len("GET / HTTP/1.1\r\n\r\n")
					if said == honest && (m.Marks != 0 || string(m.Body) != text.String()) {
						t.Fatalf("%d: the honest one: %d bytes, %v", i, len(m.Body), m.Marks.Names(nil))
					}
					if said == bomb {
						if taken, wire = taken+len(m.Body), wire+len(bomb); i > 100 && m.Marks != message.Bomb|message.BodyTruncated {
							t.Errorf("%d: %d bytes, %v", i, len(m.Body), m.Marks.Names(nil))
						}
					}
				}
			}
			if most := 8<<20 + freeRatio*wire + 4*all + 200*(freeBytes+creditStep); taken > most {
				t.Errorf("%d bytes of %d on the wire, more than %d", taken, wire, most)
			}
		})
	}
}

// What is earned is never more than there was.
func TestCreditEarned(t *testing.T) {
	s := &shared{Config: Config{DecodedCredit: 1000}}
	s.earn(100)
	if s.pool.credit != 400 {
		t.Errorf("%d, want 400", s.pool.credit)
	}
	if s.earn(1 << 30); s.pool.credit != 1000 {
		t.Errorf("%d, want 1000", s.pool.credit)
	}
}

// A smaller window gives the same bytes, as far as they are wanted.
func TestNarrow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	plain := make([]byte, 3<<20)
	for i := range plain {
		plain[i] = byte(r.Uint32())
	}
	copy(plain[2<<20:], plain) // from as far away as there is
	for _, window := range []int{10, 16, 17, 18, 20, 22, 24} {
		var packed bytes.Buffer
		w := brotli.NewWriterOptions(&packed, brotli.WriterOptions{Quality: 5, LGWin: window})
		w.Write(plain)
		w.Close()
		for _, most := range []int64{0, 1 << 10, 1<<18 - 17, 1<<18 - 16, 1 << 18, 1 << 20, 3 << 20, 1 << 40} {
			n := narrow{src: bytes.NewReader(packed.Bytes()), most: most}
			got := make([]byte, min(most, int64(len(plain))))
			if _, err := io.ReadFull(brotli.NewReader(&n), got); err != nil || !bytes.Equal(got, plain[:len(got)]) {
				t.Errorf("window %d, %d bytes wanted: %v", window, most, err)
			}
		}
	}
	// Nobody asks for 16 MiB to get 50.
	b := []byte{0x0f, 0}
	n := narrow{src: bytes.NewReader(b), most: 50}
	if n.Read(b); b[0] != 0x03 {
		t.Errorf("%#x", b[0])
	}
}
