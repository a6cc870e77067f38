//go:build unix

package sink

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// A process that spools during an outage is killed 200 times: half of the times
// at a random byte of what it writes to the spool, half of the times at a random
// moment. Of what it knew to be out of its memory nothing is lost, and what comes
// out of the spool is whole and in order.
func TestKill(t *testing.T) {
	if spec := os.Getenv("PASSIFLOW_TEST_KILL"); spec != "" {
		var v victim
		if _, err := fmt.Sscan(spec, &v.run, &v.at, &v.seed); err != nil {
			t.Fatal(err)
		}
		v.dir = os.Getenv("PASSIFLOW_TEST_KILL_DIR")
		t.Fatal(v.live()) // only a victim that was not killed comes back
	}
	kills := 200
	if testing.Short() {
		kills = 20
	}
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	acked := make([]int64, kills)
	torn := 0
	for run := range kills {
		at := int64(0)
		if run%2 == 0 {
			at = 1 + r.Int64N(400_000)
		}
		c := exec.Command(os.Args[0], "-test.run=^TestKill$", "-test.timeout=5m")
		c.Env = append(os.Environ(), fmt.Sprintf("PASSIFLOW_TEST_KILL=%d %d %d", run, at, r.Uint32()), "PASSIFLOW_TEST_KILL_DIR="+dir)
		var said bytes.Buffer
		c.Stdout, c.Stderr = &said, &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if at == 0 {
			name := filepath.Join(dir, "ready"+strconv.Itoa(run))
			_, err := os.Stat(name)
			for end := time.Now().Add(time.Minute); err != nil && time.Now().Before(end); _, err = os.Stat(name) {
				time.Sleep(time.Millisecond)
			}
			if err != nil {
				_ = c.Process.Kill()
				_ = c.Wait()
				t.Fatalf("victim %d was not ready: %v\n%s", run, err, said.String())
			}
			time.Sleep(time.Duration(r.IntN(40_000)) * time.Microsecond)
			_ = c.Process.Kill()
		}
		err := c.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("victim %d was not killed: %v\n%s", run, err, said.String())
		}
		b, err := os.ReadFile(filepath.Join(dir, "acked"+strconv.Itoa(run)))
		if err != nil || len(b) != 8 {
			t.Fatalf("%v: %d bytes", err, len(b))
		}
		acked[run] = int64(binary.LittleEndian.Uint64(b))
	}
	// What is left comes out when the sink is well.
	v := victim{dir: dir}
	out, err := os.OpenFile(filepath.Join(dir, "delivered"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	q, err := OpenRecords(&weakSink{out: out, takes: 1}, v.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := q.Stats(); st.Spooled.Records != 0 || st.Dropped[SpoolLost].Records != 0 || st.Spool.Decayed != 0 {
		t.Errorf("%+v", st)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]map[int64]int, kills)
	for ; len(b) >= 8; b = b[8:] {
		id := int64(binary.LittleEndian.Uint64(b))
		if id < 0 {
			t.Fatalf("a record came out that did not go in: %d", id)
		}
		run, n := id>>32, id&(1<<32-1)
		if seen[run] == nil {
			seen[run] = map[int64]int{}
		}
		seen[run][n]++
	}
	records, twice := 0, 0
	for run, all := range seen {
		for n := range acked[run] {
			if all[n] == 0 {
				t.Fatalf("victim %d: record %d of %d that were out of its memory is lost", run, n, acked[run])
			}
		}
		for n := range int64(len(all)) {
			if all[n] == 0 {
				t.Fatalf("victim %d: record %d is missing between others", run, n)
			}
			records++
			if all[n] > 1 {
				twice++
			}
		}
	}
	for run := range kills {
		if strings.Contains(readText(t, filepath.Join(dir, "log"+strconv.Itoa(run))), "torn") {
			torn++
		}
	}
	t.Logf("%d kills, %d torn ends, %d records, %d of them delivered twice", kills, torn, records, twice)
	if torn < kills/10 || records < kills {
		t.Error("the kills hit nothing")
	}
}

func readText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// victim is the process that is killed.
type victim struct {
	dir  string
	run  int
	at   int64 // byte written to the spool at which it kills itself; 0: it is killed
	seed uint64
}

func (v *victim) config() QueueConfig {
	c := DefaultQueueConfig()
	c.Retry.Min, c.Retry.Max = time.Millisecond, 3*time.Millisecond
	c.Spool.Directory = filepath.Join(v.dir, "spool")
	c.Spool.Segment, c.Spool.Sync = 64<<10, 4*time.Millisecond
	return c
}

func (v *victim) live() error {
	log, err := os.Create(filepath.Join(v.dir, "log"+strconv.Itoa(v.run)))
	if err != nil {
		return err
	}
	ack, err := os.Create(filepath.Join(v.dir, "acked"+strconv.Itoa(v.run)))
	if err != nil {
		return err
	}
	if _, err := ack.WriteAt(make([]byte, 8), 0); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(v.dir, "delivered"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(v.seed, 1))
	takes := 0.0
	if r.IntN(2) == 0 {
		takes = r.Float64() / 3
	}
	c := v.config().filled()
	var codec message.ExchangeCodec
	s, err := openSpool(c.Spool, textLog(log), func(b []byte) error { _, err := codec.Decode(b); return err })
	if err != nil {
		return err
	}
	var written atomic.Int64
	s.write = func(f *os.File, b []byte, at int64) (int, error) {
		if v.at > 0 && written.Load()+int64(len(b)) >= v.at {
			if _, err := f.WriteAt(b[:v.at-written.Load()], at); err != nil {
				return 0, err
			}
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				return 0, err
			}
			select {}
		}
		written.Add(int64(len(b)))
		return f.WriteAt(b, at)
	}
	q := newQueue[*message.Exchange](&weakSink{out: out, takes: takes, random: rand.New(rand.NewPCG(v.seed, 2))}, c, WeighExchange, nil, s, codec)
	if err := os.WriteFile(filepath.Join(v.dir, "ready"+strconv.Itoa(v.run)), nil, 0o600); err != nil {
		return err
	}
	var n int64
	for began := time.Now(); time.Since(began) < 2*time.Minute; {
		for range r.IntN(20) {
			q.Push(context.Background(), []*message.Exchange{numbered(int64(v.run)<<32 | n)})
			n++
		}
		time.Sleep(200 * time.Microsecond)
		// Records leave the memory in order.
		st := q.Stats()
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(st.Pushed.Records-st.Depth.Records))
		if _, err := ack.WriteAt(b[:], 0); err != nil {
			return err
		}
	}
	return errors.New("it lives")
}

