package tunnel

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/passiflow/passiflow/packet"
)

// share tells the kernel which of the sockets that share the address gets a
// datagram: the one whose number is a hash of the two addresses inside. What
// carries no IP goes to the first.
func (s *socket) share(cfg *Config) error {
	code := shareProgram(cfg.Kind, uint32(cfg.Share))
	err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]})
	return os.NewSyscallError("setsockopt SO_ATTACH_REUSEPORT_CBPF", err)
}

// program is classic BPF with jumps to labels.
type program struct {
	code   []unix.SockFilter
	labels map[string]int
	jumps  []jump
}

type jump struct {
	at        int
	yes       string
	unlimited bool
}

func (p *program) add(op uint16, k uint32) {
	p.code = append(p.code, unix.SockFilter{Code: op, K: k})
}
func (p *program) label(name string) { p.labels[name] = len(p.code) }
func (p *program) equal(k uint32, yes string) {
	p.jumps = append(p.jumps, jump{at: len(p.code), yes: yes})
	p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, k)
}
func (p *program) goTo(name string) {
	p.jumps = append(p.jumps, jump{at: len(p.code), yes: name, unlimited: true})
	p.add(unix.BPF_JMP|unix.BPF_JA, 0)
}
func (p *program) addToX(k uint32) {
	p.add(unix.BPF_MISC|unix.BPF_TXA, 0)
	p.add(unix.BPF_ALU|unix.BPF_ADD|unix.BPF_K, k)
	p.add(unix.BPF_MISC|unix.BPF_TAX, 0)
}

func (p *program) finish() []unix.SockFilter {
	for _, j := range p.jumps {
		distance := p.labels[j.yes] - j.at - 1
		if j.unlimited {
			p.code[j.at].K = uint32(distance)
		} else {
			p.code[j.at].Jt = uint8(distance)
		}
	}
	return p.code
}

// shareProgram sees the datagram's payload from offset 0. Loads past its end
// end the program with 0.
func shareProgram(kind packet.TunnelKind, n uint32) []unix.SockFilter {
	const (
		loadByte = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
		loadHalf = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
		halfAtX  = unix.BPF_LD | unix.BPF_H | unix.BPF_IND
		wordAtX  = unix.BPF_LD | unix.BPF_W | unix.BPF_IND
		xorX     = unix.BPF_ALU | unix.BPF_XOR | unix.BPF_X
		tax      = unix.BPF_MISC | unix.BPF_TAX
		shift    = unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K
		and      = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		sum, at  = 0, 1 // scratch memory
	)
	p := &program{labels: map[string]int{}}
	if kind == packet.GENEVE {
		p.add(loadByte, 0)
		p.add(and, 0x3f)
		p.add(unix.BPF_ALU|unix.BPF_LSH|unix.BPF_K, 2)
		p.add(unix.BPF_ALU|unix.BPF_ADD|unix.BPF_K, 8)
		p.add(tax, 0)
		p.add(loadHalf, 2)
	} else {
		p.add(unix.BPF_LDX|unix.BPF_W|unix.BPF_IMM, 8)
		p.add(loadByte, 0)
		p.add(and, 4)
		p.equal(0, "ethernet")
		p.add(loadByte, 3)
		p.equal(3, "ethernet")
		p.equal(1, "ipv4")
		p.equal(2, "ipv6")
		p.goTo("none")
	}
	p.equal(etherBridging, "ethernet")
	p.equal(etherIPv4, "ipv4")
	p.equal(etherIPv6, "ipv6")
	p.goTo("none")
	p.label("ethernet")
	for _, name := range []string{"tag1", "tag2"} {
		p.add(halfAtX, 12)
		p.equal(0x8100, name)
		p.equal(0x88a8, name)
		p.goTo("untagged")
		p.label(name)
		p.addToX(4)
	}
	p.label("untagged")
	p.add(halfAtX, 12)
	p.add(unix.BPF_ST, sum)
	p.addToX(14)
	p.add(unix.BPF_LD|unix.BPF_MEM, sum)
	p.equal(etherIPv4, "ipv4")
	p.equal(etherIPv6, "ipv6")
	p.label("none")
	p.add(unix.BPF_RET|unix.BPF_K, 0)

	p.label("ipv4")
	p.add(wordAtX, 12)
	p.add(unix.BPF_ST, sum)
	p.add(wordAtX, 16)
	p.add(unix.BPF_LDX|unix.BPF_MEM, sum)
	p.add(xorX, 0)
	p.goTo("fold")

	p.label("ipv6")
	p.add(unix.BPF_STX, at)
	p.add(unix.BPF_LD|unix.BPF_IMM, 0)
	p.add(unix.BPF_ST, sum)
	for i := uint32(8); i < 40; i += 4 {
		p.add(wordAtX, i)
		p.add(unix.BPF_LDX|unix.BPF_MEM, sum)
		p.add(xorX, 0)
		p.add(unix.BPF_ST, sum)
		p.add(unix.BPF_LDX|unix.BPF_MEM, at)
	}
	p.add(unix.BPF_LD|unix.BPF_MEM, sum)

	p.label("fold")
	for _, bits := range []uint32{16, 8} {
		p.add(tax, 0)
		p.add(shift, bits)
		p.add(xorX, 0)
	}
	p.add(unix.BPF_ALU|unix.BPF_MOD|unix.BPF_K, n)
	p.add(unix.BPF_RET|unix.BPF_A, 0)
	return p.finish()
}
