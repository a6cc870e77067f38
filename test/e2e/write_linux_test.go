package e2e

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/source/netnstest"
)

// TestWrite keeps the packets that passed the filter, with the VLAN tag that
// the kernel takes off, and reads them again.
func TestWrite(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "w0", "", s, "p0", "")
	var frames [][]byte
	for _, vlan := range []uint16{7, 8} {
		tape := packettest.NewTape()
		c := tape.Open("10.1.0.7:30000", "10.2.0.1:80", func(ip packettest.Piece) packettest.Piece {
			return packettest.Ether(packettest.VLAN(vlan, ip))
		})
		c.Client("GET /tagged HTTP/1.1\r\nHost: a\r\n\r\n")
		c.Server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		c.Close()
		for b := tape.Bytes()[24:]; len(b) > 0; {
			size := 16 + int(binary.LittleEndian.Uint32(b[8:]))
			frames = append(frames, b[16:size])
			b = b[size:]
		}
	}
	name := filepath.Join(t.TempDir(), "tagged.pcapng")
	c := start(t, "-i", "w0", "-w", name, "--raw-unmasked", "--json", "vlan 7 and tcp")
	s.Do(t, func() {
		if n, err := netnstest.NewWire(t, "p0").Send(frames...); n != len(frames) {
			t.Errorf("%d frames sent: %v", n, err)
		}
	})
	if got := c.stop(); len(got) != 1 || got[0].String() != "GET /tagged 0: 200 2" {
		t.Fatalf("%v\n%s", got, c.words.String())
	}
	out, err := exec.Command(program, "capture", "-r", name, "--json").Output()
	if err != nil || !strings.Contains(string(out), `"vlan":7`) || strings.Count(string(out), "\n") != 1 {
		t.Errorf("%v\n%s", err, out)
	}
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("tcpdump is not installed")
	}
	read := exec.Command(tcpdump, "-nr", name, "vlan 7 and tcp")
	if !netnstest.Root() {
		// As root it would become a user that this namespace has not.
		read.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getuid(), Size: 1}}}
	}
	out, err = read.Output()
	if n := strings.Count(string(out), "\n"); err != nil || n != len(frames)/2 {
		t.Errorf("tcpdump reads %d of %d packets: %v", n, len(frames)/2, err)
	}
}
