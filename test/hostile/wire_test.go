package hostile

import (
	"bufio"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// TCP flags.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// capture is a pcap file in the making, with nanoseconds, of Ethernet frames.
// Checksums are left zero: nobody looks at them.
type capture struct {
	t    *testing.T
	f    *os.File
	w    *bufio.Writer
	path string
	now  uint64 // nanoseconds
	step uint64 // that pass before each frame
	buf  []byte
}

func record(t *testing.T) *capture {
	t.Helper()
	c := &capture{t: t, path: filepath.Join(t.TempDir(), "hostile.pcap"), now: 1_800_000_000e9, step: 1000}
	f, err := os.Create(c.path)
	if err != nil {
		t.Fatal(err)
	}
	c.f, c.w = f, bufio.NewWriterSize(f, 1<<20)
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b23c4d)
	b = le.AppendUint32(b, 2|4<<16)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 1<<18)
	c.w.Write(le.AppendUint32(b, 1))
	return c
}

// done ends the file and returns its path.
func (c *capture) done() string {
	if err := c.w.Flush(); err != nil {
		c.t.Fatal(err)
	}
	if err := c.f.Close(); err != nil {
		c.t.Fatal(err)
	}
	return c.path
}

// frame adds one frame.
func (c *capture) frame(b []byte) {
	c.now += c.step
	var h [16]byte
	le := binary.LittleEndian
	le.PutUint32(h[:], uint32(c.now/1e9))
	le.PutUint32(h[4:], uint32(c.now%1e9))
	le.PutUint32(h[8:], uint32(len(b)))
	le.PutUint32(h[12:], uint32(len(b)))
	c.w.Write(h[:])
	c.w.Write(b)
}

// end is one end of a conversation.
type end struct {
	ip   uint32
	port uint16
}

// tcp adds one segment.
func (c *capture) tcp(src, dst end, seq, ackn uint32, flags byte, data string) {
	c.frame(c.ether(c.segment(src, dst, seq, ackn, flags, data)))
}

func (c *capture) ether(ip []byte) []byte {
	b := append(c.buf[:0], 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0)
	c.buf = append(b, ip...)
	return c.buf
}

func (c *capture) segment(src, dst end, seq, ackn uint32, flags byte, data string) []byte {
	be := binary.BigEndian
	b := ip4(src.ip, dst.ip, 6, 0, 0, 20+len(data))
	b = be.AppendUint16(b, src.port)
	b = be.AppendUint16(b, dst.port)
	b = be.AppendUint32(b, seq)
	b = be.AppendUint32(b, ackn)
	b = append(b, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
	return append(b, data...)
}

// ip4 returns a header before n bytes.
func ip4(src, dst uint32, proto byte, id, frag uint16, n int) []byte {
	be := binary.BigEndian
	b := be.AppendUint16(make([]byte, 0, 64+n), 0x4500)
	b = be.AppendUint16(b, uint16(20+n))
	b = be.AppendUint16(b, id)
	b = be.AppendUint16(b, frag)
	b = append(b, 64, proto, 0, 0)
	b = be.AppendUint32(b, src)
	return be.AppendUint32(b, dst)
}

// talk is a conversation that keeps its numbers right.
type talk struct {
	c    *capture
	at   [2]end
	next [2]uint32
}

// client returns the n-th client of the one server.
func client(n int) end { return end{0x0a000000 + uint32(n/50000)<<8 + 1, uint16(10000 + n%50000)} }

var server = end{0x0aff0001, 80}

func (c *capture) open(n int) *talk {
	k := &talk{c, [2]end{client(n), server}, [2]uint32{1000, 5000}}
	k.send(0, syn, "")
	k.send(1, syn|ack, "")
	k.send(0, ack, "")
	return k
}

// say sends data in segments of at most 1400 bytes.
func (k *talk) say(from int, data string) {
	for data != "" {
		n := min(len(data), 1400)
		k.send(from, ack|psh, data[:n])
		data = data[n:]
	}
}

func (k *talk) send(from int, flags byte, data string) {
	a := uint32(0)
	if flags&ack != 0 {
		a = k.next[1-from]
	}
	k.c.tcp(k.at[from], k.at[1-from], k.next[from], a, flags, data)
	k.next[from] += uint32(len(data))
	if flags&(syn|fin) != 0 {
		k.next[from]++
	}
}

func (k *talk) close() {
	k.send(0, fin|ack, "")
	k.send(1, fin|ack, "")
	k.send(0, ack, "")
}
