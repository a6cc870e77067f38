package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
)

// Chunks is a queue of pieces of conversations before one sink. Where a piece
// finds no room, its stream, one side of a conversation, is shed from there on:
// it gets its end, marked Shed, and what comes of it later is dropped. So what
// the sink gets of a stream is always its beginning, whole up to there.
//
// Of QueueConfig it uses all but Linger and Spool: half a stream that is delivered
// in another run is of no use. Retry.Age counts from the first attempt. With a
// sink that is Parallel, streams are delivered side by side.
type Chunks struct {
	to     ChunkSink
	config QueueConfig
	width  int   // deliveries at once
	serial *lane // of all streams; nil: each has its own

	mu       sync.Mutex
	room     *sync.Cond // for who waits to push
	streams  map[streamKey]*chunkStream
	ready    []*lane // have chunks and nobody who delivers them
	waiting  []*lane // have failed and are tried again later, the oldest first
	timer    *time.Timer
	armed    bool // timer runs
	running  int  // goroutines that deliver
	reserved int64
	pace     pace
	closed   bool
	ended    bool // the sink is being closed
	err      error
	late     error // why Close ended early: the sink failed all the time
	stats    Stats
	flows    StreamStats

	ctx    context.Context // of deliveries
	cancel context.CancelFunc
	failed chan struct{} // closed when err is set
	done   chan struct{} // closed when the sink was closed
}

// StreamStats are the counts of streams, one side of a conversation each.
// Opened = Whole + Shed + Cut + Open, beside those that were refused entry.
type StreamStats struct {
	Opened  int64 // of which something was taken
	Whole   int64 // delivered to their end
	Shed    int64 // for whose later pieces there was no room
	Cut     int64 // whose rest was not delivered: the sink refused it or failed, or the time was over
	Refused int64 // for whose first piece there was no room
	Open    int64 // now
	Peak    int64 // the most bytes that were ever held, what is kept for each stream included
}

// Add adds o to s.
func (s *StreamStats) Add(o *StreamStats) {
	s.Opened += o.Opened
	s.Whole += o.Whole
	s.Shed += o.Shed
	s.Cut += o.Cut
	s.Refused += o.Refused
	s.Open += o.Open
	s.Peak = max(s.Peak, o.Peak)
}

type streamKey struct {
	flow *flow.Flow
	from flow.Side
}

// chunkStream is an open stream.
type chunkStream struct {
	key  streamKey
	lane *lane
}

// lane is what is delivered in order.
type lane struct {
	held  []*message.Chunk
	state laneState
	tries int       // of the first batch of held, in a row
	since time.Time // the first of them
}

type laneState uint8

const (
	resting laneState = iota // held is empty
	queued                   // in Chunks.ready or Chunks.waiting
	busy                     // being delivered
)

// What is counted for a chunk beside its bytes, and for an open stream: that is
// kept back for its end, which always finds room.
const (
	chunkBytes  = 128
	streamBytes = 320
)

// NewChunks returns a queue before to, which it owns and closes. Its goroutines
// end with Close.
func NewChunks(to ChunkSink, c QueueConfig) *Chunks {
	c = c.filled()
	q := &Chunks{to: to, config: c, width: 1, streams: map[streamKey]*chunkStream{}, pace: newPace(c.Retry),
		failed: make(chan struct{}), done: make(chan struct{})}
	if p, ok := to.(Parallel); ok {
		q.width = max(p.Parallel(), 1)
	} else {
		q.serial = &lane{}
	}
	q.room = sync.NewCond(&q.mu)
	q.ctx, q.cancel = context.WithCancel(context.Background())
	q.timer = time.AfterFunc(time.Hour, q.probe)
	q.timer.Stop()
	return q
}

// weight is what c holds in memory.
func weight(c *message.Chunk) Count {
	if len(c.Data) == 0 && c.Lost == 0 {
		return Count{} // an end: its stream has kept the room
	}
	return Count{1, chunkBytes + int64(cap(c.Data))}
}

// Push hands batch over, and what its chunks hold. It does not keep the slice.
// The chunks of one stream come from one goroutine. With the policy Wait it
// waits for room until ctx ends.
func (q *Chunks) Push(ctx context.Context, batch []*message.Chunk) {
	if len(batch) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range batch {
		q.push(ctx, c)
	}
	q.dispatch()
}

