package sink_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/passiflow/passiflow/sink"
)

// A sink that refuses everything says so, and does not fill the log.
func TestRefusedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		c := sink.DefaultQueueConfig()
		c.Batch, c.Log = 10, slog.New(slog.NewTextHandler(&log, nil))
		q := sink.NewQueue[int](&place{fail: sink.Permanent(errors.New("no token"))}, c, ten, nil)
		for range 2 {
			for range 100 {
				q.Push(t.Context(), []int{1})
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Minute)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 2 || strings.Count(log.String(), "no token") != 2 {
			t.Errorf("%d warnings:\n%s", n, log.String())
		}
		if s := q.Stats(); s.Dropped[sink.Refused].Records != 200 {
			t.Errorf("%+v", s)
		}
	})
}
