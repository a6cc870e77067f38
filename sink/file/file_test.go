package file_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/file"
	"github.com/passiflow/passiflow/sink/sinktest"
)

func TestSink(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Place {
		c := file.DefaultConfig()
		c.Path = filepath.Join(t.TempDir(), "records")
		s, err := file.Open(c, sinktest.Format{})
		if err != nil {
			t.Fatal(err)
		}
		return sinktest.Place{Sink: s, Received: func() []string {
			b, err := os.ReadFile(c.Path)
			if err != nil {
				t.Fatal(err)
			}
			return sinktest.Lines(b)
		}}
	})
}

func TestAppendAndReplace(t *testing.T) {
	c := file.DefaultConfig()
	c.Path = filepath.Join(t.TempDir(), "records")
	for _, step := range []struct {
		replace bool
		want    string
	}{{false, "/a\n"}, {false, "/a\n/a\n"}, {true, "/a\n"}} {
		c.Replace = step.replace
		s, err := file.Open(c, sinktest.Format{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), []*message.Exchange{{Flow: &flow.Flow{}, Request: &message.Message{Target: "/a"}}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(c.Path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(step.want, string(got)); d != "" {
			t.Error(d)
		}
	}
	if info, err := os.Stat(c.Path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
}

func TestOpenFaults(t *testing.T) {
	for _, path := range []string{"", filepath.Join(t.TempDir(), "none", "x")} {
		_, err := file.Open(file.Config{Path: path}, sinktest.Format{})
		if err == nil || !strings.HasPrefix(err.Error(), "open output file: ") {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestShapes(t *testing.T) {
	for name, change := range map[string]func(*file.Config){
		"gzip":   func(c *file.Config) { c.Compress = "gzip" },
		"zstd":   func(c *file.Config) { c.Compress = "zstd" },
		"atomic": func(c *file.Config) { c.Atomic, c.Sync = true, true },
		"rotate": func(c *file.Config) { c.RotateBytes = 50_000 },
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Place {
				c := file.DefaultConfig()
				c.Path = filepath.Join(t.TempDir(), "records")
				change(&c)
				s, err := file.Open(c, sinktest.Format{})
				if err != nil {
					t.Fatal(err)
				}
				return sinktest.Place{Sink: s, Received: func() []string {
					all, err := filepath.Glob(c.Path + "*")
					if err != nil {
						t.Fatal(err)
					}
					var text []byte
					for _, path := range all {
						f, err := os.Open(path)
						if err != nil {
							t.Fatal(err)
						}
						defer f.Close()
						in := io.Reader(f)
						switch name {
						case "gzip":
							in, err = gzip.NewReader(f)
						case "zstd":
							in, err = zstd.NewReader(f)
						}
						if err != nil {
							t.Fatal(err)
						}
						b, err := io.ReadAll(in)
						if err != nil {
							t.Fatal(err)
						}
						text = append(text, b...)
					}
					return sinktest.Lines(text)
				}}
			})
		})
	}
}

func TestAtomic(t *testing.T) {
	c := file.DefaultConfig()
	c.Path, c.Atomic = filepath.Join(t.TempDir(), "records.gz"), true
	for i, replace := range []bool{false, false, true, false} {
		c.Replace = replace
		s, err := file.Open(c, sinktest.Format{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(c.Path); err == nil != (replace && i > 0) {
			t.Errorf("run %d: the part is where the whole should be", i)
		}
		if _, err := file.Open(c, sinktest.Format{}); err == nil || !strings.Contains(err.Error(), "it is being written already, here or by another program") {
			t.Errorf("opened twice: %v", err)
		}
		if i > 0 { // the first run writes nothing, and leaves a file
			if err := s.Write(t.Context(), []*message.Exchange{{Flow: &flow.Flow{}, Request: &message.Message{Target: "/a"}}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(c.Path)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		f.Close()
		if want := [...]string{"", "/a\n", "/a\n", "/a\n/a\n"}[i]; err != nil || string(got) != want {
			t.Errorf("run %d: %q %v", i, got, err)
		}
	}
}

func TestTornTailIsCut(t *testing.T) {
	c := file.DefaultConfig()
	c.Path = filepath.Join(t.TempDir(), "records")
	for text, want := range map[string]string{
		"/a\n" + `{"schema":"passiflow.exchange/1","id":"00`: "/a\n/c\n",
		"/a\n" + `{"sch`:                   "/a\n/c\n",
		`{"receiver":{"ip":"10.0.0.1","po`: "/c\n",
		"/a\n":                             "/a\n/c\n",
		"somebody's notes":                 "somebody's notes\n/c\n", // not ours to cut
		`{"a":1}`:                          `{"a":1}` + "\n/c\n",
	} {
		if err := os.WriteFile(c.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := file.Open(c, sinktest.Format{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), []*message.Exchange{{Flow: &flow.Flow{}, Request: &message.Message{Target: "/c"}}}); err != nil {
			t.Fatal(err)
		}
		s.Close(t.Context())
		if got, _ := os.ReadFile(c.Path); string(got) != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestNoRegularFile(t *testing.T) {
	c := file.DefaultConfig()
	c.Path = "/dev/full"
	if _, err := os.Stat(c.Path); err != nil {
		t.Skip(err)
	}
	s, err := file.Open(c, sinktest.Format{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), []*message.Exchange{{Flow: &flow.Flow{}, Request: &message.Message{Target: "/c"}}}); !sink.IsBroken(err) {
		t.Errorf("%v", err)
	}
}
