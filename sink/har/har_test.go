package har

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/sinktest"
)

// words writes the name of each record as a JSON string.
type words struct{ sinktest.Format }

func (words) Append(dst []byte, x *message.Exchange) []byte {
	if x.Protocol == "none" {
		return dst
	}
	return fmt.Appendf(dst, "%q", sinktest.Name(x))
}

// read returns the entries of an archive.
func read(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var h struct {
		Log struct {
			Version string
			Entries []string
		}
	}
	if err := json.Unmarshal(b, &h); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if h.Log.Version != "1.2" || h.Log.Entries == nil {
		t.Fatalf("no archive: %s", b)
	}
	return h.Log.Entries
}

func open(t *testing.T, c Config) *archive {
	t.Helper()
	s, err := Open(c, words{})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*archive)
}

func config(t *testing.T) Config {
	c := DefaultConfig()
	c.Path, c.Version = filepath.Join(t.TempDir(), "out.har"), "1.0"
	return c
}

func record(i int) *message.Exchange {
	return &message.Exchange{Flow: &flow.Flow{}, Request: &message.Message{Target: fmt.Sprintf("/%d/%s", i, strings.Repeat("x", i%700))}}
}

func TestSink(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Place {
		c := config(t)
		return sinktest.Place{Sink: open(t, c), Received: func() []string { return read(t, c.Path) }}
	})
}

