package filter

import (
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
)

// TestLiveVerdictsAreLibpcaps compares programs for a live interface, where the
// outer VLAN tag lies beside the frame.
func TestLiveVerdictsAreLibpcaps(t *testing.T) {
	l := newLibpcap(t, linkEthernet)
	if _, refusal := l.run(t, []string{"-i", "lo", "-ddd", "ip"}); refusal != "" {
		t.Skipf("needs the right to capture on lo: %s", refusal)
	}
	r := rand.New(rand.NewPCG(31, 4))
	c, w := crafter{r}, writer{r, linkEthernet}
	terms := []string{"vlan", "vlan 7", "vlan 7 and vlan 9", "vlan and ip", "vlan and tcp port 80", "vlan and host 10.0.0.1", "vlan and ip6",
		"vlan 7 and tcp[13] & 2 != 0", "vlan and icmp[0] = 8", "vlan and ip6 host ::1", "vlan and vlan and ip", "vlan and mpls and ip",
		"vlan and pppoes and ip", "vlan and tcp[tcp[0] & 3] > 4", "vlan and ip protochain 6", "vlan and arp", "inbound", "outbound"}
	compared, accepted := 0, 0
	for range rounds(t, 60) {
		expr := terms[r.IntN(len(terms))]
		switch r.IntN(4) {
		case 0:
			// libpcap keeps numbers and the offset of the tag in the same
			// registers, and a way past "vlan" then reads what is no offset.
			before := w.expr(1)
			if strings.Contains(before, "[") || strings.Contains(before, "len") {
				continue
			}
			expr = before + " or " + expr
		case 1:
			expr = expr + " and " + w.expr(1)
		case 2:
			expr = "not (" + expr + ") and " + w.expr(1)
		}
		theirs, refusal := l.run(t, []string{"-i", "lo", "-O", "-ddd", "--", expr})
		e, err := Parse(expr)
		var code []bpf.RawInstruction
		if err == nil {
			code, err = e.Compile(linkEthernet, Options{Live: true, Netmask: 0xff000000})
		}
		if errors.Is(err, ErrRejectsAll) {
			code, err = []bpf.RawInstruction{{Op: opRet}}, nil
		}
		if _, shorter := l.run(t, []string{"-i", "lo", "-ddd", "--", expr}); shorter != "" && !strings.Contains(shorter, "rejects all") {
			refusal = shorter
		}
		if (err == nil) != (refusal == "") {
			t.Errorf("%q: we say %v, libpcap %s", expr, err, refusal)
		}
		if err != nil || refusal != "" {
			continue
		}
		p, err := NewProgram(code)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			f := c.frame(linkEthernet)
			tag := tagged{present: r.IntN(2) == 0, tci: uint16(r.IntN(4))<<13 | []uint16{7, 9, 5}[r.IntN(3)]}
			want, ok := interpret(theirs, f, len(f), tag)
			if !ok || strings.Contains(expr, "geneve") {
				continue
			}
			typ := uint16(0)
			if tag.present {
				typ = 0x8100
			}
			got := p.MatchBeside(f, len(f), typ, tag.tci)
			if ours, _ := interpret(code, f, len(f), tag); got != ours {
				t.Fatalf("%q: Match says %v, the other interpreter %v of %x", expr, got, ours, f)
			}
			if compared++; want {
				accepted++
			}
			if got != want {
				t.Errorf("%q, tag %v: %v, libpcap says %v of %x", expr, tag, got, want, f)
				break
			}
		}
	}
	t.Logf("%d verdicts, %d accept", compared, accepted)
}

// TestKernelTakesPrograms attaches programs to a socket and lets the kernel run
// them over datagrams: its verdict must be ours.
func TestKernelTakesPrograms(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	r := rand.New(rand.NewPCG(8, 8))
	many := []string{}
	for i := range 200 {
		many = append(many, "host 10.0."+string(rune('0'+i%10))+"."+string(rune('0'+i/10%10))+string(rune('0'+i/100)))
	}
	fixed := []string{"", "tcp port 80", "ip6 protochain 6 or ip protochain 17", "geneve 42 and tcp", "vlan and ip or geneve",
		"(ip or geneve) and tcp port 80", strings.Join(many, " or "), "(ip or vlan) and host 10.0.0.1", "1 << (len & 31) > 4", "tcp[tcp[0]:2] * 3 % 7 = len / 2"}
	buffer := make([]byte, 4096)
	verdicts := 0
	for _, link := range []uint32{linkEthernet, linkRaw, linkSLL2, linkPPP, linkNFLOG} {
		c, w := crafter{r}, writer{r, link}
		for i := range rounds(t, 120) {
			expr := w.expr(3)
			if i < len(fixed) {
				expr = fixed[i]
			}
			e, err := Parse(expr)
			if err != nil {
				continue
			}
			code, err := e.Compile(link, Options{Live: true})
			if err != nil {
				if i < len(fixed) && link == linkEthernet {
					t.Errorf("%.80q: %v", expr, err)
				}
				continue
			}
			if err := attach(fds[1], code); err != nil {
				t.Fatalf("link %d: %.200q: the kernel refuses %d instructions: %v", link, expr, len(code), err)
			}
			if strings.ContainsAny(expr, "<>") && strings.Contains(expr, "[") && (strings.Contains(expr, "<<") || strings.Contains(expr, ">>")) {
				continue // a shift by more than 31 bits is 0 in libpcap and shifts by the rest of 32 in Linux
			}
			p, err := NewProgram(code)
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				f := c.frame(link)
				if _, err := syscall.Write(fds[0], f); err != nil && err != syscall.EPERM {
					t.Fatal(err)
				} // EPERM: the receiver's filter refused it
				_, err := syscall.Read(fds[1], buffer)
				verdicts++
				if got, want := p.MatchBeside(f, len(f), 0, 0), err == nil; got != want && len(f) > 0 {
					t.Fatalf("link %d: %.200q: we say %v, the kernel %v (%v) of %x", link, expr, got, want, err, f)
				}
			}
		}
	}
	t.Logf("%d verdicts", verdicts)
}

func attach(fd int, code []bpf.RawInstruction) error {
	program := syscall.SockFprog{Len: uint16(len(code)), Filter: (*syscall.SockFilter)(unsafe.Pointer(&code[0]))}
	_, _, errno := syscall.Syscall6(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, syscall.SO_ATTACH_FILTER,
		uintptr(unsafe.Pointer(&program)), unsafe.Sizeof(program), 0)
	runtime.KeepAlive(code)
	if errno != 0 {
		return os.NewSyscallError("setsockopt", errno)
	}
	return nil
}
