package passiflow

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/protocol"
)

// notes logs what must not be logged for every packet or conversation. It is
// used by all workers.
type notes struct {
	log *slog.Logger
	mu  sync.Mutex
	at  time.Time // of the last line about evictions
	n   uint64    // evictions since
	tls bool

	failedAt time.Time // of the last line about rules
	failed   uint64    // records they failed on since
}

func newNotes(log *slog.Logger) *notes {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &notes{log: log}
}

// evicted tells of a conversation that had to go, at most once a second.
func (n *notes) evicted(s *flow.Summary) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.n++
	if now := time.Now(); now.Sub(n.at) >= time.Second {
		n.log.Warn("conversation evicted: too many at once, raise the bound of flows", "client", s.Flow.Client, "server", s.Flow.Server,
			"idle_since", s.End.Time(), "evicted", n.n)
		n.at, n.n = now, 0
	}
}

// opaque tells of a conversation that cannot be read.
func (n *notes) opaque(f *flow.Flow, o *protocol.Opaque) {
	if o.Next == "tls" && o.Cause == protocol.NotSpoken {
		n.mu.Lock()
		first := !n.tls
		n.tls = true
		n.mu.Unlock()
		if first {
			n.log.Info("TLS seen: its content cannot be read", "client", f.Client, "server", f.Server, "server_name", o.Server)
			return
		}
	}
	if n.log.Enabled(context.Background(), slog.LevelDebug) {
		n.log.Debug("conversation not read", "client", f.Client, "server", f.Server, "why", o.Error())
	}
}

// unruled tells of rules that failed on a record, at most once a minute: it may
// be each.
func (n *notes) unruled(f *flow.Flow, cause any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed++
	if now := time.Now(); now.Sub(n.failedAt) >= time.Minute {
		n.log.Error("rules failed; the record is dropped, as it may not be masked", "client", f.Client, "server", f.Server, "cause", cause, "failed", n.failed)
		n.failedAt, n.failed = now, 0
	}
}

// broken tells of a fault of ours.
func (n *notes) broken(f *flow.Flow, name string, cause any) {
	n.log.Error("decoder failed; the conversation is not read any more", "protocol", name, "client", f.Client, "server", f.Server, "cause", cause)
}
