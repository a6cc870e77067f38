package sink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/sink"
)

var errDown = errors.New("down")

// script is a sink for numbers whose answer to each delivery is said beforehand.
type script struct {
	answer func(batch []int) error
	got    []int
	asked  []ask
	began  time.Time
}

// ask is one delivery: when it came, since the beginning, and of how many.
type ask struct {
	At   time.Duration
	Size int
}

func (s *script) Write(_ context.Context, batch []int) error {
	s.asked = append(s.asked, ask{time.Since(s.began), len(batch)})
	err := s.answer(batch)
	switch {
	case err == nil:
		s.got = append(s.got, batch...)
	default:
		s.got = append(s.got, batch[:sink.Delivered(err)]...)
	}
	return err
}

func (s *script) Close(context.Context) error { return nil }

// run pushes n numbers at once through a queue before s and closes it.
func (s *script) run(t *testing.T, c sink.QueueConfig, n int) sink.Stats {
	t.Helper()
	s.began = time.Now()
	q := sink.NewQueue[int](s, c, ten, nil)
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	q.Push(t.Context(), all)
	time.Sleep(time.Hour)
	synctest.Wait()
	if err := q.Close(t.Context()); err != nil {
		t.Error(err)
	}
	st := q.Stats()
	adds(t, st)
	if st.Depth != (sink.Count{}) {
		t.Errorf("held at the end: %+v", st)
	}
	return st
}

func retryConfig() sink.QueueConfig {
	c := sink.DefaultQueueConfig()
	c.Bytes = 1 << 20
	return c
}

func failing4(n int) func([]int) error {
	return func([]int) error {
		if n--; n >= 0 {
			return errDown
		}
		return nil
	}
}

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestRetryDeliversAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: failing4(12)}
		c := retryConfig()
		st := s.run(t, c, 100)
		inOrder(t, s.got, 100)
		if st.Retries != 12 || st.Opened != 1 || st.Circuit != sink.Closed || st.Lost() != (sink.Count{}) {
			t.Errorf("%+v", st)
		}
		for i, a := range s.asked {
			switch {
			case i < 5 && a.Size != 100, i >= 5 && i < 13 && a.Size != 1, i == 13 && a.Size != 99:
				t.Errorf("delivery %d has %d records", i, a.Size)
			}
			if i == 0 || i > 12 {
				continue
			}
			wait := a.At - s.asked[i-1].At
			if ceiling := min(c.Retry.Max, c.Retry.Min<<i); wait < c.Retry.Min || wait > ceiling {
				t.Errorf("waited %v before attempt %d, at most %v", wait, i+1, ceiling)
			}
		}
	})
}

// Many queues that lose one receiver do not come back in step.
func TestRetryJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		for range 50 {
			s := &script{answer: failing4(6)}
			s.run(t, retryConfig(), 1)
			waits = append(waits, s.asked[6].At-s.asked[5].At)
		}
		slices.Sort(waits)
		if spread := waits[len(waits)-1] - waits[0]; spread < 10*time.Second {
			t.Errorf("the sixth waits are within %v", spread)
		}
	})
}

// One delivery is tried, and again after 1, 2 and 4 s; then it is dropped, and
// the next has its own attempts.
func TestRetrySchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: failing4(5)}
		c := retryConfig()
		c.Retry.Schedule = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}
		c.Records = 1
		st := s.run(t, c, 3)
		want := []ask{{0, 1}, {1 * time.Second, 1}, {3 * time.Second, 1}, {7 * time.Second, 1}, {7 * time.Second, 1}, {8 * time.Second, 1}, {8 * time.Second, 1}}
		if d := cmp.Diff(want, s.asked); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]int{1, 2}, s.got); d != "" {
			t.Error(d)
		}
		if st.Dropped[sink.GaveUp].Records != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// A record that always fails costs itself and not the batch.
func TestRetryGivesUpOneRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(batch []int) error {
			if i := slices.Index(batch, 5); i >= 0 {
				return sink.Partial(i, errDown)
			}
			return nil
		}}
		c := retryConfig()
		c.Retry.Attempts = 3
		st := s.run(t, c, 10)
		if d := cmp.Diff([]int{0, 1, 2, 3, 4, 6, 7, 8, 9}, s.got); d != "" {
			t.Error(d)
		}
		if st.Dropped[sink.GaveUp].Records != 1 || len(s.asked) != 4 {
			t.Errorf("%+v, %v", st, s.asked)
		}
	})
}

// In an outage the records of a batch, which have all waited as long, do not each
// take the whole schedule.
func TestRetryGivesUpBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func([]int) error { return sink.Partial(0, errDown) }}
		c := retryConfig()
		c.Retry.Attempts = 3
		st := s.run(t, c, 1000)
		if st.Dropped[sink.GaveUp].Records != 1000 || len(s.asked) > 10 {
			t.Errorf("%+v after %d attempts", st, len(s.asked))
		}
	})
}

