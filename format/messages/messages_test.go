package messages_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format/messages"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

var (
	start = packet.Time(time.Date(2025, 2, 21, 12, 0, 0, 999999, time.UTC).UnixNano())
	ends  = &flow.Flow{Client: netip.MustParseAddrPort("10.0.0.2:45678"), Server: netip.MustParseAddrPort("10.0.0.1:8080")}
)

const head = `{"receiver":{"ip":"10.0.0.1","port":8080},"destination":{"ip":"10.0.0.2","port":45678},`

func TestMessages(t *testing.T) {
	request := func(change func(*message.Message)) *message.Exchange {
		m := &message.Message{Start: start, Op: "GET", Target: "/api/health?x=1",
			Fields: []message.Field{{Name: "Host", Value: "localhost:8080"}, {Name: "ACCEPT", Value: "*/*"}}}
		change(m)
		return &message.Exchange{Flow: ends, Protocol: "http", Request: m}
	}
	for name, c := range map[string]struct {
		x    *message.Exchange
		want string
	}{
		"request": {request(func(*message.Message) {}),
			`"direction":"request","method":"GET","path":"/api/health?x=1","headers":{"host":"localhost:8080","accept":"*/*"},"timestamp":"2025-02-21T12:00:00.000Z"}` + "\n"},
		"last header wins": {request(func(m *message.Message) { m.Fields = append(m.Fields, message.Field{Name: "host", Value: "b"}) }),
			`"direction":"request","method":"GET","path":"/api/health?x=1","headers":{"accept":"*/*","host":"b"},"timestamp":"2025-02-21T12:00:00.000Z"}` + "\n"},
		"body": {request(func(m *message.Message) { m.Fields, m.Body = nil, []byte("é\"\n") }),
			`"direction":"request","method":"GET","path":"/api/health?x=1","headers":{},"body":"é\"\n","timestamp":"2025-02-21T12:00:00.000Z"}` + "\n"},
		"truncated": {request(func(m *message.Message) { m.Fields, m.Body, m.Marks = nil, []byte("a\xc3"), message.BodyTruncated }),
			`"direction":"request","method":"GET","path":"/api/health?x=1","headers":{},"body":"a","bodyTruncated":true,"timestamp":"2025-02-21T12:00:00.000Z"}` + "\n"},
		"binary": {request(func(m *message.Message) { m.Fields, m.Body = nil, []byte{0xff, 0} }),
			`"direction":"request","method":"GET","path":"/api/health?x=1","headers":{},"bodyEncoding":"binary","timestamp":"2025-02-21T12:00:00.000Z"}` + "\n"},
		"gap": {request(func(m *message.Message) { m.Fields, m.Lost = nil, 3 }),
			`"direction":"request","method":"GET","path":"/api/health?x=1","headers":{},"bodyTruncated":true,"timestamp":"2025-02-21T12:00:00.000Z"}` + "\n"},
		"response": {&message.Exchange{Flow: ends, Protocol: "http", Response: &message.Message{Start: start, Status: "404", Reason: "Not Found", Body: []byte("x")}},
			`"direction":"response","statusCode":404,"headers":{},"body":"x","timestamp":"2025-02-21T12:00:00.000Z"}` + "\n"},
		"odd status": {&message.Exchange{Flow: ends, Protocol: "http", Response: &message.Message{Start: start, Status: "012"}},
			`"direction":"response","headers":{},"timestamp":"2025-02-21T12:00:00.000Z"}` + "\n"},
		"nothing":          {&message.Exchange{Flow: ends, Protocol: "http"}, ""},
		"another protocol": {&message.Exchange{Flow: ends, Protocol: "iso8583", Request: &message.Message{}}, ""},
		"conversation":     {&message.Exchange{Flow: ends, Summary: &flow.Summary{Flow: ends}}, ""},
	} {
		want := c.want
		if want != "" {
			want = head + want
		}
		if d := cmp.Diff(want, string(messages.New(messages.DefaultConfig()).Append(nil, c.x))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestBothHalvesInOrder(t *testing.T) {
	x := &message.Exchange{Flow: ends, Protocol: "http", Request: &message.Message{Op: "PUT"},
		Interim: []*message.Message{{Status: "100"}}, Response: &message.Message{Status: "200"}}
	var got []any
	d := json.NewDecoder(bytes.NewReader(messages.New(messages.DefaultConfig()).Append(nil, x)))
	for d.More() {
		var m map[string]any
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		got = append(got, m["direction"], m["statusCode"])
	}
	if diff := cmp.Diff([]any{"request", nil, "response", 100.0, "response", 200.0}, got); diff != "" {
		t.Error(diff)
	}
}

func TestManyHeaders(t *testing.T) {
	m := &message.Message{}
	for i := range 20000 {
		m.Fields = append(m.Fields, message.Field{Name: fmt.Sprintf("X-%d", i%10000), Value: fmt.Sprint(i)})
	}
	var b []byte
	took := time.Duration(math.MaxInt64)
	for i := 0; i < 5 && took > 2*time.Second; i++ { // a busy machine may take longer, but not always
		began := time.Now()
		b = messages.New(messages.DefaultConfig()).Append(nil, &message.Exchange{Flow: ends, Protocol: "http", Request: m})
		took = min(took, time.Since(began))
	}
	if took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	var got struct{ Headers map[string]string }
	if err := json.Unmarshal(b, &got); err != nil || len(got.Headers) != 10000 || got.Headers["x-7"] != "10007" {
		t.Errorf("%v, %d headers, %q", err, len(got.Headers), got.Headers["x-7"])
	}
}

func TestAllocations(t *testing.T) {
	f := messages.New(messages.DefaultConfig())
	x := &message.Exchange{Flow: ends, Protocol: "http", Request: &message.Message{Op: "GET", Target: "/", Body: []byte("text"),
		Fields: []message.Field{{Name: "Host", Value: "h"}, {Name: "A", Value: "b"}}}, Response: &message.Message{Status: "200"}}
	room := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { room = f.Append(room[:0], x) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
