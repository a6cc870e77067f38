package record_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format/record"
	"github.com/passiflow/passiflow/message"
)

// bodies are those that the format has trouble with.
func bodies() map[string]string {
	return map[string]string{
		"plain":           "GET / HTTP/1.1\r\n\r\n",
		"head with t":     "HTTP/1.1 200 OK\r\nserver: x\r\ntransfer-encoding: chunked\r\n\r\n",
		"escape":          "a\nthe b",
		"escaped":         "a\n\nthe b",
		"twice escaped":   "a\n\n\nthe b\n\n\n\nt",
		"only escape":     "\nt",
		"begins with t":   "t",
		"many":            strings.Repeat("\nt", 1000),
		"magic":           record.Magic,
		"magic inside":    "x" + record.Magic + record.Magic + "y",
		"magic escaped":   "--benbens--\n\nt",
		"magic, no t":     "--benbens--\n",
		"line ends":       "\n\n\n\n",
		"long":            strings.Repeat("0123456789abcdef", 300_000) + "\nt",
		"zeros":           string(make([]byte, 100)),
		"like addresses":  "a...b\n",
		"longer than 64k": strings.Repeat("transfer\n", 20_000),
	}
}

// whole compares bodies at once: some are long.
var whole = cmp.Comparer(bytes.Equal)