func (q *Chunks) push(ctx context.Context, c *message.Chunk) {
	size := weight(c)
	key := streamKey{c.Flow, c.From}
	s := q.streams[key]
	need := size.Bytes
	switch {
	case s == nil && !c.First:
		q.stats.Pushed.add(size)
		q.stats.Dropped[Shed].add(size)
		return
	case s == nil:
		need += streamBytes
	}
	for q.config.Policy == Wait && !q.over() && q.full(need) && q.wait(ctx) {
		q.dispatch()
	}
	q.stats.Pushed.add(size)             // not before it waits, or it is nowhere meanwhile
	if s != nil && q.streams[key] != s { // refused while we waited
		q.stats.Dropped[Shed].add(size)
		return
	}
	why := Full
	switch {
	case q.err != nil:
		why = Failed
	case q.closed:
		why = Undelivered
	case !q.full(need):
		if s == nil {
			s = q.open(key)
		}
		if c.End {
			delete(q.streams, key)
		}
		q.hold(s.lane, c, size)
		return
	case q.config.Policy == Wait:
		why = Undelivered // it would have waited on
	}
	q.stats.Dropped[why].add(size)
	if s == nil {
		q.flows.Refused++
		return
	}
	delete(q.streams, key)
	q.hold(s.lane, &message.Chunk{Flow: c.Flow, From: c.From, Time: c.Time, Offset: c.Offset, End: true, Shed: true}, Count{})
}

func (q *Chunks) over() bool { return q.closed || q.err != nil }

// full tells whether there is no room for n bytes. Who waits for room does not
// wait where none will come: what is kept for streams is not given back before
// their end.
func (q *Chunks) full(n int64) bool {
	return n > 0 && q.stats.Depth.Bytes+q.reserved+n > q.config.Bytes && (q.config.Policy == Drop || q.stats.Depth.Bytes > 0)
}

// wait waits until something was delivered. It reports false when ctx has ended.
func (q *Chunks) wait(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	q.dispatch()
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.room.Broadcast()
	})
	defer stop()
	q.room.Wait()
	return true
}

func (q *Chunks) open(key streamKey) *chunkStream {
	s := &chunkStream{key: key, lane: q.serial}
	if s.lane == nil {
		s.lane = &lane{}
	}
	q.streams[key] = s
	q.reserved += streamBytes
	q.flows.Opened++
	q.flows.Open++
	return s
}

// hold puts c into its lane.
func (q *Chunks) hold(l *lane, c *message.Chunk, size Count) {
	l.held = append(l.held, c)
	q.stats.Depth.add(size)
	q.stats.Peak = max(q.stats.Peak, q.stats.Depth.Bytes)
	q.flows.Peak = max(q.flows.Peak, q.stats.Depth.Bytes+q.reserved)
	if l.state == resting {
		l.state = queued
		q.ready = append(q.ready, l)
	}
}

// dispatch starts goroutines for what is ready.
func (q *Chunks) dispatch() {
	for n := len(q.ready); n > 0 && q.running < q.width; n-- {
		q.running++
		go q.work()
	}
	q.end()
}

// Failed is closed when the sink has failed for good; Err then says why.
func (q *Chunks) Failed() <-chan struct{} { return q.failed }

// Err returns the error that ended delivery, nil while there is none.
func (q *Chunks) Err() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// Stats returns a copy of the counts. A record is a chunk; the end of a stream
// is none.
func (q *Chunks) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats
}

// Streams returns a copy of the counts of streams.
func (q *Chunks) Streams() StreamStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.flows
}

// Close delivers what is held and closes the sink, as Queue.Close does.
func (q *Chunks) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		for key, s := range q.streams {
			// Whoever pushes ends its streams; this one has no end.
			delete(q.streams, key)
			q.hold(s.lane, &message.Chunk{Flow: key.flow, From: key.from, End: true, Shed: true}, Count{})
		}
		if q.armed && !q.pace.bounded() {
			q.timer.Reset(closingWait)
		}
	}
	q.room.Broadcast()
	q.dispatch()
	q.mu.Unlock()
	var late error
	select {
	case <-q.done:
	case <-ctx.Done():
		late = context.Cause(ctx)
		q.cancel()
		q.mu.Lock()
		q.dropAll()
		q.end()
		q.mu.Unlock()
		expires(q.done, patience)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.err
	if late == nil {
		late = q.late
	}
	if left := q.stats.Dropped[Undelivered].Records + q.stats.Depth.Records; left > 0 && late != nil {
		err = errors.Join(err, fmt.Errorf("close: %d pieces of conversations not delivered in time: %w", left, late))
	}
	return err
}

// fail keeps the first error and ends delivery.
func (q *Chunks) fail(err error) {
	if q.err == nil {
		q.err = err
		close(q.failed)
	}
	q.room.Broadcast()
}

// tell logs when the sink begins to fail and when it works again.
func (q *Chunks) tell(c Circuit, err error) {
	if q.stats.Circuit == c {
		return
	}
	if q.stats.Circuit = c; c == Open {
		q.stats.Opened++
		q.config.Log.Warn("the sink fails: trying again now and then", "failures", q.pace.failures, "error", err)
	} else {
		q.config.Log.Info("the sink takes what comes again", slog.Int("failures", q.pace.failures))
	}
}
