// Package replay sends the requests of a recording again: each conversation on
// connections of its own, its requests in their order, at the pace at which they
// were recorded or at another. What they are answered is compared with what was
// recorded.
package replay

import (
	"io"
	"log/slog"
	"time"

	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/sink/shadow/diff"
	"github.com/passiflow/passiflow/sink/shadow/wire"
)

// Options say what is replayed and how.
type Options struct {
	// File is a capture file, a file of records (NDJSON), or one in the record
	// format of the mirror; "-" is standard input. Gzip and zstd are unpacked.
	File  string
	Stdin io.Reader
	// Ports are the servers' ports whose conversations are replayed. None: all
	Ports func(port uint16) bool
	// Rules decide what is replayed, and may change it. nil: all
	Rules rule.Rule
	// Memory bounds what is read of File, in bytes. Default 1 GiB
	Memory int64
	// Limit is how many requests are taken, the first ones. 0: all
	Limit int

	// Target is where requests go to; it must be resolved.
	Target *wire.Target
	// Speed is how many times faster than recorded requests are sent. 0: as fast
	// as the answers that each request waited for allow. Default 1
	Speed float64
	// Rounds is how often the recording is sent. 0: until the context ends.
	// Default 1
	Rounds int
	// Concurrency is how many conversations are under way at once. Default 500
	Concurrency int
	// Connect bounds the time for a connection. Default 5 s
	Connect time.Duration
	// Timeout bounds the time for a request to be taken, and for its answer to
	// come whole. Default 30 s
	Timeout time.Duration
	// BodyLimit is how many bytes of a body are compared. Default 64 MiB
	BodyLimit int
	// Examples is how many exchanges that differ the report shows. Default 100
	Examples int

	Request wire.Config
	Compare diff.Config
	Log     *slog.Logger // nil is silent
}

// DefaultOptions returns the defaults, without file and target.
func DefaultOptions() Options {
	return Options{
		Memory: 1 << 30, Speed: 1, Rounds: 1, Concurrency: 500, Connect: 5 * time.Second, Timeout: 30 * time.Second,
		BodyLimit: 64 << 20, Examples: 100, Request: wire.DefaultConfig(), Compare: diff.DefaultConfig(),
	}
}