func TestRoundTrip(t *testing.T) {
	var all []byte
	var want []record.Record
	for name, body := range bodies() {
		r := record.Record{Time: time.Unix(1767323045, 123456789).UTC(), Type: record.TCP, From: "10.0.0.1:5000", To: "[2001:db8::1]:80", Data: []byte(body)}
		one, err := record.Append(nil, &r)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(one, []byte(record.Magic)); n != 1 {
			t.Errorf("%s: the magic stands there %d times", name, n)
		}
		all = append(all, one...)
		got, err := record.Unmarshal(one)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(r, got, whole); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		want = append(want, r)
	}
	for name, in := range map[string]io.Reader{
		"at once": bytes.NewReader(all),
		"halves":  iotest.HalfReader(bytes.NewReader(all)),
		"eof":     iotest.DataErrReader(bytes.NewReader(all)),
	} {
		got, s := read(t, in, record.DefaultConfig())
		if d := cmp.Diff(want, got, whole); d != "" {
			t.Errorf("%s: %.500s", name, d)
		}
		if s.Bad() != 0 || s.Skipped != 0 || s.Records != uint64(len(want)) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func read(t *testing.T, in io.Reader, c record.Config) (all []record.Record, s record.Stats) {
	t.Helper()
	r := record.NewReader(in, c)
	for {
		one, err := r.Next()
		if err == io.EOF {
			return all, r.Stats()
		}
		if err != nil {
			t.Fatal(err)
		}
		one.Data = bytes.Clone(one.Data)
		all = append(all, one)
	}
}

// What the original has written.
func TestLayout(t *testing.T) {
	want := "2d2d62656e62656e732d2d0a74" + "6ca2ed0c8c9cea18" + "01" + "1200000000000000" +
		hex.EncodeToString([]byte("10.0.0.1:5000...10.0.0.2:80\nGET / HTTP/1.1\r\n\r\n"))
	at := int64(0x18ea9c8c0ceda26c)
	got, err := record.Append(nil, &record.Record{Time: time.Unix(0, at), Type: 1, From: "10.0.0.1:5000", To: "10.0.0.2:80", Data: []byte("GET / HTTP/1.1\r\n\r\n")})
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("%v\n%x\n%s", err, got, want)
	}
	got = record.New(record.DefaultConfig()).AppendChunk(nil, chunk("GET / HTTP/1.1\r\n\r\n", at))
	if hex.EncodeToString(got) != want {
		t.Errorf("%x\n%s", got, want)
	}
}

func chunk(data string, at int64) *message.Chunk {
	f := &flow.Flow{Client: netip.MustParseAddrPort("10.0.0.1:5000"), Server: netip.MustParseAddrPort("10.0.0.2:80")}
	return &message.Chunk{Flow: f, From: flow.Client, Time: message.Chunk{}.Time.Add(time.Duration(at)), Data: []byte(data)}
}

func TestChunk(t *testing.T) {
	f := record.New(record.Config{WriteTime: true})
	c := chunk("", 1)
	c.End = true
	if b := f.AppendChunk(nil, c); len(b) != 0 {
		t.Errorf("a record without a body: %q", b)
	}
	c.Data, c.From = []byte("answer"), flow.Server
	got, err := record.Unmarshal(f.AppendChunk(nil, c))
	if err != nil || got.From != "10.0.0.2:80" || got.To != "10.0.0.1:5000" || time.Since(got.Time) > time.Minute {
		t.Errorf("%+v, %v", got, err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if b := f.AppendChunk(room[:0], c); len(b) == 0 {
			t.Error("nothing")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var room = make([]byte, 0, 1024)

func TestErrors(t *testing.T) {
	good, _ := record.Append(nil, &record.Record{From: "a:1", To: "b:2", Data: []byte("body")})
	raw, _ := record.Append(nil, &record.Record{From: "a:1", To: "b:2", Data: []byte("x\nt")})
	raw[22] = 3 // as if the length were taken before the escape
	for _, c := range []struct {
		name string
		in   []byte
		want error
	}{
		{"good", good, nil},
		{"raw length", raw, nil},
		{"empty", nil, record.ErrForeign},
		{"other", []byte("hello, this is something else altogether"), record.ErrForeign},
		{"short", good[:30], record.ErrShort},
		{"no line end", good[:33], record.ErrForeign},
		{"no addresses", append(append(bytes.Clone(good[:30]), "ab\n"...), "body"...), record.ErrForeign},
		{"torn", good[:len(good)-1], record.ErrLength},
		{"too long", append(bytes.Clone(good), 'x'), record.ErrLength},
	} {
		if _, err := record.Unmarshal(bytes.Clone(c.in)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	for _, a := range [][2]string{{"a...b", "c"}, {"a.", "b"}, {"a..", "b"}, {"a\n", "b"}, {"a", "b\n"}, {"a", "b--benbens--"}} {
		if b, err := record.Append(nil, &record.Record{From: a[0], To: a[1]}); err == nil || len(b) != 0 {
			t.Errorf("%q: %q, %v", a, b, err)
		}
	}
}

// Whatever stands between, good records are found.
func TestResync(t *testing.T) {
	rec := func(body string) string {
		b, err := record.Append(nil, &record.Record{Type: 1, From: "a:1", To: "b:2", Data: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	long := rec(strings.Repeat("l", 3000))
	for _, c := range []struct {
		name, in string
		want     []string
		stats    record.Stats
	}{
		{"nothing", "", nil, record.Stats{}},
		{"noise", "no record at all --benbens--", nil, record.Stats{Skipped: 28}},
		{"noise first", "noise" + rec("1"), []string{"1"}, record.Stats{Records: 1, Bytes: 1, Skipped: 5}},
		{"torn in the head", rec("1") + rec("2")[:20] + rec("3"), []string{"1", "3"}, record.Stats{Records: 2, Bytes: 2, Short: 1, Skipped: 20}},
		{"torn in the addresses", rec("1") + rec("2")[:34] + rec("3"), []string{"1", "3"}, record.Stats{Records: 2, Bytes: 2, Foreign: 1, Skipped: 34}},
		{"torn in the body", rec("12345") + rec("67890")[:43] + rec("3"), []string{"12345", "3"}, record.Stats{Records: 2, Bytes: 6, Length: 1, Skipped: 43}},
		{"torn at the end", rec("1") + rec("67890")[:43], []string{"1"}, record.Stats{Records: 1, Bytes: 1, Length: 1, Skipped: 43}},
		{"too long", rec("1") + long + rec("3"), []string{"1", "3"}, record.Stats{Records: 2, Bytes: 2, Long: 1, Skipped: uint64(len(long))}},
		{"too long at the end", rec("1") + long, []string{"1"}, record.Stats{Records: 1, Bytes: 1, Long: 1, Skipped: uint64(len(long))}},
	} {
		for way, in := range map[string]io.Reader{"at once": strings.NewReader(c.in), "bytes": iotest.OneByteReader(strings.NewReader(c.in))} {
			got, s := read(t, in, record.Config{MaxRecord: 1000})
			var bodies []string
			for _, r := range got {
				bodies = append(bodies, string(r.Data))
			}
			if d := cmp.Diff(c.want, bodies); d != "" {
				t.Errorf("%s, %s: %s", c.name, way, d)
			}
			if d := cmp.Diff(c.stats, s); d != "" {
				t.Errorf("%s, %s: %s", c.name, way, d)
			}
		}
	}
}

func TestReaderFails(t *testing.T) {
	boom := errors.New("boom")
	good, _ := record.Append(nil, &record.Record{From: "a:1", To: "b:2", Data: []byte("body")})
	r := record.NewReader(io.MultiReader(bytes.NewReader(good), bytes.NewReader(good), iotest.ErrReader(boom)), record.Config{})
	if _, err := r.Next(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if _, err := r.Next(); !errors.Is(err, boom) {
			t.Error(err)
		}
	}
	r = record.NewReader(stuck{}, record.Config{})
	if _, err := r.Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// A record is all that is held of a file of any length.
func TestReaderMemory(t *testing.T) {
	one, _ := record.Append(nil, &record.Record{From: "10.0.0.1:5000", To: "10.0.0.2:80", Data: bytes.Repeat([]byte("x\nt"), 3000)})
	r := record.NewReader(&again{part: one, left: 2000}, record.DefaultConfig())
	n := testing.AllocsPerRun(1, func() {
		for range 900 {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n > 1000 {
		t.Errorf("%v allocations for 900 records", n)
	}
}

type again struct {
	part []byte
	at   int
	left int
}

func (a *again) Read(b []byte) (int, error) {
	if a.left == 0 {
		return 0, io.EOF
	}
	n := copy(b, a.part[a.at:])
	if a.at += n; a.at == len(a.part) {
		a.at = 0
		a.left--
	}
	return n, nil
}
