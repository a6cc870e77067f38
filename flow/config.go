package flow

import "time"

// Overlap says which copy wins where two segments bring different bytes for
// the same place and neither has been delivered yet.
type Overlap uint8

// The policies. Bytes once delivered are never taken back.
const (
	First Overlap = iota // the copy captured first
	Linux                // as Linux: the copy whose segment starts earlier, or at the same place and is longer
)

// Config sets the bounds and waits of a Table.
type Config struct {
	MaxFlows     int           // conversations at once; at the cap the half-open go first, then the oldest idle. Default 65536
	MaxOver      int           // finished conversations remembered at once; above it the oldest are forgotten. Default 8192
	MaxPending   int           // memory in bytes that holds early segments of one side; above it the earlier ones count as lost. Default 4 MiB
	MaxBytes     int           // the same for all conversations together; above it those that wait for longer than GapWait wait no more, and if none does, conversations whose beginning was not seen are refused; a quarter above it nothing waits. Default 32 MiB
	GapWait      time.Duration // how long a byte that its receiver acknowledged may stay away before it counts as not captured. Default 50 ms
	UnackedWait  time.Duration // the same for a byte nobody acknowledged, which may still be retransmitted. Default 2 s
	IdleTimeout  time.Duration // a conversation without packets for so long is closed. Default 15 min
	HalfOpen     time.Duration // the same before both sides were seen, TCP only. Default 60 s
	Linger       time.Duration // how long a conversation that was reset is given to prove the reset wrong. Default 2 s
	Remember     time.Duration // how long a finished conversation is remembered to absorb late packets. Default 2 s
	RememberVain time.Duration // the same where its last bytes were not acknowledged, and may be sent again for long. Default 2 min
	Overlap      Overlap       // default First
	Sample       float64       // fraction of conversations looked at, 0 to 1, chosen by their addresses and Seed. Default 1
	Seed         uint64        // of Sample
	Ports        []uint16      // ports whose owner is the server where no SYN was seen
	Datagrams    bool          // count UDP conversations too, for unit flow
	Resets       bool          // count conversations of which a RST is the first that was seen, for unit flow
	Digest       bool          // compute a SHA-256 of each side's delivered bytes
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		MaxFlows:     65536,
		MaxOver:      8192,
		MaxPending:   4 << 20,
		MaxBytes:     32 << 20,
		GapWait:      50 * time.Millisecond,
		UnackedWait:  2 * time.Second,
		IdleTimeout:  15 * time.Minute,
		HalfOpen:     time.Minute,
		Linger:       2 * time.Second,
		Remember:     2 * time.Second,
		RememberVain: 2 * time.Minute,
		Sample:       1,
	}
}
