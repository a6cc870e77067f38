package sink

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// moody is a sink that fails now and then.
type moody struct {
	texts
	random *rand.Rand
	fails  int // percent
}

func (s *moody) Write(ctx context.Context, batch []string) error {
	if s.random.IntN(4) == 0 {
		time.Sleep(time.Duration(s.random.IntN(150)) * time.Millisecond)
	}
	if s.random.IntN(100) < s.fails {
		k := s.random.IntN(len(batch) + 1)
		_ = s.texts.Write(ctx, batch[:k])
		return Partial(k, errors.New("moody"))
	}
	return s.texts.Write(ctx, batch)
}

// A disk that fails at any moment, in any part of a write, costs nothing that is
// not counted, and no record comes twice, torn or out of order.
func TestSpoolTrouble(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 10
	}
	for seed := range rounds {
		synctest.Test(t, func(t *testing.T) { spoolTrouble(t, rand.New(rand.NewPCG(uint64(seed), 7))) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func spoolTrouble(t *testing.T, r *rand.Rand) {
	dir, err := os.MkdirTemp("/dev/shm", "spool")
	if err != nil {
		dir = t.TempDir()
	}
	defer os.RemoveAll(dir)
	c := textConfig(dir).filled()
	c.Bytes, c.Batch = int64(500+r.IntN(10_000)), int64(50+r.IntN(2000))
	c.Spool.Sync, c.Spool.Segment = time.Duration(10+r.IntN(200))*time.Millisecond, 4<<10
	var mu sync.Mutex
	disk := rand.New(rand.NewPCG(r.Uint64(), 1))
	bad := r.IntN(60)
	write := func(f *os.File, b []byte, at int64) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if disk.IntN(100) >= bad {
			return f.WriteAt(b, at)
		}
		n, _ := f.WriteAt(b[:disk.IntN(len(b)+1)], at)
		return n, syscall.EIO
	}
	n, last := 0, -1
	var in, out int64
	for round := range 4 {
		s, err := openSpool(c.Spool, c.Log, func([]byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		to := &moody{random: rand.New(rand.NewPCG(r.Uint64(), 2)), fails: r.IntN(100)}
		if s.write = write; round == 3 {
			s.write, to.fails = (*os.File).WriteAt, 0
		}
		c.Policy = Policy(r.IntN(2)) // Drop or Wait
		q := newQueue[string](to, c, weighText, nil, s, textCodec{})
		over := make(chan struct{})
		go func() { // at any moment
			for {
				st := q.Stats()
				lost := st.Lost()
				if st.Pushed.Records+st.Recovered.Records != st.Written.Records+lost.Records+st.Spooled.Records+st.Depth.Records ||
					st.Pushed.Bytes+st.Recovered.Bytes != st.Written.Bytes+lost.Bytes+st.Spooled.Bytes+st.Depth.Bytes {
					t.Errorf("round %d: the counts do not add up: %+v", round, st)
					return
				}
				select {
				case <-over:
					return
				case <-time.After(3 * time.Millisecond):
				}
			}
		}()
		for range r.IntN(200) {
			var batch []string
			for range r.IntN(20) {
				batch = append(batch, strconv.Itoa(n))
				n++
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			q.Push(ctx, batch)
			cancel()
			if r.IntN(3) == 0 {
				time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_ = q.Close(ctx) // what it costs is counted
		cancel()
		close(over)
		st := q.Stats()
		lost := st.Lost()
		if st.Recovered.Records != in-out {
			t.Fatalf("round %d: %d found, %d left: %+v", round, st.Recovered.Records, in-out, st)
		}
		in, out = in+st.Pushed.Records, out+st.Written.Records+lost.Records
		if in != out+st.Spooled.Records || st.Depth.Records != 0 || st.Dropped[SpoolLost].Records != 0 || int64(len(to.got)) != st.Written.Records {
			t.Fatalf("round %d: %d in, %d out: %+v", round, in, out, st)
		}
		for _, v := range to.got {
			k, err := strconv.Atoi(v)
			if err != nil || k <= last {
				t.Fatalf("round %d: %q after %d", round, v, last)
			}
			last = k
		}
	}
}
