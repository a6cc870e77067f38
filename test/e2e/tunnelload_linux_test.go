package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/source/netnstest"
)

// BenchmarkTunnel sends conversations in VXLAN over IPv6 past four workers, whose
// packets come whole and all in two fragments each, and prints a table: packets a
// second (of the tunnel, not of its fragments), what was found of the exchanges,
// what the kernel dropped, and the processor time of a packet.
func BenchmarkTunnel(b *testing.B) {
	kinds := []struct {
		name string
		wrap func(n, id int, ip packettest.Piece) []packettest.Piece
	}{
		{"whole", func(n, _ int, ip packettest.Piece) []packettest.Piece {
			return []packettest.Piece{packettest.Ether(packettest.IPv6("fd00::1", ends(n), outer(n, ip)))}
		}},
		{"two fragments", func(n, id int, ip packettest.Piece) []packettest.Piece {
			in := outer(n, ip)
			all := packettest.Fragments6("fd00::1", ends(n), uint32(id), (len(in.Bytes)/2+7)&^7, in)
			for i := range all {
				all[i] = packettest.Ether(all[i])
			}
			return all
		}},
	}
	s := netnstest.New(b)
	netnstest.Veth(b, "v0", "", s, "v1", "")
	netnstest.IP(b, "link set v0 mtu 2000")
	s.IP(b, "link set v1 mtu 2000")
	fmt.Println("| tunnels | packets | workers | packets/s | exchanges found | dropped by the kernel | handed over | CPU, µs a packet |\n|--:|---|--:|--:|--:|--:|--:|--:|")
	for range b.N {
		for _, tunnels := range []int{1, 16} {
			for _, k := range kinds {
				packets, exchanges := encapsulated(func(n, id int, ip packettest.Piece) []packettest.Piece { return k.wrap(n%tunnels, id, ip) })
				for _, workers := range []string{"1", "4"} {
					for _, rate := range []int{20_000, 60_000, 200_000} {
						tunnelled(b, s, packets, exchanges, fmt.Sprintf("| %d | %s | %s", tunnels, k.name, workers), workers, rate)
					}
				}
			}
		}
	}
}

func ends(n int) string { return fmt.Sprintf("fd00::2:%x", n) }

func outer(n int, ip packettest.Piece) packettest.Piece {
	return packettest.UDP(5000, 4789, packettest.VXLAN(uint32(n), packettest.Ether(ip)))
}

// encapsulated returns the frames of each packet of many conversations that go on
// at the same time, and how many exchanges they hold.
func encapsulated(wrap func(n, id int, ip packettest.Piece) []packettest.Piece) (packets [][][]byte, exchanges int64) {
	const conversations, asks = 400, 100
	tape := packettest.NewTape()
	all := make([]*packettest.Conversation, conversations)
	at := 0
	for i := range all {
		all[i] = tape.Open(fmt.Sprintf("10.1.%d.%d:40000", i/200, 1+i%200), "10.2.0.1:80", func(ip packettest.Piece) packettest.Piece {
			at++
			frames := wrap(i, at, ip)
			var bytes [][]byte
			for _, f := range frames {
				bytes = append(bytes, f.Bytes)
			}
			packets = append(packets, bytes)
			return frames[0]
		})
	}
	for range asks {
		for _, c := range all {
			c.Client("GET /v1/orders HTTP/1.1\r\nHost: a\r\nUser-Agent: " + strings.Repeat("u", 700) + "\r\n\r\n")
			c.Server("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + strings.Repeat("x", 2000))
		}
	}
	return packets, conversations * asks
}

func tunnelled(b *testing.B, s *netnstest.Space, packets [][][]byte, exchanges int64, row, workers string, rate int) {
	var took time.Duration
	var sent int
	w := observer{"passiflow", []string{program, "capture", "-i", "v0", "--json", "--workers", workers}}
	saw := w.watch(b, func() {
		s.Do(b, func() {
			wire, began := netnstest.NewWire(b, "v1"), time.Now()
			var batch [][]byte
			for sent < len(packets) {
				due := min(len(packets), int(time.Since(began)*time.Duration(rate)/time.Second)+1)
				for batch = batch[:0]; sent < due; sent++ {
					batch = append(batch, packets[sent]...)
				}
				if _, err := wire.Send(batch...); err != nil {
					b.Error(err)
					return
				}
				time.Sleep(200 * time.Microsecond)
			}
			took = time.Since(began)
		})
	})
	if saw.found < exchanges {
		fmt.Println(saw.words) // the ledger tells why
	}
	count := func(name string) string {
		if m := regexp.MustCompile(name + ` +([\d,]+)`).FindStringSubmatch(saw.words); m != nil {
			return m[1]
		}
		return "0"
	}
	fmt.Printf("%s | %.0f | %.2f %% | %s | %s | %.2f |\n", row, float64(sent)/took.Seconds(), 100*float64(saw.found)/float64(exchanges),
		count("dropped by the kernel"), count("handed over to another worker"), float64(saw.cpu.Microseconds())/float64(sent))
}
