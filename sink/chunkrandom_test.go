package sink_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
)

// Whatever the sink does and however little room there is, a stream arrives as
// its beginning, nothing comes after its end, and all is counted.
func TestChunksRandom(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	for seed := range uint64(rounds) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		to := newStreams(rnd.IntN(5))
		var mu sync.Mutex
		dice := rand.New(rand.NewPCG(seed, 8))
		refused := map[uint64]bool{}
		fail, slow := dice.IntN(3) == 0, dice.IntN(2) == 0
		to.before = func(c *message.Chunk) error {
			mu.Lock()
			n := dice.IntN(1000)
			if refused[c.Flow.ID] {
				to.mu.Lock()
				to.faults = append(to.faults, "a stream goes on that was refused")
				to.mu.Unlock()
			}
			if n == 0 {
				refused[c.Flow.ID] = true
			}
			mu.Unlock()
			switch {
			case n == 0:
				return sink.Permanent(errors.New("refused"))
			case n < 20:
				return errors.New("later")
			case n == 20 && fail:
				return sink.Broken(errors.New("broken"))
			case slow && n < 100:
				time.Sleep(100 * time.Microsecond)
			}
			return nil
		}
		c := config(int64(2000 + rnd.IntN(60_000)))
		c.Batch = int64(1 + rnd.IntN(10_000))
		c.Retry.Min, c.Retry.Max = time.Millisecond, time.Millisecond
		if rnd.IntN(2) == 0 {
			c.Policy = sink.Wait
		}
		if rnd.IntN(3) == 0 {
			c.Retry.Attempts = 2
		}
		q := sink.NewChunks(to.sink(), c)
		said := map[uint64]uint64{}
		var all sync.WaitGroup
		for w := range uint64(3) {
			rnd := rand.New(rand.NewPCG(seed, 100+w))
			all.Go(func() {
				var open []*pusher
				for i := range 300 {
					if len(open) < 10 {
						open = append(open, &pusher{flow: &flow.Flow{ID: w*1000 + uint64(i)}})
					}
					var batch []*message.Chunk
					for range 1 + rnd.IntN(10) {
						k := rnd.IntN(len(open))
						p := open[k]
						end := rnd.IntN(20) == 0
						n := rnd.IntN(800)
						if p.at == 0 || !end {
							n++
						}
						batch = append(batch, p.chunk(n, end))
						if end {
							mu.Lock()
							said[p.flow.ID] = p.at
							mu.Unlock()
							if open = append(open[:k], open[k+1:]...); len(open) == 0 {
								break
							}
						}
					}
					q.Push(t.Context(), batch)
				}
				for _, p := range open {
					mu.Lock()
					said[p.flow.ID] = p.at
					mu.Unlock()
					q.Push(t.Context(), []*message.Chunk{p.chunk(0, true)})
				}
			})
		}
		all.Wait()
		err := q.Close(t.Context())
		to.check(t)
		sum(t, q)
		s, f := q.Stats(), q.Streams()
		if s.Depth != (sink.Count{}) || f.Open != 0 || to.closed != 1 || c.Policy == sink.Drop && f.Peak > c.Bytes || (err != nil) != (q.Err() != nil) {
			t.Errorf("%+v %+v, closed %d, %v", s, f, to.closed, err)
		}
		whole, shed := int64(0), int64(0)
		for id, a := range to.got {
			switch {
			case a.shed > 0:
				shed++
			case a.ends > 0 && uint64(len(a.data)) == said[id]:
				whole++
			case a.ends > 0:
				t.Errorf("stream %d ends after %d of %d bytes and is not shed", id, len(a.data), said[id])
			}
		}
		if whole != f.Whole || shed != f.Shed {
			t.Errorf("whole %d, shed %d: %+v", whole, shed, f)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
