package http1

import (
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
)

// Config sets the bounds of the decoder. DefaultConfig gives the defaults; a
// bound that is not positive means its default, except BodyLimit.
type Config struct {
	// BodyLimit is how many bytes of a decoded body a message keeps. With 0
	// bodies are counted and not kept. A compressed body is held back as sent
	// until it ends: at most this many bytes of it, or 64 KiB if that is more.
	// Default 1 MiB.
	BodyLimit int
	// HeadLimit bounds start line and header fields in bytes. What the core
	// holds must be at least this. Default 64 KiB.
	HeadLimit int
	// FieldLimit is how many fields a message keeps, trailer fields
	// included. More of them still count for the framing. Default 256.
	FieldLimit int
	// ChunkLine bounds a chunk's size line with its extensions, in bytes.
	// Default 4 KiB.
	ChunkLine int
	// DecodedLimit is how many bytes a body may decompress to before it
	// counts as a bomb. Default 64 MiB.
	DecodedLimit int64
	// DecodedRatio is how many times its compressed size a body may
	// decompress to, once it is over 1 MiB. Default 200.
	DecodedRatio int64
	// DecodedCredit is what all bodies of one worker may together decompress to
	// beyond 4 KiB and 64 times their compressed size, in bytes. Each byte of
	// messages that is read gives 4 back. Default 64 MiB.
	DecodedCredit int64
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{BodyLimit: 1 << 20, HeadLimit: 64 << 10, FieldLimit: 256, ChunkLine: 4 << 10, DecodedLimit: 64 << 20, DecodedRatio: 200, DecodedCredit: 64 << 20}
}

// New describes HTTP/1.x to the core. The value and its decoders share memory
// without locks: each worker makes its own.
func New(c Config) protocol.Protocol {
	def := DefaultConfig()
	if c.BodyLimit < 0 {
		c.BodyLimit = def.BodyLimit
	}
	if c.HeadLimit <= 0 {
		c.HeadLimit = def.HeadLimit
	}
	if c.FieldLimit <= 0 {
		c.FieldLimit = def.FieldLimit
	}
	if c.ChunkLine <= 0 {
		c.ChunkLine = def.ChunkLine
	}
	if c.DecodedLimit <= 0 {
		c.DecodedLimit = def.DecodedLimit
	}
	if c.DecodedRatio <= 0 {
		c.DecodedRatio = def.DecodedRatio
	}
	if c.DecodedCredit <= 0 {
		c.DecodedCredit = def.DecodedCredit
	}
	s := &shared{Config: c}
	s.pool.credit = c.DecodedCredit
	return protocol.Protocol{
		Name:      "http",
		Transport: packet.TCP,
		Ports:     []uint16{80, 8080, 8000, 3128},
		Probe:     probe,
		New:       func(*flow.Flow) protocol.Decoder { return &decoder{s: s} },
	}
}

// shared is what the decoders of one worker have in common: bounds, scratch
// memory and idle decompressors.
type shared struct {
	Config
	lines  []int32 // offsets of the line feeds of the head at hand
	folded []byte  // a value on several lines
	pool   pool
}
