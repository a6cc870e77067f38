package filter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
)

// libpcap compiles expressions with Debian's tcpdump, for a capture file of one
// link type.
type libpcap struct{ tcpdump, file string }

// newLibpcap skips the test where there is no tcpdump; .ci/run takes this text
// for a failure.
func newLibpcap(t testing.TB, link uint32) *libpcap {
	t.Helper()
	path, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("needs tcpdump: install Debian's package to compare with libpcap")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "empty.pcap")
	var head bytes.Buffer
	for _, v := range []any{uint32(0xa1b2c3d4), uint16(2), uint16(4), uint32(0), uint32(0), uint32(262144), link} {
		_ = binary.Write(&head, binary.LittleEndian, v)
	}
	if err := os.WriteFile(file, head.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		_ = os.Chmod(d, 0o755) // tcpdump gives up root before it reads
	}
	return &libpcap{path, file}
}

// compile returns libpcap's program, or what it says against the expression.
func (l *libpcap) compile(t testing.TB, expr string, optimise bool) ([]bpf.RawInstruction, string) {
	t.Helper()
	args := []string{"-r", l.file, "-ddd"}
	if !optimise {
		args = append(args, "-O")
	}
	return l.run(t, append(args, "--", expr))
}

func (l *libpcap) run(t testing.TB, args []string) ([]bpf.RawInstruction, string) {
	t.Helper()
	cmd := exec.Command(l.tcpdump, args...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return nil, strings.TrimSpace(stderr.String()) + " " + err.Error()
	}
	lines := strings.Fields(out.String())
	var code []bpf.RawInstruction
	for i := 1; i+3 < len(lines); i += 4 {
		var v [4]uint64
		for j := range v {
			n, err := strconv.ParseUint(lines[i+j], 10, 32)
			if err != nil {
				t.Fatalf("tcpdump -ddd wrote %q", lines[i+j])
			}
			v[j] = n
		}
		code = append(code, bpf.RawInstruction{Op: uint16(v[0]), Jt: uint8(v[1]), Jf: uint8(v[2]), K: uint32(v[3])})
	}
	if fmt.Sprint(len(code)) != lines[0] {
		t.Fatalf("tcpdump -ddd announced %s instructions and wrote %d", lines[0], len(code))
	}
	return code, ""
}

// tagged is what a live frame has beside it.
type tagged struct {
	present bool
	tci     uint16
}

// interpret is a second interpreter, written after the description of BPF and
// not after run, also for the loops in libpcap's "protochain"; ok is false where
// one does not end.
func interpret(code []bpf.RawInstruction, p []byte, length int, tag tagged) (accept, ok bool) {
	return interpretFrom(code, p, length, tag, 0)
}

// interpretFrom is interpret with other scratch words to begin with than 0.
func interpretFrom(code []bpf.RawInstruction, p []byte, length int, tag tagged, unset uint32) (accept, ok bool) {
	var a, x uint32
	var m [16]uint32
	for i := range m {
		m[i] = unset
	}
	load := func(k, off uint32, size int, indirect bool) (uint32, bool) {
		if !indirect && k >= 0xfffff000 {
			switch k - 0xfffff000 {
			case 44:
				return uint32(tag.tci), true
			case 48:
				if tag.present {
					return 1, true
				}
			}
			return 0, true
		}
		at := int64(k) + int64(off)
		if at+int64(size) > int64(len(p)) {
			return 0, false
		}
		b := append(make([]byte, 4-size), p[at:at+int64(size)]...)
		return binary.BigEndian.Uint32(b), true
	}
	sizes := map[uint16]int{0: 4, 8: 2, 16: 1}
	for pc, steps := 0, 0; pc < len(code); pc, steps = pc+1, steps+1 {
		if steps > 100000 {
			return false, false
		}
		in := code[pc]
		fine := true
		switch class, mode := in.Op&7, in.Op&0xe0; {
		case class == 6 && in.Op&0x18 == 0x10:
			return a != 0, true
		case class == 6:
			return in.K != 0, true
		case class == 0 && mode == 0x00:
			a = in.K
		case class == 0 && mode == 0x20:
			a, fine = load(in.K, 0, sizes[in.Op&0x18], false)
		case class == 0 && mode == 0x40:
			a, fine = load(in.K, x, sizes[in.Op&0x18], true)
		case class == 0 && mode == 0x60:
			a = m[in.K]
		case class == 0 && mode == 0x80:
			a = uint32(length)
		case class == 1 && mode == 0x00:
			x = in.K
		case class == 1 && mode == 0x60:
			x = m[in.K]
		case class == 1 && mode == 0x80:
			x = uint32(length)
		case class == 1 && mode == 0xa0:
			x, fine = load(in.K, 0, 1, false)
			x = x % 16 * 4
		case class == 2:
			m[in.K] = a
		case class == 3:
			m[in.K] = x
		case class == 7 && in.Op&0xf8 == 0:
			x = a
		case class == 7:
			a = x
		case class == 4:
			v := in.K
			if in.Op&8 != 0 {
				v = x
			}
			switch in.Op & 0xf0 {
			case 0x00:
				a += v
			case 0x10:
				a -= v
			case 0x20:
				a *= v
			case 0x30:
				if fine = v != 0; fine {
					a /= v
				}
			case 0x40:
				a |= v
			case 0x50:
				a &= v
			case 0x60:
				a <<= v
			case 0x70:
				a >>= v
			case 0x80:
				a = -a
			case 0x90:
				if fine = v != 0; fine {
					a %= v
				}
			case 0xa0:
				a ^= v
			}
		case class == 5:
			v := in.K
			if in.Op&8 != 0 {
				v = x
			}
			var yes bool
			switch in.Op & 0xf0 {
			case 0x00:
				pc += int(int32(in.K))
				continue
			case 0x10:
				yes = a == v
			case 0x20:
				yes = a > v
			case 0x30:
				yes = a >= v
			case 0x40:
				yes = a&v != 0
			}
			if yes {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
		if !fine {
			return false, true
		}
	}
	return false, true
}

// unsettled tells whether the verdict hangs on an offset that was never found,
// as in "(ip6 or geneve) and tcp": for an IPv6 packet "geneve" is not looked at,
// and libpcap then uses whatever its registers hold.
func unsettled(t testing.TB, e *Expression, link uint32, packet []byte) bool {
	t.Helper()
	g := &generator{}
	cond := g.expression(e.root, link)
	if g.err != nil {
		return false
	}
	var graph graph
	code := assemble(graph.optimise(cond.emit(&graph, graph.ret(1), graph.ret(0))))
	first, _ := interpretFrom(code, packet, len(packet), tagged{}, 0)
	for _, unset := range []uint32{1, 2, 4, 8, 13, 14, 20, 40, 128, 1 << 30, 0xffffffff} {
		if v, _ := interpretFrom(code, packet, len(packet), tagged{}, unset); v != first {
			return true
		}
	}
	return false
}
