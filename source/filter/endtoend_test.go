package filter

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestTcpdumpReadsTheSamePackets lets tcpdump itself filter a file: the other
// tests run libpcap's programs in an interpreter of their own.
func TestTcpdumpReadsTheSamePackets(t *testing.T) {
	for _, link := range []uint32{linkEthernet, linkSLL, linkSLL2, linkRaw} {
		l := newLibpcap(t, link)
		r := rand.New(rand.NewPCG(uint64(link), 3))
		file, err := os.ReadFile(l.file)
		if err != nil {
			t.Fatal(err)
		}
		var packets [][]byte
		for i := range 500 {
			p := crafter{r}.frame(link)
			packets = append(packets, p)
			for _, v := range []uint32{uint32(i), 0, uint32(len(p)), uint32(len(p)) + uint32(i%3)*7} {
				file = binary.LittleEndian.AppendUint32(file, v)
			}
			file = append(file, p...)
		}
		path := filepath.Join(filepath.Dir(l.file), "packets.pcap")
		if err := os.WriteFile(path, file, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, expr := range []string{"tcp port 80", "host 10.0.0.1", "ip6 or arp", "less 60", "len % 7 = 3", "tcp[13] & 2 != 0 or udp", "not ip", "ip[2:2] > len",
			"greater 70 and ip"} { // no protochain: some of these packets keep tcpdump busy for good
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			var out, stderr bytes.Buffer
			cmd := exec.CommandContext(ctx, l.tcpdump, "-O", "-r", path, "-w", "-", expr)
			cmd.Stdout, cmd.Stderr = &out, &stderr
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			theirs := map[uint32]bool{}
			for b := out.Bytes()[24:]; len(b) >= 16; b = b[16+binary.LittleEndian.Uint32(b[8:]):] {
				theirs[binary.LittleEndian.Uint32(b)] = true
			}
			p := mustProgram(t, expr, link, Options{})
			for i, packet := range packets {
				if got := p.Match(packet, len(packet)+i%3*7, 0, 0); got != theirs[uint32(i)] {
					t.Errorf("link %d: %q: we say %v, tcpdump %v of %x", link, expr, got, !got, packet)
				}
			}
		}
	}
}

// TestNFLOG finds the packet among the attributes, in both byte orders.
func TestNFLOG(t *testing.T) {
	ip := httpFrame()[14:]
	attribute := func(o binary.AppendByteOrder, typ uint16, body []byte) []byte {
		b := o.AppendUint16(nil, uint16(4+len(body)))
		b = append(o.AppendUint16(b, typ), body...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		return b
	}
	for _, o := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		record := cat([]byte{2, 0, 0, 1}, attribute(o, 1, []byte{8, 0, 0, 0}), attribute(o, 10, []byte("prefix\x00")), attribute(o, 5, make([]byte, 300)),
			attribute(o, 9, ip), attribute(o, 3, []byte{1, 2, 3, 4}))
		for expr, want := range map[string]bool{"tcp port 80": true, "udp": false, "host 10.0.0.1": true, "src host 10.0.0.2": false,
			"ip6": false, "tcp[2:2] = 80": true, "ip[9] = 6": true, "len > 100": true, "not tcp": false, "ip6 or tcp dst port 80": true} {
			p := mustProgram(t, expr, linkNFLOG, Options{})
			if got := p.Match(record, len(record), 0, 0); got != want {
				t.Errorf("%T: %q: got %v", o, expr, got)
			}
		}
	}
}
