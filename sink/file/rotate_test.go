package file

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/sinktest"
)

func TestRotateBySize(t *testing.T) {
	for _, ending := range []string{"", ".gz", ".zst"} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			c := DefaultConfig()
			c.Path, c.RotateBytes = filepath.Join(dir, "out.ndjson"+ending), 2000
			s, err := Open(c, sinktest.Format{})
			if err != nil {
				t.Fatal(err)
			}
			var want strings.Builder
			for i := range 200 {
				if err := s.Write(t.Context(), []*message.Exchange{record(i * 3), record(i*3 + 1), record(i*3 + 2)}); err != nil {
					t.Fatal(err)
				}
				for k := range 3 {
					want.WriteString(record(i*3+k).Request.Target + "\n")
				}
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			all := sinktest.Files(t, dir)
			for _, n := range all {
				path := filepath.Join(dir, n)
				if info, err := os.Stat(path); err != nil || ending == "" && info.Size() > 2000 || info.Size() == 0 {
					t.Errorf("%v %d bytes", err, info.Size())
				}
				got.WriteString(read(t, path))
			}
			if got.String() != want.String() || len(all) < 4 {
				t.Errorf("%q: %d files, %d bytes, want %d", ending, len(all), got.Len(), want.Len())
			}
			if want := "out-20000101T000000.000Z.ndjson" + ending; all[0] != want {
				t.Errorf("the first is %s, want %s", all[0], want)
			}
		})
	}
}

func TestRotateByTimeAndKeep(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"all":   {func(*Config) {}, []string{"00", "01", "02", "03", "05"}},
		"files": {func(c *Config) { c.KeepFiles = 2 }, []string{"03", "05"}},
		"bytes": {func(c *Config) { c.KeepBytes = 40 }, []string{"03", "05"}},
		"age":   {func(c *Config) { c.KeepAge = 149 * time.Minute }, []string{"03", "05"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				var log strings.Builder
				fc := DefaultConfig()
				fc.Path, fc.RotateEvery, fc.Log = filepath.Join(dir, "out"), time.Hour, slog.New(slog.NewTextHandler(&log, nil))
				c.change(&fc)
				for _, other := range []string{"out", "out-20000101T000000.000Z", "out-20000101T000000.000Z.bak", "outer-19990101T000000.000Z"} {
					if other != "out-20000101T000000.000Z" {
						os.WriteFile(filepath.Join(dir, other), []byte("not ours\n"), 0o600)
					}
				}
				s, err := Open(fc, sinktest.Format{})
				if err != nil {
					t.Fatal(err)
				}
				for i := range 9 { // 0:00, 0:30, … 3:30, and 5:00 after a silence
					if i == 8 {
						time.Sleep(time.Hour)
					}
					if err := s.Write(t.Context(), []*message.Exchange{record(i)}); err != nil {
						t.Fatal(err)
					}
					// The clock of the file system does not know the test's.
					now := time.Now()
					if parts, _ := filepath.Glob(filepath.Join(dir, "*"+part)); len(parts) == 1 {
						os.Chtimes(parts[0], now, now)
					}
					if i < 8 {
						time.Sleep(30 * time.Minute)
					}
				}
				if err := s.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, n := range sinktest.Files(t, dir) {
					if hour, ok := strings.CutPrefix(n, "out-20000101T"); ok && !strings.HasSuffix(n, ".bak") {
						got = append(got, hour[:2])
					}
				}
				if d := cmp.Diff(c.want, got); d != "" {
					t.Errorf("%s\n%s", d, log.String())
				}
				for _, other := range []string{"out", "out-20000101T000000.000Z.bak", "outer-19990101T000000.000Z"} {
					if _, err := os.Stat(filepath.Join(dir, other)); err != nil {
						t.Error(err)
					}
				}
				if removed := strings.Count(log.String(), "msg=removed"); removed != 5-len(c.want) {
					t.Errorf("%d told as removed", removed)
				}
			})
		})
	}
}