func TestRetryPermanent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One record is refused.
		s := &script{answer: func(batch []int) error {
			if i := slices.Index(batch, 3); i >= 0 {
				return sink.Partial(i, sink.Permanent(errDown))
			}
			return nil
		}}
		st := s.run(t, retryConfig(), 6)
		if d := cmp.Diff([]int{0, 1, 2, 4, 5}, s.got); d != "" || st.Dropped[sink.Refused].Records != 1 || st.Retries != 0 {
			t.Errorf("%s%+v", d, st)
		}
		// A batch is refused.
		s = &script{answer: func(batch []int) error {
			if batch[0] == 0 {
				return fmt.Errorf("post: %w", sink.Permanent(errDown))
			}
			return nil
		}}
		c := retryConfig()
		c.Records = 4
		st = s.run(t, c, 6)
		if d := cmp.Diff([]int{4, 5}, s.got); d != "" || st.Dropped[sink.Refused].Records != 4 {
			t.Errorf("%s%+v", d, st)
		}
		// All was delivered, and the error is about what comes next.
		s = &script{answer: func(batch []int) error { return sink.Partial(len(batch), errDown) }}
		st = s.run(t, c, 6)
		inOrder(t, s.got, 6)
		if st.Lost().Records != 0 {
			t.Errorf("%+v", st)
		}
		// A sink that miscounts harms nobody.
		s = &script{answer: func(batch []int) error { return nil }}
		q := sink.NewQueue[int](miscounts{}, c, ten, nil)
		q.Push(t.Context(), numbers(6))
		_ = q.Close(t.Context())
		adds(t, q.Stats())
	})
}

type miscounts struct{}

func (miscounts) Write(context.Context, []int) error {
	return sink.Partial(1000, sink.Permanent(errDown))
}
func (miscounts) Close(context.Context) error { return nil }

func TestRetryExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func([]int) error { return errDown }}
		c := retryConfig()
		c.Retry.Age = time.Minute
		c.Retry.Max = 5 * time.Second
		st := s.run(t, c, 10)
		last := s.asked[len(s.asked)-1].At
		if st.Dropped[sink.Expired].Records != 10 || last > time.Minute || last < 50*time.Second {
			t.Errorf("%+v, last attempt at %v", st, last)
		}
	})
}

// While a sink is down, Push with the policy Drop never waits, and Close ends in
// time.
func TestRetryNeverBlocksPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func([]int) error { return errDown }, began: time.Now()}
		c := retryConfig()
		c.Bytes, c.Retry.Max = 1000, time.Second
		var said bytes.Buffer
		c.Log = slog.New(slog.NewTextHandler(&said, nil))
		q := sink.NewQueue[int](s, c, ten, nil)
		for i := range 1000 {
			q.Push(t.Context(), []int{i})
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if n := strings.Count(said.String(), "records dropped"); n != 1 || !strings.Contains(said.String(), "queue.bytes") {
			t.Errorf("said %d times: %s", n, said.String())
		}
		if d := time.Since(s.began); d != 10*time.Second {
			t.Errorf("took %v", d)
		}
		if st := q.Stats(); st.Depth.Records != 100 || st.Dropped[sink.Full].Records != 900 || st.Circuit != sink.Open {
			t.Errorf("%+v", st)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began, before := time.Now(), len(s.asked)
		err := q.Close(ctx)
		if d := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || d > 3*time.Second+200*time.Millisecond {
			t.Errorf("after %v: %v", d, err)
		}
		if n := len(s.asked) - before; n < 10 {
			t.Errorf("%d attempts while closing", n)
		}
		st := q.Stats()
		adds(t, st)
		if st.Dropped[sink.Undelivered].Records != 100 {
			t.Errorf("%+v", st)
		}
	})
}

// Close waits for a sink that fails, but not for ever.
func TestRetryClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func([]int) error { return errDown }}
		q := sink.NewQueue[int](s, retryConfig(), ten, nil)
		q.Push(t.Context(), numbers(10))
		time.Sleep(time.Minute)
		began := time.Now()
		err := q.Close(t.Context())
		if d := time.Since(began); !errors.Is(err, errDown) || d < 29*time.Second || d > 32*time.Second {
			t.Errorf("after %v: %v", d, err)
		}
		adds(t, q.Stats())
		if st := q.Stats(); st.Dropped[sink.Undelivered].Records != 10 {
			t.Errorf("%+v", st)
		}
	})
}

