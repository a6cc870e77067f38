package mirror

import (
	"errors"
	"io"
	"sync"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
)

// ObservedPacketSource is where packets come from. Start ends when the channel
// is closed: Close alone does not do that.
type ObservedPacketSource interface {
	Packets() <-chan gopacket.Packet
	Close() error
}

// ChannelObservedPacketSource is a channel as a source.
type ChannelObservedPacketSource struct {
	packets <-chan gopacket.Packet
}

// NewChannelObservedPacketSource returns packets as a source. The channel is the
// caller's to close.
func NewChannelObservedPacketSource(packets <-chan gopacket.Packet) *ChannelObservedPacketSource {
	return &ChannelObservedPacketSource{packets}
}

// Packets returns the channel.
func (s *ChannelObservedPacketSource) Packets() <-chan gopacket.Packet { return s.packets }

// Close does nothing.
func (s *ChannelObservedPacketSource) Close() error { return nil }

// SourceObservedPacketSource is any source of Passiflow: a live interface, a
// capture file, a tunnel. Start reads it without gopacket, and so finds
// conversations inside of tunnels too.
type SourceObservedPacketSource struct {
	source source.Source
	once   sync.Once
	out    chan gopacket.Packet
	stop   chan struct{}
	closed sync.Once

	mu  sync.Mutex
	err error
}

// NewSourceObservedPacketSource returns from as a source, which owns and closes
// it.
func NewSourceObservedPacketSource(from source.Source) *SourceObservedPacketSource {
	return &SourceObservedPacketSource{source: from, out: make(chan gopacket.Packet, source.Batch), stop: make(chan struct{})}
}

// Packets returns a channel of what the source brings, for whoever is not Start.
// A goroutine that Close ends fills and closes it; Err then says whether the
// source has failed.
func (s *SourceObservedPacketSource) Packets() <-chan gopacket.Packet {
	s.once.Do(func() { go s.run() })
	return s.out
}

// Err returns the error that ended the packets, nil where there was none.
func (s *SourceObservedPacketSource) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close closes the source.
func (s *SourceObservedPacketSource) Close() error {
	s.closed.Do(func() { close(s.stop) })
	return s.source.Close()
}

func (s *SourceObservedPacketSource) run() {
	defer close(s.out)
	batch := make([]packet.Packet, source.Batch)
	for {
		n, err := s.source.Read(batch)
		for i := range batch[:n] {
			select {
			case s.out <- fromPacket(&batch[i]):
			case <-s.stop:
				finish(s.source, batch)
				return
			}
		}
		select {
		case <-s.stop:
			finish(s.source, batch)
			return
		default:
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				s.mu.Lock()
				s.err = err
				s.mu.Unlock()
			}
			return
		}
	}
}

// fromPacket returns a copy of p.
func fromPacket(p *packet.Packet) gopacket.Packet {
	first := gopacket.DecodeUnknown
	switch p.Link {
	case packet.LinkIPv4:
		first = layers.LayerTypeIPv4
	case packet.LinkIPv6:
		first = layers.LayerTypeIPv6
	default:
		if p.Link < packet.Link(layers.LinkTypeMax) {
			first = layers.LinkType(p.Link)
		}
	}
	x := gopacket.NewPacket(p.Data, first, gopacket.DecodeOptions{Lazy: true})
	m := x.Metadata()
	m.Timestamp, m.CaptureLength, m.Length, m.InterfaceIndex = p.Time.Time(), len(p.Data), p.Length, p.Interface
	m.Truncated = m.Truncated || p.Length > len(p.Data)
	return x
}
