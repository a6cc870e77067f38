//go:build !linux

package tunnel

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/passiflow/passiflow/packet"
)

const datagram = 64 << 10

// socket receives one datagram at a time; the time is when it was read, and
// what the kernel dropped is not known.
type socket struct {
	conn *net.UDPConn
	data []byte
}

func isInUse(err error) bool { return strings.Contains(err.Error(), "in use") }

func (s *socket) open(cfg *Config) (string, error) {
	if cfg.Share > 1 {
		return "", errors.New("an address is shared by several sources only on Linux: use one worker")
	}
	addr, err := net.ResolveUDPAddr("udp", cfg.Address)
	if err != nil {
		return "", err
	}
	if s.conn, err = net.ListenUDP("udp", addr); err != nil {
		return "", err
	}
	// Smaller sizes are tried because some systems refuse what is above their
	// limit instead of giving that.
	for size := cfg.Buffer; ; size /= 2 {
		err := s.conn.SetReadBuffer(size)
		if err == nil {
			if size < cfg.Buffer {
				cfg.Log.Warn("the kernel gives a smaller receive buffer: bursts may be dropped; on BSD and macOS raise kern.ipc.maxsockbuf",
					"address", cfg.Address, "asked_bytes", cfg.Buffer, "given_bytes", size)
			}
			break
		}
		if size < 64<<10 {
			return "", errors.Join(fmt.Errorf("set the receive buffer: %w", err), s.conn.Close())
		}
	}
	s.data = make([]byte, datagram)
	return s.conn.LocalAddr().String(), nil
}

func (s *socket) receive(batch []packet.Packet, wait time.Duration) (int, error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return 0, err
	}
	n, _, err := s.conn.ReadFromUDPAddrPort(s.data)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	batch[0].Data, batch[0].Time = s.data[:n:n], packet.Time(time.Now().UnixNano())
	return 1, nil
}

func (s *socket) dropped() uint64 { return 0 }

// wake lets a waiting receive return.
func (s *socket) wake() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) }

func (s *socket) close() error { return s.conn.Close() }
