package afpacket

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/packet"
	"golang.org/x/net/bpf"
)

func assemble(t testing.TB, prog ...bpf.Instruction) []bpf.RawInstruction {
	t.Helper()
	raw, err := bpf.Assemble(prog)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A filter for cooked frames must say of the kernel's view what it says of the
// frame that Read gives.
func TestCookedFilter(t *testing.T) {
	filters := map[string][]bpf.RawInstruction{
		"protocol":  assemble(t, bpf.LoadAbsolute{Off: 0, Size: 2}, bpf.JumpIf{Val: 0x0800, SkipFalse: 1}, bpf.RetConstant{Val: 9}, bpf.RetConstant{}),
		"interface": assemble(t, bpf.LoadAbsolute{Off: 4, Size: 4}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 3, SkipTrue: 1}, bpf.RetConstant{Val: 9}, bpf.RetConstant{}),
		"hardware":  assemble(t, bpf.LoadAbsolute{Off: 8, Size: 2}, bpf.JumpIf{Val: 1, SkipFalse: 1}, bpf.RetConstant{Val: 9}, bpf.RetConstant{}),
		"outgoing":  assemble(t, bpf.LoadAbsolute{Off: 10, Size: 1}, bpf.JumpIf{Val: 4, SkipFalse: 1}, bpf.RetConstant{Val: 9}, bpf.RetConstant{}),
		"address":   assemble(t, bpf.LoadAbsolute{Off: 20 + 12, Size: 4}, bpf.JumpIf{Val: 0x0a010203, SkipFalse: 1}, bpf.RetConstant{Val: 9}, bpf.RetConstant{}),
		"port": assemble(t, bpf.LoadMemShift{Off: 20}, bpf.LoadIndirect{Off: 20, Size: 2},
			bpf.JumpIf{Val: 7, SkipFalse: 1}, bpf.RetConstant{Val: 9}, bpf.RetConstant{}),
		"long":    assemble(t, bpf.LoadExtension{Num: bpf.ExtLen}, bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: 100, SkipFalse: 1}, bpf.RetConstant{Val: 9}, bpf.RetConstant{}),
		"between": assemble(t, bpf.LoadExtension{Num: bpf.ExtLen}, bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: 90, SkipFalse: 3}, bpf.LoadExtension{Num: bpf.ExtLen}, bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: 110, SkipTrue: 1}, bpf.RetConstant{Val: 9}, bpf.RetConstant{}),
		"jump":    assemble(t, bpf.LoadAbsolute{Off: 0, Size: 2}, bpf.Jump{Skip: 1}, bpf.RetConstant{}, bpf.JumpIf{Val: 0x0800, SkipTrue: 1}, bpf.RetConstant{}, bpf.RetConstant{Val: 9}),
	}
	for name, user := range filters {
		kernel, err := kernelFilter(user, packet.LinkSLL2, true, 1000)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		yes := 0
		for range 2000 {
			data := ip4frag(a4, b4, 17, 0, 0, make([]byte, 4*rand.N(3)), udp(uint16(rand.N(2)+6), 9, make([]byte, rand.N(80))))
			if rand.N(2) == 0 {
				data[15] = 9
			}
			m := machine{data: data, length: uint32(len(data)), protocol: uint16(0x0800 + rand.N(2)), hardware: []uint16{1, 772, 65534}[rand.N(3)], kind: uint32([]int{0, 4}[rand.N(2)]), ifindex: uint32(rand.N(5))}
			cooked := cat(bytes16(m.protocol, 0, 0, uint16(m.ifindex), m.hardware), []byte{byte(m.kind), 6, 0, 0, 0, 0, 0, 0, 0, 0}, data)
			want := hashOf(t, user, machine{data: cooked, length: uint32(len(cooked))}) > 0 && (m.hardware != 772 || m.kind != 4)
			got := hashOf(t, kernel, m)
			if want != (got > 0) || want && got != 980 {
				t.Fatalf("%s: %d for %x, want %t", name, got, cooked, want)
			}
			if want {
				yes++
			}
		}
		if yes == 0 || yes == 2000 {
			t.Errorf("%s: %d of 2000 match: the test proves nothing", name, yes)
		}
	}
}