// A file has been read long before its records are delivered: that the queue is
// closing takes nothing off the time that counted attempts give a sink.
func TestRetryCountedClosing(t *testing.T) {
	for name, change := range map[string]func(*sink.RetryConfig){
		"schedule": func(c *sink.RetryConfig) {
			c.Schedule = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}
		},
		"attempts": func(c *sink.RetryConfig) { c.Min, c.Max, c.Attempts = 2*time.Second, 4*time.Second, 4 },
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			s := &script{began: began}
			s.answer = func([]int) error {
				if time.Since(began) < 5*time.Second {
					return errDown
				}
				return nil
			}
			c := retryConfig()
			change(&c.Retry)
			q := sink.NewQueue[int](s, c, ten, nil)
			q.Push(t.Context(), numbers(10))
			if err := q.Close(t.Context()); err != nil || len(s.got) != 10 {
				t.Errorf("%s: %v, %d delivered of %v", name, err, len(s.got), s.asked)
			}
			adds(t, q.Stats())
		})
	}
}

// TestRetryAfterClosing keeps the time that a receiver wants to be left alone
// also while the queue is closing, as far as the time for that goes.
func TestRetryAfterClosing(t *testing.T) {
	busy := func(after time.Duration) error { return &sink.StatusError{Status: 429, After: after} }
	for name, c := range map[string]struct {
		asks    time.Duration // of each answer
		busyFor time.Duration // from the beginning
		before  time.Duration // until Close
		change  func(*sink.RetryConfig)
		want    []time.Duration // deliveries, from the beginning
		lost    int64
	}{
		"closed before":        {asks: 8 * time.Second, busyFor: 5 * time.Second, want: []time.Duration{0, 8 * time.Second}},
		"closed meanwhile":     {asks: 8 * time.Second, busyFor: 5 * time.Second, before: 3 * time.Second, want: []time.Duration{0, 8 * time.Second}},
		"longer than the time": {asks: time.Hour, busyFor: time.Hour, want: []time.Duration{0, 30 * time.Second}, lost: 10},
		"longer, meanwhile":    {asks: time.Hour, busyFor: time.Hour, before: 3 * time.Second, want: []time.Duration{0, 33 * time.Second}, lost: 10},
		"a last time":          {asks: time.Hour, busyFor: 20 * time.Second, before: 3 * time.Second, want: []time.Duration{0, 33 * time.Second}},
		"several times":        {asks: 12 * time.Second, busyFor: time.Hour, want: []time.Duration{0, 12 * time.Second, 24 * time.Second, 30 * time.Second}, lost: 10},
		"counted": {asks: 8 * time.Second, busyFor: 5 * time.Second, before: time.Second, want: []time.Duration{0, 8 * time.Second},
			change: func(c *sink.RetryConfig) { c.Min, c.Max, c.Attempts = time.Second, 2*time.Second, 4 }},
		"counted, longer": {asks: time.Hour, busyFor: time.Hour, before: time.Second, want: []time.Duration{0, 31 * time.Second}, lost: 10,
			change: func(c *sink.RetryConfig) { c.Min, c.Max, c.Attempts = time.Second, 2*time.Second, 2 }},
		"waits of one's own": {asks: 8 * time.Second, busyFor: 5 * time.Second, before: time.Second, want: []time.Duration{0, 4 * time.Second, 8 * time.Second},
			change: func(c *sink.RetryConfig) { c.Schedule = []time.Duration{4 * time.Second, 4 * time.Second} }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := &script{began: began}
				s.answer = func([]int) error {
					if time.Since(began) < c.busyFor {
						return busy(c.asks)
					}
					return nil
				}
				config := retryConfig()
				if c.change != nil {
					c.change(&config.Retry)
				}
				q := sink.NewQueue[int](s, config, ten, nil)
				q.Push(t.Context(), numbers(10))
				time.Sleep(c.before)
				_ = q.Close(t.Context()) // what is lost is counted
				var got []time.Duration
				for _, a := range s.asked {
					got = append(got, a.At)
				}
				if d := cmp.Diff(c.want, got); d != "" {
					t.Error(d)
				}
				st := q.Stats()
				adds(t, st)
				if lost := st.Lost(); lost.Records != c.lost {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// TestRetryAfterClosingSpool does not wait where the spool keeps what is left, and
// does not ask before the time either.
func TestRetryAfterClosingSpool(t *testing.T) {
	for name, before := range map[string]time.Duration{"before": 0, "meanwhile": 20 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			s := &script{answer: func([]int) error { return &sink.StatusError{Status: 503, After: time.Minute} }}
			q := openInts(t, s, spoolConfig(t.TempDir()))
			q.Push(t.Context(), numbers(10))
			if before > 0 {
				for q.Stats().Retries == 0 {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(before)
			}
			began := time.Now()
			st := closeQueue(t, q)
			if d := time.Since(began); d > 50*time.Second || st.Spooled.Records != 10 || len(s.asked) != 1 {
				t.Errorf("%v, %+v, asked %v", d, st, s.asked)
			}
		})
	}
}
