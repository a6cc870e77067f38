package sink

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// textCodec writes texts with a mark before them.
type textCodec struct{}

func (textCodec) Append(dst []byte, v string) []byte { return append(append(dst, 't'), v...) }

func (textCodec) Decode(b []byte) (string, error) {
	if len(b) == 0 || b[0] != 't' {
		return "", errors.New("not a text")
	}
	return string(b[1:]), nil
}

// texts is a sink for texts.
type texts struct {
	mu   sync.Mutex
	down bool
	got  []string
}

func (s *texts) Write(_ context.Context, batch []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errors.New("down")
	}
	s.got = append(s.got, batch...)
	return nil
}

func (s *texts) Close(context.Context) error { return nil }

func textConfig(dir string) QueueConfig {
	c := DefaultQueueConfig()
	c.Retry.Min, c.Retry.Max = time.Millisecond, time.Millisecond
	c.Spool.Directory = dir
	return c
}

func weighText(v string) (int64, int64) { return 1, int64(len(v)) + 16 }

// spoolTexts leaves texts in a spool's only segment and returns its name.
func spoolTexts(t *testing.T, dir string, all ...string) string {
	t.Helper()
	q, err := OpenQueue[string](&texts{down: true}, textConfig(dir), weighText, textCodec{})
	if err != nil {
		t.Fatal(err)
	}
	q.Push(t.Context(), all)
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if len(names) != 1 {
		t.Fatal(names)
	}
	return names[0]
}

func drain(t *testing.T, dir string) ([]string, Stats) {
	t.Helper()
	to := &texts{}
	q, err := OpenQueue[string](to, textConfig(dir), weighText, textCodec{})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := q.Stats()
	lost := st.Lost()
	if st.Recovered.Records != st.Written.Records+lost.Records {
		t.Fatalf("%+v", st)
	}
	return to.got, st
}

var words = []string{"", "one", "two and more", "three", "the last of all these"}

// Wherever the end of a segment is torn off, what was whole before it comes out,
// and nothing else.
func TestSpoolTorn(t *testing.T) {
	whole, err := os.ReadFile(spoolTexts(t, t.TempDir(), words...))
	if err != nil {
		t.Fatal(err)
	}
	ends := []int64{spoolHead}
	for at := spoolHead; at < int64(len(whole)); {
		n, _ := frameLength(whole[at:])
		at += n
		ends = append(ends, at)
	}
	if len(ends) != len(words)+1 {
		t.Fatal(ends)
	}
	dir := t.TempDir()
	for n := range int64(len(whole)) {
		for _, tail := range [][]byte{nil, make([]byte, 100), []byte("\x05\x00\x00\x00abcdefgh")} {
			if err := os.WriteFile(filepath.Join(dir, "0000000000000100.segment"), append(whole[:n:n], tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			os.Remove(filepath.Join(dir, "position"))
			if n < spoolHead && tail != nil && tail[0] != 0 {
				continue // not a segment at all
			}
			got, st := drain(t, dir)
			want := 0
			for want+1 < len(ends) && ends[want+1] <= n {
				want++
			}
			if !slices.Equal(got, words[:want]) {
				t.Fatalf("torn at %d: got %q", n, got)
			}
			if torn := n + int64(len(tail)) - ends[want]; n >= spoolHead && st.Spool.Torn != torn {
				t.Fatalf("torn at %d: %d bytes cut off, want %d", n, st.Spool.Torn, torn)
			}
		}
	}
}

// Whatever byte has decayed: what comes out went in, and what is behind one bad
// record is not lost for it unless its length is what is wrong.
func TestSpoolDecay(t *testing.T) {
	whole, err := os.ReadFile(spoolTexts(t, t.TempDir(), words...))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	short := 0
	for n := spoolHead; n < int64(len(whole)); n++ {
		b := slices.Clone(whole)
		b[n] ^= 1 << (n % 8)
		if err := os.WriteFile(filepath.Join(dir, "0000000000000100.segment"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(dir, "position"))
		got, st := drain(t, dir)
		next := 0
		for _, v := range got {
			i := slices.Index(words[next:], v)
			if i < 0 {
				t.Fatalf("byte %d: %q came out", n, got)
			}
			next += i + 1
		}
		if len(got) == len(words) {
			t.Fatalf("byte %d: nobody notices", n)
		}
		if len(got) < len(words)-1 {
			short++
		} else if st.Spool.Decayed+st.Spool.Torn == 0 {
			t.Fatalf("byte %d: not counted: %+v", n, st)
		}
	}
	if most := 4*len(words) + 4; short > most { // the bytes of the lengths
		t.Errorf("%d of %d bytes cost more than their record", short, len(whole))
	}
}

// A segment that decays while the program runs costs what is left in it, counted.
func TestSpoolLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		to := &texts{down: true}
		c := textConfig(dir)
		c.Batch = 64
		q, err := OpenQueue[string](to, c, weighText, textCodec{})
		if err != nil {
			t.Fatal(err)
		}
		all := make([]string, 100)
		for i := range all {
			all[i] = "a text of some length"
		}
		q.Push(t.Context(), all)
		time.Sleep(2 * time.Second)
		names, _ := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
		b, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(names[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		to.mu.Lock()
		to.down = false
		to.mu.Unlock()
		time.Sleep(2 * time.Second)
		q.Push(t.Context(), []string{"later"})
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		st := q.Stats()
		if n := st.Dropped[SpoolLost].Records; n < 40 || n > 60 || st.Written.Records != 101-n || st.Spooled.Records != 0 || to.got[len(to.got)-1] != "later" {
			t.Errorf("%+v", st)
		}
	})
}

// A segment that cannot be opened, as where there are too many open files, is
// not lost for that: it is read when it can be, or by the next run.
func TestSpoolShut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		spoolTexts(t, dir, words...)
		var log strings.Builder
		c := textConfig(dir).filled()
		c.Log = textLog(&log)
		for _, opens := range []bool{false, true} {
			s, err := openSpool(c.Spool, c.Log, func([]byte) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			s.open = func(name string) (*os.File, error) {
				if !opens || time.Since(began) < 5*time.Second {
					return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
				}
				return os.Open(name)
			}
			to := &texts{}
			q := newQueue[string](to, c, weighText, nil, s, textCodec{})
			q.Push(t.Context(), []string{"new"})
			time.Sleep(10 * time.Second)
			if err := q.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := append(slices.Clone(words), "new", "new")
			if !opens {
				want = nil
			}
			if st := q.Stats(); !slices.Equal(to.got, want) || st.Lost() != (Count{}) || st.Spool.Errors < 4 || st.Pushed.Records+st.Recovered.Records != st.Written.Records+st.Spooled.Records {
				t.Errorf("opens %v: got %q, %+v", opens, to.got, st)
			}
		}
		if n := strings.Count(log.String(), "cannot be read"); n != 2 {
			t.Errorf("told %d times: %s", n, log.String())
		}
	})
}

