package replay_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/passiflow/passiflow/format/record"
	"github.com/passiflow/passiflow/internal/replay"
	"github.com/passiflow/passiflow/message"
)

// tee is a server that answers everything with 204 and keeps the bytes that came
// in the record format.
type tee struct {
	net.Listener
	mu  sync.Mutex
	out []byte
	all sync.WaitGroup
}

func newTee(t testing.TB) *tee {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &tee{Listener: l}
	go func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.all.Go(func() { s.hold(c, fmt.Sprintf("10.0.%d.%d:1", n/250, n%250)) })
		}
	}()
	t.Cleanup(func() { l.Close() })
	return s
}

func (s *tee) hold(c net.Conn, client string) {
	defer c.Close()
	var came bytes.Buffer
	in := bufio.NewReader(io.TeeReader(c, &came))
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			break
		}
		if _, err = io.Copy(io.Discard, r.Body); err != nil {
			break
		}
		if _, err = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n"); err != nil {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out, _ = record.Append(s.out, &record.Record{Time: time.Now(), Type: record.TCP, From: client, To: "10.1.0.1:80", Data: came.Bytes()})
}

// spelled spells a request out, without what frames its body.
func spelled(m *message.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/%s\n", m.Op, m.Target, m.Version)
	for _, f := range m.Fields {
		switch strings.ToLower(f.Name) {
		case "content-length", "transfer-encoding":
		default:
			fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
		}
	}
	b.Write(m.Body)
	return b.String()
}

// What arrives is what was recorded: every request of real captures, field by
// field, is the same when it is read again on the other side.
func TestCorpora(t *testing.T) {
	root := os.Getenv("PASSIFLOW_SHARED")
	if root == "" || testing.Short() {
		t.Skip("set PASSIFLOW_SHARED to the folder with the corpora")
	}
	files, requests, odd := 0, 0, 0
	err := filepath.WalkDir(filepath.Join(root, "corpora"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".pcap", ".pcapng", ".cap"}, filepath.Ext(path)) {
			return err
		}
		if fi, err := d.Info(); err != nil || fi.Size() > 4<<20 {
			return err
		}
		s := newTee(t)
		o := options(t, nil, s.Addr().String())
		o.File, o.Request.Unsafe, o.Request.AsIs, o.Timeout, o.Memory = path, true, true, 2*time.Second, 64<<20
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		r, err := replay.Load(ctx, &o)
		if err != nil || r.Sendable == 0 {
			return nil
		}
		want := r.Asked()
		report, err := r.Run(ctx)
		if ctx.Err() != nil {
			t.Errorf("%s: does not end", path)
			return nil
		}
		s.Close()
		s.all.Wait()
		again := options(t, s.out, "127.0.0.1:1")
		again.Request = o.Request
		if report.Answered < report.Sent || err != nil {
			odd++ // net/http does not take what somebody sent once
			return nil
		}
		back, err := replay.Load(ctx, &again)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		a, b := flat(want), flat(back.Asked())
		for i := range max(len(a), len(b)) {
			if i >= len(a) || i >= len(b) || a[i] != b[i] {
				t.Errorf("%s: %d and %d requests; %.300q became %.300q", path, len(a), len(b), a[min(i, len(a)-1)], b[min(i, len(b)-1)])
				break
			}
		}
		files++
		requests += len(a)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests of %d captures; %d captures with requests that the server does not take", requests, files, odd)
	if files < 20 {
		t.Errorf("only %d captures", files)
	}
}

// flat spells conversations out, in an order of their own.
func flat(all [][]*message.Message) (out []string) {
	var talks []string
	for _, c := range all {
		var b strings.Builder
		for _, m := range c {
			b.WriteString(spelled(m) + "\x00")
		}
		talks = append(talks, b.String())
	}
	slices.Sort(talks)
	for _, one := range talks {
		out = append(out, strings.Split(strings.TrimSuffix(one, "\x00"), "\x00")...)
	}
	return out
}