// weakSink takes some batches and appends the numbers of their records to a file;
// -1 for one that is not what was pushed.
type weakSink struct {
	out    *os.File
	takes  float64
	random *rand.Rand
}

func (s *weakSink) Write(_ context.Context, batch []*message.Exchange) error {
	if s.takes < 1 && s.random.Float64() >= s.takes {
		return errors.New("down")
	}
	var b []byte
	for _, x := range batch {
		id := int64(x.Flow.ID)
		var codec message.ExchangeCodec
		if !bytes.Equal(codec.Append(nil, x), codec.Append(nil, numbered(id))) {
			id = -1
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(id))
	}
	_, err := s.out.Write(b)
	return err
}

func (s *weakSink) Close(context.Context) error { return nil }

// numbered makes a record all of which follows from id.
func numbered(id int64) *message.Exchange {
	r := rand.New(rand.NewPCG(uint64(id), 3))
	body := make([]byte, r.IntN(600))
	for i := range body {
		body[i] = byte(r.Uint32())
	}
	return &message.Exchange{Protocol: "http", Flow: &flow.Flow{ID: uint64(id), Transport: packet.TCP,
		Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("[fd00::2]:80")},
		Request:  &message.Message{Op: "POST", Target: "/" + strconv.FormatInt(id, 10), Fields: []message.Field{{Name: "Host", Value: "h"}}, Body: body, Size: int64(len(body))},
		Response: &message.Message{From: flow.Server, Status: "200", Body: []byte("ok"), Size: 2}}
}