// While the disk takes nothing, records stay in memory as far as its bound; when
// it takes them again, nothing is missing and nothing is torn.
func TestSpoolDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		to := &texts{down: true}
		c := textConfig(dir).filled()
		c.Bytes = 10_000
		s, err := openSpool(c.Spool, c.Log, func([]byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		var full bool
		var mu sync.Mutex
		s.write = func(f *os.File, b []byte, at int64) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			if full {
				n, _ := f.WriteAt(b[:len(b)/2], at)
				return n, syscall.ENOSPC
			}
			return f.WriteAt(b, at)
		}
		fill := func(on bool) {
			mu.Lock()
			defer mu.Unlock()
			full = on
		}
		q := newQueue[string](to, c, weighText, nil, s, textCodec{})
		n := 0
		var want []string
		push := func(k int) {
			for range k {
				v := string(rune('a'+n%26)) + string(make([]byte, n%50))
				n++
				before := q.Stats()
				q.Push(t.Context(), []string{v})
				if q.Stats().Dropped == before.Dropped {
					want = append(want, v)
				}
			}
		}
		push(50)
		time.Sleep(2 * time.Second)
		fill(true)
		push(50)
		time.Sleep(5 * time.Second)
		if st := q.Stats(); st.Depth.Records != 50 || st.Spooled.Records != 50 || st.Spool.Errors < 5 || st.Spool.Errors > 12 {
			t.Errorf("%+v", st)
		}
		push(500) // more than there is room for
		if st := q.Stats(); st.Dropped[Full].Records == 0 || st.Depth.Bytes > c.Bytes {
			t.Errorf("%+v", st)
		}
		fill(false)
		time.Sleep(5 * time.Second)
		if st := q.Stats(); st.Depth.Records != 0 {
			t.Errorf("%+v", st)
		}
		push(50)
		fill(true)
		time.Sleep(5 * time.Second)
		fill(false)
		to.mu.Lock()
		to.down = false
		to.mu.Unlock()
		time.Sleep(5 * time.Second)
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(to.got, want) {
			t.Errorf("got %d, want %d", len(to.got), len(want))
		}
		// A disk that is full at the end is an error that says what it cost.
		to.down = true
		if s, err = openSpool(c.Spool, c.Log, func([]byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
		s.write = func(*os.File, []byte, int64) (int, error) { return 0, syscall.ENOSPC }
		q = newQueue[string](to, c, weighText, nil, s, textCodec{})
		q.Push(t.Context(), []string{"lost"})
		if err := q.Close(t.Context()); err == nil {
			t.Error("no error")
		}
		if st := q.Stats(); st.Dropped[Undelivered].Records != 1 || st.Depth.Records != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// Each of the two slots may be torn, or from long ago.
func TestSpoolPosition(t *testing.T) {
	dir := t.TempDir()
	s := &spool{config: SpoolConfig{Directory: dir}}
	if p, err := s.openPosition(); err != nil || p != (spot{}) {
		t.Fatal(p, err)
	}
	for i := range int64(5) {
		if err := s.settleTo(spot{segment: 7, end: i}); err != nil {
			t.Fatal(err)
		}
	}
	s.position.Close()
	name := filepath.Join(dir, "position")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		c := slices.Clone(b)
		c[i] ^= 0x10
		if err := os.WriteFile(name, c, 0o600); err != nil {
			t.Fatal(err)
		}
		s := &spool{config: SpoolConfig{Directory: dir}}
		p, err := s.openPosition()
		s.position.Close()
		if want := int64(4 - i/slotBytes); err != nil || p.segment != 7 || p.end != want && p.end != 7-want {
			t.Fatal(i, p, err)
		}
	}
	for n := range b {
		if err := os.WriteFile(name, b[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		s := &spool{config: SpoolConfig{Directory: dir}}
		if p, err := s.openPosition(); err != nil || p.end > 4 {
			t.Fatal(n, p, err)
		}
		s.position.Close()
	}
}
