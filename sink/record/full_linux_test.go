package record_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/record"
)

// A file that cannot grow, as on a full disk, keeps whole records alone, and
// takes more when there is room again.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	s := open(t, record.Config{Path: path, Side: "both", Mode: 0o600})
	if err := s.Write(t.Context(), []*message.Chunk{chunk(flow.Client, "one")}); err != nil {
		t.Fatal(err)
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	low := old
	low.Cur = 1000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &low); err != nil {
		t.Fatal(err)
	}
	big := chunk(flow.Client, string(make([]byte, 5000)))
	err := s.Write(t.Context(), []*message.Chunk{big})
	if e := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); e != nil {
		t.Fatal(e)
	}
	if err == nil || sink.IsPermanent(err) || sink.IsBroken(err) {
		t.Error(err)
	}
	if err := s.Write(t.Context(), []*message.Chunk{big, chunk(flow.Client, "two")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"10.0.0.1:40000 one", "10.0.0.1:40000 " + string(make([]byte, 5000)), "10.0.0.1:40000 two"}, bodies(t, b)); d != "" {
		t.Errorf("%.300s", d)
	}
}
