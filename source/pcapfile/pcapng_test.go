package pcapfile

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// blocks writes pcapng.
type blocks struct {
	order binary.AppendByteOrder
	data  []byte
}

func (b *blocks) block(kind uint32, body []byte) *blocks {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	size := uint32(len(body) + 12)
	b.data = b.order.AppendUint32(b.data, kind)
	b.data = b.order.AppendUint32(b.data, size)
	b.data = append(b.data, body...)
	b.data = b.order.AppendUint32(b.data, size)
	return b
}

func (b *blocks) section(order binary.AppendByteOrder) *blocks {
	b.order = order
	body := order.AppendUint32(nil, orderMagic)
	body = order.AppendUint16(body, 1)
	body = order.AppendUint16(body, 0)
	return b.block(magicSection, order.AppendUint64(body, 1<<64-1))
}

type opt struct {
	code  uint16
	value string
}

func (b *blocks) options(body []byte, opts ...opt) []byte {
	for _, o := range opts {
		body = b.order.AppendUint16(body, o.code)
		body = b.order.AppendUint16(body, uint16(len(o.value)))
		body = append(body, o.value...)
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
	}
	if len(opts) > 0 {
		body = append(body, 0, 0, 0, 0)
	}
	return body
}

func (b *blocks) iface(link uint16, snaplen uint32, opts ...opt) *blocks {
	body := b.order.AppendUint16(nil, link)
	body = b.order.AppendUint16(body, 0)
	return b.block(blockInterface, b.options(b.order.AppendUint32(body, snaplen), opts...))
}

func (b *blocks) packet(port uint32, stamp uint64, data string, wire int) *blocks {
	body := b.order.AppendUint32(nil, port)
	body = b.order.AppendUint32(body, uint32(stamp>>32))
	body = b.order.AppendUint32(body, uint32(stamp))
	body = b.order.AppendUint32(body, uint32(len(data)))
	body = b.order.AppendUint32(body, uint32(wire))
	body = append(body, data...)
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	return b.block(blockPacket, b.options(body, opt{2, "\x01\x00\x00\x00"}))
}

func (b *blocks) oldPacket(port, drops uint16, stamp uint64, data string, wire int) *blocks {
	body := b.order.AppendUint16(nil, port)
	body = b.order.AppendUint16(body, drops)
	body = b.order.AppendUint32(body, uint32(stamp>>32))
	body = b.order.AppendUint32(body, uint32(stamp))
	body = b.order.AppendUint32(body, uint32(len(data)))
	body = b.order.AppendUint32(body, uint32(wire))
	return b.block(blockOldPacket, append(body, data...))
}

func (b *blocks) simple(data string, wire int) *blocks {
	return b.block(blockSimple, append(b.order.AppendUint32(nil, uint32(wire)), data...))
}

func (b *blocks) statistics(port uint32, dropped uint64) *blocks {
	body := append(b.order.AppendUint32(nil, port), make([]byte, 8)...)
	return b.block(blockStatistics, b.options(body, opt{5, string(b.order.AppendUint64(nil, dropped))}, opt{7, string(b.order.AppendUint64(nil, 1))}))
}

func TestSectionsInterfacesAndClocks(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		other := binary.AppendByteOrder(binary.BigEndian)
		if order == other {
			other = binary.LittleEndian
		}
		b := new(blocks).section(order).
			block(0x0bad, []byte("skipped")).
			iface(1, 0, opt{2, "eth0"}, opt{9, "\x09"}).
			iface(276, 5, opt{9, "\x80"}, opt{14, string(order.AppendUint64(nil, 100))}).
			iface(12, 0, opt{9, "\x94"}, opt{1, "a comment"}).
			iface(1, 0, opt{9, "\x0c"}).
			block(4, make([]byte, 40)).
			packet(0, 1_700_000_000_123_456_789, "nano", 4).
			packet(1, 7, "seconds", 9).
			packet(2, 3<<20|1<<19, "half", 4).
			packet(3, 5_000_000_001_999, "pico", 4).
			statistics(0, 10).statistics(0, 20).
			section(other).iface(113, 4).
			simple("simp", 9).
			oldPacket(0, 0xffff, 1_000_001, "old", 3).
			simple("simp", 9).
			statistics(0, 2)
		src := open(t, func(c *Config) { c.Buffer = 1 }, write(t, "x.pcapng", b.data))
		all, err := drain(t, src, 3)
		if err != nil {
			t.Fatal(err)
		}
		want := []got{
			{1_700_000_000_123_456_789, "nano", 4, packet.LinkEthernet, 0},
			{107_000_000_000, "seconds", 9, packet.LinkSLL2, 1},
			{3_500_000_000, "half", 4, packet.LinkRaw, 2},
			{5_000_000_001, "pico", 4, packet.LinkEthernet, 3},
			{5_000_000_001, "simp", 9, packet.LinkSLL, 4},
			{1_000_001_000, "old", 3, packet.LinkSLL, 4},
			{1_000_001_000, "simp", 9, packet.LinkSLL, 4},
		}
		if d := cmp.Diff(want, all); d != "" {
			t.Error(d)
		}
		ports := []source.Interface{
			{Name: "eth0", Link: 1}, {Name: "x.pcapng#1", Link: 276}, {Name: "x.pcapng#2", Link: 101}, {Name: "x.pcapng#3", Link: 1}, {Name: "x.pcapng", Link: 113},
		}
		if d := cmp.Diff(ports, src.Interfaces()); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(source.Stats{Received: 7, Dropped: 24}, src.Stats()); d != "" {
			t.Error(d)
		}
	}
}