func TestWholeAtAnyTime(t *testing.T) {
	c := config(t)
	var want []string
	for run := range 3 {
		s := open(t, c)
		if got := read(t, c.Path); len(got) != len(want) {
			t.Fatalf("run %d: %d entries", run, len(got))
		}
		if _, err := Open(c, words{}); err == nil || !strings.Contains(err.Error(), "it is being written already, here or by another program") {
			t.Errorf("opened twice: %v", err)
		}
		for i := range 20 {
			batch := []*message.Exchange{record(i), {Protocol: "none"}, record(i + 1)}
			if i%5 == 4 {
				batch = batch[1:2]
			}
			if err := s.Write(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			if len(batch) == 3 {
				want = append(want, record(i).Request.Target, record(i+1).Request.Target)
			}
			if d := cmp.Diff(want, read(t, c.Path)); d != "" {
				t.Fatal(d)
			}
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c.Replace = true
	s := open(t, c)
	s.Close(t.Context())
	if got := read(t, c.Path); len(got) != 0 {
		t.Errorf("%d entries are left", len(got))
	}
}

// full is a file on a disk that is full now and then.
type full struct {
	handle
	r     *rand.Rand
	grown int64 // how far it reaches: what is there already can be written over
}

var errFull = errors.New("no space left")

func (f *full) WriteAt(b []byte, at int64) (int, error) {
	if at+int64(len(b)) > f.grown && f.r.Float64() < 0.4 {
		n := max(f.grown-at, 0) + f.r.Int64N(at+int64(len(b))-f.grown)
		k, _ := f.handle.WriteAt(b[:min(n, int64(len(b)))], at)
		f.grown = max(f.grown, at+int64(k))
		return k, errFull
	}
	n, err := f.handle.WriteAt(b, at)
	f.grown = max(f.grown, at+int64(n))
	return n, err
}

func (f *full) Truncate(n int64) error { f.grown = n; return f.handle.Truncate(n) }

func TestFullDisk(t *testing.T) {
	for seed := range uint64(6) {
		c := config(t)
		s := open(t, c)
		r := rand.New(rand.NewPCG(seed, 2))
		s.f = &full{s.f, r, s.end + int64(len(ends))}
		var want []string
		failed := 0
		for i := range 200 {
			for {
				err := s.Write(t.Context(), []*message.Exchange{record(2 * i), record(2*i + 1)})
				if got := read(t, c.Path); len(got) != len(want) && err != nil {
					t.Fatalf("%d entries after an error, want %d", len(got), len(want))
				}
				if err == nil {
					break
				}
				failed++
				if !errors.Is(err, errFull) || sink.IsPermanent(err) {
					t.Fatal(err)
				}
			}
			want = append(want, record(2*i).Request.Target, record(2*i+1).Request.Target)
		}
		s.Close(t.Context())
		if d := cmp.Diff(want, read(t, c.Path)); d != "" || failed < 20 {
			t.Fatalf("seed %d: %d failures, %s", seed, failed, d)
		}
	}
}

// TestTorn cuts an archive anywhere behind its head, and puts together what a
// write that was cut off leaves.
func TestTorn(t *testing.T) {
	c := config(t)
	s := open(t, c)
	head := int(s.end)
	var states [][]byte
	var ends []int // of the entries
	var want []string
	for i := range 30 {
		s.Write(t.Context(), []*message.Exchange{record(i)})
		b, _ := os.ReadFile(c.Path)
		states, ends = append(states, b), append(ends, int(s.end))
		want = append(want, record(i).Request.Target)
	}
	s.Close(t.Context())
	check := func(b []byte, least int) {
		t.Helper()
		c := config(t)
		if err := os.WriteFile(c.Path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, c)
		got := read(t, c.Path)
		if len(got) < least {
			t.Fatalf("%d entries are left, %d were whole", len(got), least)
		}
		if d := cmp.Diff(want[:len(got):len(got)], got); len(got) > 0 && d != "" {
			t.Fatal(d)
		}
		if err := s.Write(t.Context(), []*message.Exchange{record(3)}); err != nil {
			t.Fatal(err)
		}
		s.Close(t.Context())
		if again := read(t, c.Path); len(again) != len(got)+1 {
			t.Fatalf("%d entries", len(again))
		}
	}
	all := states[29]
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		at := head + r.IntN(len(all)-head)
		whole := 0
		for whole < 30 && ends[whole] <= at {
			whole++
		}
		check(all[:at], whole)
	}
	for i := 1; i < 30; i++ {
		for _, n := range []int{1, 2, 3, 5, 9} { // so much of the write came through
			at := ends[i-1] + n
			check(append(append([]byte{}, states[i][:at]...), states[i-1][min(at, len(states[i-1])):]...), i)
		}
	}
}

func TestNext(t *testing.T) {
	c := config(t)
	c.RotateBytes = 3000
	os.WriteFile(filepath.Join(filepath.Dir(c.Path), "out-3.har"), []byte("not ours"), 0o600)
	s := open(t, c)
	for i := range 40 {
		if err := s.Write(t.Context(), []*message.Exchange{record(i * 10)}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close(t.Context())
	n, files := 0, 0
	for k := range 20 {
		path := s.path(k + 1)
		info, err := os.Stat(path)
		if err != nil || k == 2 {
			continue
		}
		if info.Size() > c.RotateBytes {
			t.Errorf("%s has %d bytes", path, info.Size())
		}
		for _, e := range read(t, path) {
			if e != record(n*10).Request.Target {
				t.Fatalf("%s: entry %d is %s", path, n, e)
			}
			n++
		}
		files++
	}
	if n != 40 || files < 3 {
		t.Errorf("%d entries in %d files", n, files)
	}
}

func TestFaults(t *testing.T) {
	other := filepath.Join(t.TempDir(), "x.har")
	os.WriteFile(other, []byte(`{"log":{}}`), 0o600)
	headless := filepath.Join(t.TempDir(), "y.har")
	os.WriteFile(headless, []byte(begins+`"1"`), 0o600)
	for want, change := range map[string]func(*Config){
		"no path given":              func(c *Config) { c.Path = "" },
		"must be at least 1":         func(c *Config) { c.RotateBytes = 0 },
		"no archive of this program": func(c *Config) { c.Path = other },
		"its head is not whole":      func(c *Config) { c.Path = headless },
		"is no regular file":         func(c *Config) { c.Path = os.DevNull },
		"no such file":               func(c *Config) { c.Path = "/none/x" },
	} {
		c := config(t)
		change(&c)
		if _, err := Open(c, words{}); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "open archive: ") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if b, _ := os.ReadFile(other); string(b) != `{"log":{}}` {
		t.Error("another's file was changed")
	}
}

// unsafeDisk does not say that it has what it was given.
type unsafeDisk struct{ handle }

func (unsafeDisk) Sync() error { return errFull }

// An archive that cannot be closed well is closed all the same: the next takes
// its place, once.
func TestRotateOnBadDisk(t *testing.T) {
	c := config(t)
	c.RotateBytes = 2000
	s := open(t, c)
	s.f = unsafeDisk{s.f}
	for i := range 10 {
		if err := s.Write(t.Context(), []*message.Exchange{record(300 + i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, _ := filepath.Glob(filepath.Join(filepath.Dir(c.Path), "*"))
	n := 0
	for _, path := range all {
		n += len(read(t, path))
	}
	if len(all) != 2 || n != 10 {
		t.Errorf("%d entries in %v", n, all)
	}
}

// What another program is writing stays as it is.
func TestRotateBesideOthers(t *testing.T) {
	c := config(t)
	c.RotateBytes, c.Replace = 500, true
	s := open(t, c)
	defer s.Close(t.Context())
	other := c
	other.Path = s.path(2)
	o := open(t, other)
	defer o.Close(t.Context())
	if err := o.Write(t.Context(), []*message.Exchange{record(1)}); err != nil {
		t.Fatal(err)
	}
	var err error
	for i := 0; err == nil && i < 10; i++ {
		err = s.Write(t.Context(), []*message.Exchange{record(300)})
	}
	if got := read(t, other.Path); err == nil || len(got) != 1 {
		t.Errorf("%d entries are left of the other's, error %v", len(got), err)
	}
}
