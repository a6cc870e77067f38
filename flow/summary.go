package flow

import "github.com/passiflow/passiflow/packet"

// Summary is a conversation at its end. The arrays are indexed by Side.
type Summary struct {
	Flow      *Flow
	End       packet.Time // of its last packet
	Reason    Reason
	HalfOpen  bool // only one side was seen
	Packets   [2]uint64
	Bytes     [2]uint64 // transport payload as captured, retransmissions included
	Delivered [2]uint64 // bytes in order, each once
	Lost      [2]uint64 // bytes told as gaps
	Digest    [2][32]byte
	HasDigest bool // Digest holds the SHA-256 of the delivered bytes
}
