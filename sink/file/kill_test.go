package file

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/sink/sinktest"
)

// killed in the environment names the file that the test binary then writes
// until it is killed.
const killed = "PASSIFLOW_TEST_KILLED"

func TestMain(m *testing.M) {
	if path := os.Getenv(killed); path != "" {
		fmt.Println(writeForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForever is the program that TestKill kills.
func writeForever(path string) error {
	c := DefaultConfig()
	c.Path, c.RotateBytes = path, 20_000
	s, err := Open(c, sinktest.Format{})
	if err != nil {
		return err
	}
	for i := 0; ; {
		var batch []*message.Exchange
		for range 1 + i%40 {
			batch = append(batch, record(i))
			i++
		}
		if err := s.Write(context.Background(), batch); err != nil {
			return err
		}
		fmt.Printf("delivered %d\n", i)
	}
}

// TestKill kills a writer at any moment, many times: what it said was delivered
// is there, whole and in order.
func TestKill(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("long, and needs signals")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 3))
	for round := range 30 {
		ending := []string{"", ".gz", ".zst"}[round%3]
		path := filepath.Join(t.TempDir(), "out.ndjson"+ending)
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), killed+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pause := time.Duration(r.IntN(60)) * time.Millisecond
		delivered := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if n, ok := strings.CutPrefix(lines.Text(), "delivered "); ok {
				if delivered == 0 { // it may take a while to begin
					time.AfterFunc(pause, func() { _ = cmd.Process.Kill() })
				}
				delivered, _ = strconv.Atoi(n)
			}
		}
		_ = cmd.Wait()
		if delivered == 0 {
			t.Fatalf("%q: nothing was delivered", ending)
		}
		c := DefaultConfig()
		c.Path, c.RotateBytes = path, 20_000
		s, err := Open(c, sinktest.Format{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, name := range sinktest.Files(t, filepath.Dir(path)) {
			if strings.HasSuffix(name, part) {
				t.Errorf("%s is left", name)
			}
			for _, line := range strings.Split(strings.TrimSuffix(read(t, filepath.Join(filepath.Dir(path), name)), "\n"), "\n") {
				if line != record(n).Request.Target {
					t.Fatalf("%q: record %d is %.20q", ending, n, line)
				}
				n++
			}
		}
		if n < delivered {
			t.Errorf("%q: %d records, %d were delivered", ending, n, delivered)
		}
	}
}
