package file

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/sinktest"
)

// full is a file on a disk that is full now and then: a write takes a part of
// its bytes, and cutting them off may fail at first.
type full struct {
	handle
	r     *rand.Rand
	share float64
}

var errFull = errors.New("no space left")

func (f *full) Write(b []byte) (int, error) {
	if f.r.Float64() < f.share {
		n, _ := f.handle.Write(b[:f.r.IntN(len(b)+1)])
		return n, errFull
	}
	return f.handle.Write(b)
}

func (f *full) Stat() (os.FileInfo, error) {
	if f.r.Float64() < f.share/4 {
		return nil, errFull
	}
	return f.handle.Stat()
}

func (f *full) Truncate(n int64) error {
	if f.r.Float64() < f.share {
		return errFull
	}
	return f.handle.Truncate(n)
}

// read returns what path holds, read by decoders that know nothing of pack.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case strings.Contains(path, ".gz"):
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	case strings.Contains(path, ".zst"):
		z, err := zstd.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return string(b)
}

func record(i int) *message.Exchange {
	return &message.Exchange{Flow: &flow.Flow{}, Request: &message.Message{Target: fmt.Sprintf("/%d/%s", i, strings.Repeat("x", i%700))}}
}

func TestNoRecordIsTorn(t *testing.T) {
	for _, ending := range []string{"", ".gz", ".zst"} {
		for seed := range uint64(20) {
			r := rand.New(rand.NewPCG(seed, 1))
			c := DefaultConfig()
			c.Path = filepath.Join(t.TempDir(), "records.ndjson"+ending)
			opened, err := Open(c, sinktest.Format{})
			if err != nil {
				t.Fatal(err)
			}
			s := opened.(*file)
			broken := &full{s.f, r, 0.4}
			s.f = broken
			var want strings.Builder
			for i := 0; i < 3000; {
				var batch []*message.Exchange
				for range 1 + r.IntN(900) {
					batch = append(batch, record(i))
					want.WriteString(batch[len(batch)-1].Request.Target + "\n")
					i++
				}
				for len(batch) > 0 {
					err := s.Write(t.Context(), batch)
					if err == nil {
						break
					}
					if !errors.Is(err, errFull) || sink.IsPermanent(err) || sink.IsBroken(err) {
						t.Fatal(err)
					}
					batch = batch[sink.Delivered(err):]
				}
			}
			for s.f != nil {
				if err := s.finish(); err != nil && !errors.Is(err, errFull) {
					t.Fatal(err)
				}
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := read(t, c.Path); got != want.String() {
				t.Fatalf("%q, seed %d: %d bytes, want %d", ending, seed, len(got), want.Len())
			}
		}
	}
}

// TestKilled cuts a file anywhere, as a crash of the machine does, and opens it
// again: what was whole is there, and more goes behind it.
func TestKilled(t *testing.T) {
	for _, ending := range []string{"", ".gz", ".zst"} {
		c := DefaultConfig()
		c.Path = filepath.Join(t.TempDir(), "records.ndjson"+ending)
		c.Atomic = true
		opened, err := Open(c, sinktest.Format{})
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		ends := []int64{0} // of the file, after so many records
		for i := range 50 {
			if err := opened.Write(t.Context(), []*message.Exchange{record(i)}); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, record(i).Request.Target)
			size, _ := opened.(*file).size()
			ends = append(ends, size)
		}
		all, err := os.ReadFile(c.Path + part)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(7, 7))
		for range 60 {
			at := r.Int64N(int64(len(all)) + 1)
			whole := 0
			for whole < 50 && ends[whole+1] <= at {
				whole++
			}
			c := c
			c.Path = filepath.Join(t.TempDir(), "records.ndjson"+ending)
			if err := os.WriteFile(c.Path+part, all[:at], 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(c, sinktest.Format{})
			if err != nil {
				t.Fatalf("%q cut at %d: %v", ending, at, err)
			}
			if err := s.Write(t.Context(), []*message.Exchange{record(999)}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := strings.Split(strings.TrimSuffix(read(t, c.Path), "\n"), "\n")
			if len(got) < whole+1 {
				t.Fatalf("%q cut at %d: %d records, %d were whole", ending, at, len(got)-1, whole)
			}
			if d := cmp.Diff(append(lines[:len(got)-1:len(got)-1], record(999).Request.Target), got); d != "" {
				t.Fatalf("%q cut at %d: %s", ending, at, d)
			}
			if left, _ := filepath.Glob(c.Path + ".*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		}
		opened.Close(t.Context())
	}
}
