package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
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
