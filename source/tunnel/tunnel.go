// Package tunnel listens for mirrored traffic that comes in UDP datagrams:
// VXLAN (RFC 7348) and GENEVE (RFC 8926), as the mirrors of clouds and switches
// send it. No kernel device is needed, and no right but that to open a port.
package tunnel

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// Config says where to listen and what to take.
type Config struct {
	// Kind is packet.VXLAN or packet.GENEVE. Default packet.VXLAN.
	Kind packet.TunnelKind
	// Address is ADDRESS:PORT; without an address every one of the machine is
	// meant, of IPv4 and IPv6. Default ":4789"; the port of GENEVE is 6081.
	Address string
	// Allow lists the network identifiers to take, as ranges of first and last.
	// Default nil: all.
	Allow [][2]uint32
	// Deny lists the identifiers to refuse, also where Allow has them. Default
	// nil: none.
	Deny [][2]uint32
	// Share is how many sources share the address (Linux only): the kernel
	// gives both directions of a conversation inside the tunnels, told by their
	// addresses, to the same one. All of them must be open before traffic comes.
	// Default 1.
	Share int
	// Buffer is the size in bytes of the kernel's receive buffer. Default 32
	// MiB.
	Buffer int
	// Wait is how long a Read waits before it returns with nothing. Default
	// 100 ms.
	Wait time.Duration
	// Log is told when the kernel gives a smaller buffer. Default nil: silent.
	Log *slog.Logger
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Kind: packet.VXLAN, Address: ":4789", Share: 1, Buffer: 32 << 20, Wait: 100 * time.Millisecond}
}

const maxShare = 256

// Open listens. The Source is also a source.Live. Its packets are the frames
// inside the tunnels, with the tunnel in Packet.Outer. Datagrams that hold no
// frame count as Stats.Cut, refused identifiers and control messages as
// Stats.Filtered.
func Open(cfg Config) (source.Source, error) {
	def := DefaultConfig()
	if cfg.Kind == packet.NoTunnel {
		cfg.Kind = def.Kind
	}
	if cfg.Kind != packet.VXLAN && cfg.Kind != packet.GENEVE {
		return nil, fmt.Errorf("listen for %s: only vxlan and geneve are known", cfg.Kind)
	}
	if cfg.Address == "" {
		cfg.Address = def.Address
		if cfg.Kind == packet.GENEVE {
			cfg.Address = ":6081"
		}
	}
	if cfg.Buffer <= 0 {
		cfg.Buffer = def.Buffer
	}
	if cfg.Wait <= 0 {
		cfg.Wait = def.Wait
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Share = max(cfg.Share, 1)
	if cfg.Share > maxShare {
		return nil, fmt.Errorf("listen on %s: %d sources share it, at most %d can", cfg.Address, cfg.Share, maxShare)
	}
	l := &listener{kind: cfg.Kind, wait: cfg.Wait, ids: newIDs(cfg.Allow, cfg.Deny)}
	local, err := l.socket.open(&cfg)
	if err != nil {
		return nil, fmt.Errorf("listen on %s://%s: %w", cfg.Kind, cfg.Address, cure(err))
	}
	name := cfg.Kind.String() + "://" + local
	l.interfaces = []source.Interface{{Name: name, Link: packet.LinkEthernet}}
	return l, nil
}

// cure adds what to do to the errors that people meet.
func cure(err error) error {
	var addr *net.AddrError
	switch {
	case isInUse(err):
		return fmt.Errorf("%w: another program listens there, or the kernel's own tunnel device: choose another address or port, or capture on that device", err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: ports below 1024 need CAP_NET_BIND_SERVICE", err)
	case errors.As(err, &addr):
		return fmt.Errorf("%w: give ADDRESS:PORT", err)
	}
	return err
}

// listener is the Source.
type listener struct {
	kind       packet.TunnelKind
	wait       time.Duration
	ids        *ids
	interfaces []source.Interface

	received, filtered, malformed, dropped atomic.Uint64

	closed atomic.Bool
	mu     sync.Mutex // held while the socket is used
	socket socket
}

func (l *listener) Live() bool { return true }

func (l *listener) Interfaces() []source.Interface { return l.interfaces }

func (l *listener) Stats() source.Stats {
	return source.Stats{Received: l.received.Load(), Dropped: l.dropped.Load(), Filtered: l.filtered.Load(), Cut: l.malformed.Load()}
}

func (l *listener) Read(batch []packet.Packet) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for began := time.Now(); ; {
		if l.closed.Load() {
			return 0, fmt.Errorf("read %s: %w", l.interfaces[0].Name, os.ErrClosed)
		}
		if len(batch) == 0 {
			return 0, nil
		}
		n, err := l.socket.receive(batch, l.wait)
		l.dropped.Store(l.socket.dropped())
		if err != nil {
			if l.closed.Load() {
				err = os.ErrClosed
			}
			return 0, fmt.Errorf("read %s: %w", l.interfaces[0].Name, err)
		}
		if n == 0 {
			return 0, nil
		}
		// Datagrams that are not wanted must not keep the caller from its clock.
		if k := l.strip(batch[:n]); k > 0 || time.Since(began) >= l.wait {
			return k, nil
		}
	}
}

// strip takes the tunnel headers off, moves the frames that are wanted to the
// front and returns how many they are.
func (l *listener) strip(batch []packet.Packet) int {
	kept, filtered, malformed := 0, uint64(0), uint64(0)
	for i := range batch {
		data, link, id, ok := decapsulate(l.kind, batch[i].Data)
		switch {
		case !ok:
			malformed++
		case data == nil || !l.ids.wanted(id):
			filtered++
		default:
			batch[kept] = packet.Packet{
				Time: batch[i].Time, Data: data, Length: len(data), Link: link,
				Outer: packet.Tunnel{Kind: l.kind, ID: id},
			}
			kept++
		}
	}
	l.received.Add(uint64(kept))
	if filtered != 0 {
		l.filtered.Add(filtered)
	}
	if malformed != 0 {
		l.malformed.Add(malformed)
	}
	return kept
}

// Close waits for a Read that is under way, which notices within Config.Wait.
func (l *listener) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	l.socket.wake()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped.Store(l.socket.dropped())
	if err := l.socket.close(); err != nil {
		return fmt.Errorf("close %s: %w", l.interfaces[0].Name, err)
	}
	return nil
}
