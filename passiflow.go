package passiflow

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/source"
)

// Passiflow is one run: sources, workers and outputs.
type Passiflow struct {
	cfg     Config
	workers []*worker
	split   *split        // spreads a single source over several workers
	packets atomic.Uint64 // that passed the filter, of all workers; counted where there is a bound
	ran     atomic.Bool

	mu   sync.Mutex
	late []*time.Timer // that end the Reads of live sources
	over bool          // the sources are closed
}

// New checks cfg and makes a run of it, which Run starts. It takes over the
// sources, also when it returns an error: they are then closed.
func New(cfg Config) (*Passiflow, error) {
	if err := cfg.validate(); err != nil {
		for _, s := range cfg.Sources {
			s.Close()
		}
		return nil, err
	}
	p := &Passiflow{cfg: cfg}
	p.cfg.Flow.Ports = cfg.Ports
	if cfg.wants(UnitFlow) {
		// Every packet belongs to one, and a late one to that which ended.
		p.cfg.Flow.Datagrams, p.cfg.Flow.Resets = true, true
		p.cfg.Flow.Remember = max(p.cfg.Flow.Remember, p.cfg.Flow.RememberVain)
	}
	p.cfg.Core.Exchanges, p.cfg.Core.Messages = cfg.wants(UnitExchange) || cfg.wants(UnitPacket), cfg.wants(UnitMessage)
	sources := cfg.Sources
	if len(sources) == 1 && cfg.Workers > 1 {
		p.split = newSplit(sources[0], &cfg)
		p.cfg.Filter, p.cfg.Packets = nil, 0
		sources = p.split.sources()
	}
	p.cfg.share(len(sources))
	others := newHandover(sources, p.cfg.HandoverBytes)
	if others != nil {
		// What is handed over is late by as much as packets rest in the kernel.
		p.cfg.Flow.GapWait += lag
	}
	n := newNotes(cfg.Log)
	for i, src := range sources {
		w := newWorker(&p.cfg, src, &p.packets, n)
		if others != nil {
			w.join(others, i)
		}
		p.workers = append(p.workers, w)
	}
	return p, nil
}

func isLive(src source.Source) bool {
	l, ok := src.(source.Live)
	return ok && l.Live()
}

func newWorker(cfg *Config, src source.Source, packets *atomic.Uint64, n *notes) *worker {
	parser := cfg.Parser
	if parser.Seed == 0 {
		// Nothing that is told depends on it, and nobody can aim at a corner of a
		// table he does not know. Where packets go to, by contrast, is the same in
		// every run.
		parser.Seed = rand.Uint64()
	}
	w := &worker{cfg: cfg, src: src, live: isLive(src), packets: packets, parser: packet.NewParser(parser), notes: n}
	if len(cfg.Ports) > 0 {
		w.ports = new([8192]byte)
		for _, p := range cfg.Ports {
			w.ports[p>>3] |= 1 << (p & 7)
		}
	}
	if cfg.Frames != nil {
		w.frames = cfg.Frames(src)
	}
	if len(cfg.Outputs) == 0 {
		return w
	}
	if cfg.wants(UnitFlow) {
		w.flows = make([]*flow.Summary, 0, source.Batch)
	}
	if cfg.Protocols != nil && (cfg.Core.Exchanges || cfg.Core.Messages) {
		core := cfg.Core
		core.Protocols = cfg.Protocols()
		w.core = protocol.NewCore(core, w)
		w.sets = newSets(cfg, w.openTapes())
	}
	w.pieces = newPieces(cfg)
	w.table = flow.NewTable(cfg.Flow, w.open, w.done)
	return w
}

// Run reads until all sources have ended, one fails, Config.Packets is reached,
// or ctx ends, which is no error. It then ends all conversations, hands on what
// they held and closes the sources. The queues of the outputs are the caller's
// to close. Run is called once.
func (p *Passiflow) Run(ctx context.Context) error {
	if p.ran.Swap(true) {
		return errors.New("run: called twice")
	}
	walk, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(walk, p.endReads)
	defer stop()
	// What the conversations held at the end must still find its way.
	out := context.WithoutCancel(ctx)
	if p.split != nil {
		walk = out // the workers end with what they are given
	}
	errs := make([]error, len(p.workers)+1)
	var group sync.WaitGroup
	for i, w := range p.workers {
		group.Go(func() {
			errs[i] = w.run(walk, out)
			if errs[i] != nil || p.reached() {
				cancel()
			}
			w.finish(out)
		})
	}
	if p.split != nil {
		errs[len(p.workers)] = p.split.run(ctx)
	}
	group.Wait()
	if ctx.Err() != nil || walk.Err() != nil { // Read of a source closed under it
		errs = slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, os.ErrClosed) })
	}
	p.closeSources()
	return errors.Join(errs...)
}

// reached tells whether there were as many packets as asked for.
func (p *Passiflow) reached() bool { return p.cfg.Packets > 0 && p.packets.Load() >= p.cfg.Packets }

// endReads ends each Read that waits: of a file at once, of a live source when
// its worker has had its time to read on.
func (p *Passiflow) endReads() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	for _, s := range p.cfg.Sources {
		if isLive(s) && p.split == nil {
			p.late = append(p.late, time.AfterFunc(2*drain, func() { s.Close() }))
		} else {
			s.Close()
		}
	}
}

// closeSources closes all sources, and sees to it that nobody does so later.
func (p *Passiflow) closeSources() {
	p.mu.Lock()
	p.over = true
	for _, t := range p.late {
		t.Stop()
	}
	p.mu.Unlock()
	for _, s := range p.cfg.Sources {
		s.Close()
		_, _ = s.Read(make([]packet.Packet, 1)) // takes back what was lent last
	}
}

// Stats returns the ledger so far. It may be called at any time, by anybody.
func (p *Passiflow) Stats() Stats {
	var s Stats
	for _, w := range p.workers {
		w.mu.Lock()
		s.add(&w.public)
		w.mu.Unlock()
	}
	// A packet may be told by the worker who took it before the one who gave it
	// tells that it was read.
	if s.Walk.Taken > s.Walk.Given {
		s.Walk.Packets += s.Walk.Taken - s.Walk.Given
		s.Walk.Given = s.Walk.Taken
	}
	if p.split != nil {
		filtered, beyond := p.split.filtered.Load(), p.split.beyond.Load()
		s.Walk.Packets += filtered + beyond
		s.Walk.Filtered += filtered
		s.Walk.BeyondCount += beyond
	}
	for _, src := range p.cfg.Sources {
		x := src.Stats()
		s.Source.Received += x.Received
		s.Source.Dropped += x.Dropped
		s.Source.Unread += x.Unread
		s.Source.Filtered += x.Filtered
		s.Source.Cut += x.Cut
	}
	return s
}