func TestBrokenBlocks(t *testing.T) {
	le := binary.LittleEndian
	good := func() *blocks {
		return new(blocks).section(le).iface(1, 0).packet(0, 1, "good", 4)
	}
	raw := func(b *blocks, tail ...byte) []byte { return append(b.data, tail...) }
	spoilt := raw(good().packet(0, 2, "bad", 3))
	spoilt[len(spoilt)-1] = 1
	lying := raw(good().packet(0, 2, "bad.", 4))
	le.PutUint32(lying[len(lying)-4-12-4-8:], 0xffffff)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"trailer":                  {spoilt, "block length 48 is followed by 16777264"},
		"skipped trailer":          {raw(good(), 99, 0, 0, 0, 16, 0, 0, 0, 1, 1, 1, 1, 17, 0, 0, 0), "block length 16 is followed by 17"},
		"small":                    {raw(good(), 6, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0), "block length 8 is not possible"},
		"odd":                      {raw(good(), 6, 0, 0, 0, 33, 0, 0, 0, 8, 0, 0, 0), "block length 33 is not possible"},
		"huge":                     {raw(good(), 99, 0, 0, 0, 0, 0, 0, 2, 8, 0, 0, 0), "block length 33554432 is not possible"},
		"no interface":             {raw(good().packet(1, 1, "x", 1)), "packet 2 names interface 1, and there are 1"},
		"forgotten by new section": {raw(good().section(le).packet(0, 1, "x", 1)), "names interface 0, and there are 0"},
		"short packet":             {raw(good().block(blockPacket, make([]byte, 16))), "packet block has 16 bytes"},
		"short old packet":         {raw(good().block(blockOldPacket, make([]byte, 16))), "packet block has 16 bytes"},
		"short simple":             {raw(good().block(blockSimple, nil)), "packet block has 0 bytes"},
		"simple too long":          {raw(good().simple("abcd", 5)), "packet 2 has 5 bytes in a block that has room for 4"},
		"lying length":             {lying, "packet 2 has 16777215 bytes in a block that has room for 16"},
		"short interface":          {raw(good().block(blockInterface, make([]byte, 4))), "interface has 4 bytes"},
		"clock":                    {raw(good().iface(1, 0, opt{9, "\x20"})), "time unit 10^-32 is too small"},
		"binary clock":             {raw(good().iface(1, 0, opt{9, "\xc0"})), "time unit 2^-64 is too small"},
		"order":                    {raw(good(), 10, 13, 13, 10, 28, 0, 0, 0, 1, 2, 3, 4), "byte-order magic 01 02 03 04"},
		"version":                  {raw(good().block(magicSection, append(le.AppendUint32(nil, orderMagic), 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))), "pcapng version 2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			src := open(t, nil, write(t, "x", c.data))
			all, err := drain(t, src, 8)
			at := " at byte 96: "
			if name == "forgotten by new section" {
				at = " at byte 124: "
			}
			if len(all) != 1 || all[0].Data != "good" {
				t.Errorf("packets before the fault: %v", all)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), at) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestEveryCutOfPcapng(t *testing.T) {
	b := new(blocks).section(binary.BigEndian).iface(1, 0, opt{2, "a"})
	head := len(b.data)
	b.packet(0, 1, "first", 5)
	first := len(b.data)
	b.block(99, make([]byte, 20))
	skipped := len(b.data)
	b.packet(0, 2, "second", 6)
	for n := 28; n <= len(b.data); n++ {
		src := open(t, nil, write(t, "x", b.data[:n]))
		all, err := drain(t, src, 8)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		packets, cut := 0, uint64(0)
		switch {
		case n == len(b.data):
			packets = 2
		case n > skipped:
			packets, cut = 1, 1
		case n >= first:
			packets = 1
		case n > head:
			cut = 1
		}
		if n > first && n < first+4 {
			cut = 1 // of what, nobody can tell
		}
		if n > 28 && n < 32 {
			cut = 1
		}
		if st := src.Stats(); len(all) != packets || st.Cut != cut {
			t.Errorf("%d bytes: %d packets, %+v, want %d and %d", n, len(all), st, packets, cut)
		}
	}
}

func TestInterfacesAreBounded(t *testing.T) {
	b := new(blocks).section(binary.LittleEndian)
	for range maxInterfaces + 1 {
		b.iface(1, 0)
	}
	_, err := drain(t, open(t, nil, write(t, "x", b.data)), 8)
	if err == nil || !strings.Contains(err.Error(), "more than 65536 interfaces") {
		t.Error(err)
	}
}
