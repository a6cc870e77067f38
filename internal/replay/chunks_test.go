package replay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/format/record"
	"github.com/passiflow/passiflow/internal/replay"
	"github.com/passiflow/passiflow/sink/shadow/diff"
)

// mirrored is a file in the record format in the making.
type mirrored struct {
	t   testing.TB
	at  time.Time
	out []byte
}

func (m *mirrored) say(from, to, data string) {
	m.t.Helper()
	m.at = m.at.Add(time.Millisecond)
	var err error
	if m.out, err = record.Append(m.out, &record.Record{Time: m.at, Type: record.TCP, From: from, To: to, Data: []byte(data)}); err != nil {
		m.t.Fatal(err)
	}
}

func TestMirrored(t *testing.T) {
	const service = "10.1.0.1:80"
	for _, both := range []bool{true, false} {
		m := &mirrored{t: t, at: time.Unix(1767323045, 0)}
		reply := func(to, data string) {
			if both {
				m.say(service, to, data)
			}
		}
		want := map[string][]string{}
		for k := range 3 {
			for i := range 5 {
				client := fmt.Sprintf("10.0.0.%d:4000", i+1)
				// A head whose lines begin with t, in two pieces.
				m.say(client, service, fmt.Sprintf("POST /%d/%d HTTP/1.1\r\nHost: a\r\n", i, k))
				m.say(client, service, "transfer-encoding: chunked\r\n\r\n4\r\na\ntb\r\n0\r\n\r\n")
				reply(client, answer(fmt.Sprintf("POST /%d/%d", i, k)))
				first := fmt.Sprintf("POST /%d/0 a\ntb", i)
				want[first] = append(want[first], fmt.Sprintf("POST /%d/%d a\ntb", i, k))
			}
		}
		m.say("10.0.0.9:1", "10.1.0.1:22", "SSH-2.0-OpenSSH\r\n")
		m.say("10.0.0.9:1", "10.1.0.1:22", strings.Repeat("\x00\xffnot http at all", 100))
		s := serve(t, echo)
		o := options(t, m.out, s.URL)
		o.Request.Unsafe = true
		r := run(t, o)
		if d := cmp.Diff(want, s.talks()); d != "" {
			t.Error(d)
		}
		if r.Connections != 5 || both && r.Same != 15 || !both && r.Uncompared[0] != (diff.Count{What: "no recorded answer", Count: 15}) {
			t.Errorf("%+v", r)
		}
		if len(r.Skipped) != 1 || !strings.Contains(r.Skipped[0].What, "not HTTP") {
			t.Errorf("%+v", r.Skipped)
		}
	}
}

// What a mirror makes the reader keep is bounded, be it conversations, the names
// of their ends, or messages that do not end.
func TestMirroredMemory(t *testing.T) {
	for name, fill := range map[string]func(m *mirrored){
		"conversations": func(m *mirrored) {
			for i := range 20000 {
				m.say(fmt.Sprintf("10.0.%d.%d:1", i>>8, i&255), "10.1.0.1:80", "x")
			}
		},
		"names": func(m *mirrored) {
			for i := range 20 {
				m.say(fmt.Sprintf("%d.%s:1", i, strings.Repeat("a", 1<<20)), "10.1.0.1:80", "x")
			}
		},
		"messages": func(m *mirrored) {
			for i := range 20 {
				m.say(fmt.Sprintf("10.0.0.%d:1", i), "10.1.0.1:80", "POST / HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n"+strings.Repeat("x", 1<<20))
			}
		},
	} {
		m := &mirrored{t: t, at: time.Unix(1767323045, 0)}
		fill(m)
		o := options(t, m.out, "http://127.0.0.1:1")
		o.Memory = 8 << 20
		if _, err := replay.Load(t.Context(), &o); err == nil || !strings.Contains(err.Error(), "raise --memory") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A mirror that began in the middle, and whose answers come first in the file.
func TestMirroredMid(t *testing.T) {
	m := &mirrored{t: t, at: time.Unix(1767323045, 0)}
	m.say("10.0.0.1:1", "10.1.0.1:80", "the rest of a body")
	m.say("10.1.0.1:80", "10.0.0.1:1", answer("before"))
	m.say("10.0.0.1:1", "10.1.0.1:80", "GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
	m.say("10.1.0.1:80", "10.0.0.1:1", answer("GET /a"))
	m.say("10.1.0.1:80", "10.0.0.2:1", answer("late"))
	m.say("10.0.0.2:1", "10.1.0.1:80", "GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
	m.say("10.1.0.1:80", "10.0.0.2:1", answer("GET /b"))
	s := serve(t, echo)
	o := options(t, append([]byte("noise"), m.out...), s.URL)
	if _, err := replay.Load(t.Context(), &o); err == nil {
		t.Error("noise was taken for a record") // and not for a capture
	}
	r := run(t, options(t, m.out, s.URL))
	if d := cmp.Diff(map[string][]string{"GET /a ": {"GET /a "}, "GET /b ": {"GET /b "}}, s.talks()); d != "" || r.Different != 0 {
		t.Errorf("%s\n%+v", d, r)
	}
}