// Behind a queue, a file is closed when its period is over although nothing
// comes, and none is left behind that is empty.
// Where the clock was set back, the files that were just closed are not taken for
// the oldest: those of an earlier run go first, then this run's as it closed them.
func TestKeepWithAnotherClock(t *testing.T) {
	dir := t.TempDir()
	later := []string{"out-20990101T000000.000Z.ndjson", "out-20990101T000000.001Z.ndjson", "out-20990102T000000.000Z.ndjson"}
	for _, name := range later {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("of a run before\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := DefaultConfig()
	c.Path, c.RotateBytes, c.KeepFiles = filepath.Join(dir, "out.ndjson"), 1, 3
	s, err := Open(c, sinktest.Format{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := s.Write(t.Context(), []*message.Exchange{{Request: &message.Message{Target: fmt.Sprint("/", i)}}}); err != nil {
			t.Fatal(err)
		}
		if i == 2 { // two of ours are closed
			if got := sinktest.Files(t, dir); len(got) != 4 || got[len(got)-1] != later[2] {
				t.Errorf("%q", got)
			}
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, name := range sinktest.Files(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, strings.TrimSpace(string(b)))
	}
	if d := cmp.Diff([]string{"/2", "/3", "/4"}, kept); d != "" {
		t.Error(d)
	}
}

func TestRotateWhileNothingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := DefaultConfig()
		c.Path, c.RotateEvery = filepath.Join(dir, "out.gz"), time.Hour
		s, err := Open(c, sinktest.Format{})
		if err != nil {
			t.Fatal(err)
		}
		q := sink.NewRecords(s, sink.DefaultQueueConfig())
		for hour := range 3 {
			q.Push(t.Context(), []*message.Exchange{record(hour)})
			time.Sleep(30 * time.Minute)
			if all := sinktest.Files(t, dir); len(all) != hour+1 || !strings.HasSuffix(all[hour], part) {
				t.Errorf("within hour %d: %v", hour, all)
			}
			time.Sleep(30*time.Minute + 2*time.Second)
			if all := sinktest.Files(t, dir); len(all) != hour+1 || strings.HasSuffix(all[hour], part) || read(t, filepath.Join(dir, all[hour])) != record(hour).Request.Target+"\n" {
				t.Errorf("after hour %d: %v", hour, all)
			}
		}
		time.Sleep(3 * time.Hour)
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all := sinktest.Files(t, dir); len(all) != 3 {
			t.Errorf("%v", all)
		}
	})
}

func TestPartsOfAnEarlierRun(t *testing.T) {
	dir := t.TempDir()
	c := DefaultConfig()
	c.Path, c.RotateEvery = filepath.Join(dir, "out.ndjson"), time.Hour
	mine := filepath.Join(dir, "out-20250101T000000.000Z.ndjson"+part)
	empty := filepath.Join(dir, "out-20250101T010000.000Z.ndjson"+part)
	busy := filepath.Join(dir, "out-20250101T020000.000Z.ndjson"+part)
	for path, text := range map[string]string{mine: "/a\n/b\n/to", empty: "/to", busy: "/x\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other, err := os.Open(busy)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := sink.LockFile(other); err != nil {
		t.Fatal(err)
	}
	s, err := Open(c, sinktest.Format{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"out-20250101T000000.000Z.ndjson", filepath.Base(busy)}, sinktest.Files(t, dir)); d != "" {
		t.Error(d)
	}
	if got := read(t, strings.TrimSuffix(mine, part)); got != "/a\n/b\n" {
		t.Errorf("%q", got)
	}
}

func TestSplit(t *testing.T) {
	for path, want := range map[string]name{
		"/d.x/out.ndjson.gz": {"/d.x/out", ".ndjson.gz"}, "out": {"out", ""}, "./.hidden": {"./.hidden", ""}, "a.b.c": {"a", ".b.c"},
		"x.a-very-long-ending-of-a-name": {"x.a-very-long-ending-of-a-name", ""},
	} {
		got := split(path)
		if got != want {
			t.Errorf("%s: %q", path, got)
		}
		now := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
		if at, ok := got.moment(got.at(now)); !ok || !at.Equal(now) {
			t.Errorf("%s: %v %v", path, at, ok)
		}
	}
}

func TestConfigFaults(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"compress \"lz\"":          func(c *Config) { c.Compress = "lz" },
		"must not be negative":     func(c *Config) { c.KeepFiles = -1 },
		"exclude each other":       func(c *Config) { c.RotateBytes, c.Replace = 1, true },
		"nothing is to be removed": func(c *Config) { c.KeepAge = 1 },
		"not compressed in this way": func(c *Config) {
			c.Path += ".gz"
			os.WriteFile(c.Path, []byte("somebody's"), 0o600)
		},
		"is no regular file": func(c *Config) { c.Path, c.Atomic = os.DevNull, true },
	} {
		c := DefaultConfig()
		c.Path = filepath.Join(t.TempDir(), "x")
		change(&c)
		if _, err := Open(c, sinktest.Format{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	if fmt.Sprint(DefaultConfig().Mode) != "-rw-------" {
		t.Error("others may read it")
	}
}