func TestKernelFilter(t *testing.T) {
	m := in(ether(0x0800, ip4(a4, b4, 17, udp(1, 2, nil))))
	for name, c := range map[string]struct {
		user     []bpf.RawInstruction
		link     packet.Link
		loopback bool
		want     uint32
	}{
		"nothing":          {nil, packet.LinkEthernet, false, 1000},
		"nothing, cooked":  {nil, packet.LinkSLL2, true, 980},
		"refuse":           {reject(), packet.LinkEthernet, true, 0},
		"its own snaplen":  {assemble(t, bpf.RetConstant{Val: 0xffff}), packet.LinkEthernet, false, 1000},
		"a computed value": {assemble(t, bpf.LoadConstant{Val: 77}, bpf.RetA{}), packet.LinkEthernet, true, 77},
	} {
		prog, err := kernelFilter(c.user, c.link, c.loopback, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if got := hashOf(t, prog, m); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	for name, user := range map[string][]bpf.RawInstruction{
		"address of the link layer": assemble(t, bpf.LoadAbsolute{Off: 12, Size: 4}, bpf.RetA{}),
		"jump out":                  {{Op: opJa, K: 9}, {Op: opRetK}},
		"jump far out":              {{Op: opJa, K: 0xffffffff}, {Op: opRetK}},
		"conditional jump out":      {{Op: opJeq, Jt: 1}, {Op: opRetK}},
		"too long":                  append(make([]bpf.RawInstruction, 5000), bpf.RawInstruction{Op: opRetK}),
	} {
		if _, err := kernelFilter(user, packet.LinkSLL2, false, 1000); err == nil || !strings.HasPrefix(err.Error(), "filter: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Long programs keep their jumps: a chain of comparisons with one exit far
// away.
func TestLongJumps(t *testing.T) {
	for _, n := range []int{1, 100, 254, 255, 256, 257, 300, 1000} {
		var p program
		far, end := p.label(), p.label()
		p.op(opLdW, adPktType)
		for i := range n {
			p.on(opJeq, uint32(i+1), far)
		}
		p.jump(end)
		p.op(opRetK, 3)
		p.place(end)
		p.op(opRetK, 1)
		p.place(far)
		p.op(opRetK, 2)
		prog, err := p.assemble()
		if err != nil {
			t.Fatal(err)
		}
		for i := range n + 2 {
			want := uint32(2)
			if i == 0 || i == n+1 {
				want = 1
			}
			if got := hashOf(t, prog, machine{kind: uint32(i)}); got != want {
				t.Fatalf("%d comparisons, value %d: %d, want %d", n, i, got, want)
			}
		}
	}
}

func FuzzKernelFilter(f *testing.F) {
	f.Add([]byte{0x28, 0, 0, 0, 0, 0, 0, 12, 0x15, 0, 0, 1, 0, 0, 8, 0, 6, 0, 0, 0, 0, 0, 0, 9, 6, 0, 0, 0, 0, 0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, b []byte, cooked bool) {
		var user []bpf.RawInstruction
		for ; len(b) >= 8; b = b[8:] {
			user = append(user, bpf.RawInstruction{Op: uint16(b[1])<<8 | uint16(b[0]), Jt: b[2], Jf: b[3], K: uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7])})
		}
		link := packet.LinkEthernet
		if cooked {
			link = packet.LinkSLL2
		}
		prog, err := kernelFilter(user, link, true, 1000)
		if err != nil {
			return
		}
		for i, in := range prog {
			if in.Op&7 != 5 {
				continue
			}
			if far := max(uint64(in.Jt), uint64(in.Jf)); in.Op != opJa && uint64(i)+1+far >= uint64(len(prog)) || in.Op == opJa && uint64(i)+1+uint64(in.K) >= uint64(len(prog)) {
				t.Fatalf("instruction %d of %d jumps out: %+v", i, len(prog), in)
			}
		}
	})
}
