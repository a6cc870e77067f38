package sink_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/sink"
)

// TestSpoolOwner holds that what is kept for one kind of sink is not given to
// another, and that a change of place is told.
func TestSpoolOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "webhook")
	var log strings.Builder
	c := spoolConfig(dir)
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	c.Retry.Min, c.Retry.Max = time.Millisecond, time.Millisecond
	c.Spool.Owner = sink.Owner{Kind: "webhook", Place: "https://a.example"}
	down := &script{answer: func([]int) error { return errDown }}
	q := openInts(t, down, c)
	q.Push(t.Context(), numbers(7))
	closeQueue(t, q)
	if q.Trouble() != errDown {
		t.Errorf("trouble: %v", q.Trouble())
	}

	c.Spool.Owner = sink.Owner{Kind: "otlp", Place: "https://a.example"}
	if _, err := sink.OpenQueue[int](down, c, ten, intCodec{}); err == nil || !strings.Contains(err.Error(), "7 records in it are for webhook (https://a.example): deliver them first") {
		t.Errorf("another kind: %v", err)
	}
	all, err := sink.Spools(filepath.Dir(dir))
	want := []sink.SpoolInfo{{Directory: dir, Owner: sink.Owner{Kind: "webhook", Place: "https://a.example"}, Waiting: sink.Count{Records: 7, Bytes: 70}}}
	if d := cmp.Diff(want, all); d != "" || err != nil {
		t.Errorf("%v, %s", err, d)
	}
	if strings.Contains(log.String(), "another place") {
		t.Error(log.String())
	}

	// Who reads the directory of one alone sees the same. In use it can be looked at, too.
	c.Spool.Owner = sink.Owner{Kind: "webhook", Place: "https://b.example"}
	q = openInts(t, down, c)
	if !strings.Contains(log.String(), "kept_for=https://a.example to=https://b.example") {
		t.Error(log.String())
	}
	want[0].Owner.Place = "https://b.example"
	all, err = sink.Spools(dir)
	if d := cmp.Diff(want, all); d != "" || err != nil {
		t.Errorf("%v, %s", err, d)
	}
	closeQueue(t, q)

	// An owner that is torn, and the spool of a version without one, are anybody's.
	for _, text := range []string{`{"kind":"web`, ""} {
		if err := os.WriteFile(filepath.Join(dir, "owner"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err = sink.Spools(dir)
		if err != nil || all[0].Owner.String() != "a sink that is not known" || all[0].Waiting.Records != 7 {
			t.Errorf("%v, %v", err, all)
		}
	}
	up := &script{answer: func([]int) error { return nil }}
	q = openInts(t, up, c)
	for q.Stats().Spooled.Records > 0 {
		time.Sleep(time.Millisecond)
	}
	closeQueue(t, q)
	inOrder(t, up.got, 7)
	if q.Trouble() != nil {
		t.Errorf("trouble: %v", q.Trouble())
	}
	all, err = sink.Spools(dir)
	if err != nil || all[0].Waiting.Records != 0 || all[0].Owner.Kind != "webhook" {
		t.Errorf("%v, %v", err, all)
	}

	// What is empty takes another owner.
	c.Spool.Owner = sink.Owner{Kind: "otlp"}
	closeQueue(t, openInts(t, up, c))
	if _, err := sink.Spools(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there has no error")
	}
}

// TestSpoolsChangesNothing looks at a spool with a torn end, partly delivered.
func TestSpoolsChangesNothing(t *testing.T) {
	dir := t.TempDir()
	c := spoolConfig(dir)
	c.Records, c.Retry.Min, c.Retry.Max = 10, time.Millisecond, time.Millisecond
	q := openInts(t, &script{answer: func([]int) error { return errDown }}, c)
	q.Push(t.Context(), numbers(100))
	closeQueue(t, q)
	left := 3
	q = openInts(t, &script{answer: func([]int) error {
		if left--; left < 0 {
			return errDown
		}
		return nil
	}}, c)
	for q.Stats().Retries == 0 {
		time.Sleep(time.Millisecond)
	}
	closeQueue(t, q)
	name := segments(t, dir)[0]
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("torn"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all, err := sink.Spools(dir)
	if err != nil || len(all) != 1 || all[0].Waiting.Records != 70 {
		t.Errorf("%v, %+v", err, all)
	}
	if after, err := os.ReadFile(name); err != nil || string(after) != string(before) {
		t.Errorf("it was changed: %v", err)
	}
}
