package message_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/format/json"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

var codec message.ExchangeCodec

func same(t *testing.T, want *message.Exchange) {
	t.Helper()
	b := codec.Append([]byte("before"), want)
	got, err := codec.Decode(b[len("before"):])
	if err != nil {
		t.Fatalf("%v: %+v", err, want)
	}
	if !reflect.DeepEqual(want, got) { // cmp takes too long where fields are nested deep
		t.Fatalf("%x is another record", b)
	}
	if want.Summary != nil && (want.Summary.Flow == want.Flow) != (got.Summary.Flow == got.Flow) {
		t.Fatal("whether the flow is shared has changed")
	}
}

// fill sets all that v holds to something that is not zero, at random. A field
// that the codec does not know comes back as zero.
func fill(r *rand.Rand, v reflect.Value, depth int) {
	switch v.Interface().(type) {
	case netip.AddrPort:
		var ip netip.Addr
		switch r.IntN(5) {
		case 0:
			ip = netip.AddrFrom4([4]byte{10, 1, 2, byte(r.Uint32())})
		case 1:
			ip = netip.MustParseAddr("fe80::1%eth0")
		case 2:
			ip = netip.MustParseAddr("::ffff:10.0.0.1")
		default:
			ip = netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(r.Uint32())})
		}
		v.Set(reflect.ValueOf(netip.AddrPortFrom(ip, uint16(1+r.UintN(65535)))))
		return
	case flow.Side:
		v.Set(reflect.ValueOf(flow.Server))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i), depth)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), depth)
	case reflect.Slice:
		n := 1 + r.IntN(3)
		if v.Type() == reflect.TypeFor[[]message.Field]() {
			if depth == 4 {
				return
			}
			depth++
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(r, v.Index(i), depth)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), depth)
		}
	case reflect.String:
		b := make([]byte, 1+r.IntN(20))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		v.SetString(string(b))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1 + r.Uint64()>>(64-v.Type().Bits())%(1<<(v.Type().Bits()-1)))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(r.Uint64() | 1))
	default:
		panic(v.Type().String())
	}
}

func TestCodecKnowsEveryField(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		x := &message.Exchange{}
		fill(r, reflect.ValueOf(x).Elem(), 0)
		same(t, x)
	}
}

func TestCodecShapes(t *testing.T) {
	f := &flow.Flow{ID: 7, Source: "eth0"}
	deep := []message.Field{{Name: "leaf"}}
	for range message.MaxDepth - 1 {
		deep = []message.Field{{Name: "deep", Detail: &message.Detail{Children: deep}}}
	}
	for _, x := range []*message.Exchange{
		{},
		{Flow: f},
		{Flow: f, Summary: &flow.Summary{Flow: f, Reason: flow.Evicted}},
		{Flow: f, Summary: &flow.Summary{Flow: &flow.Flow{ID: 8}}},
		{Flow: f, Summary: &flow.Summary{}},
		{Summary: &flow.Summary{}},
		{Flow: f, Half: message.NoAnswer, Request: &message.Message{Size: -1, WireSize: -1, Body: []byte{}, Fields: []message.Field{}, Gaps: []message.Gap{}}},
		{Flow: f, Response: &message.Message{From: flow.Server, Start: 5, End: 3, Begin: 9, Stop: 2, Body: []byte("x")}},
		{Flow: f, Interim: []*message.Message{}},
		{Flow: f, Interim: []*message.Message{nil, {Interim: true, Body: []byte("a")}, {Body: []byte("bc")}}, Response: &message.Message{Body: []byte("d")}},
		{Flow: f, Request: &message.Message{Fields: deep}},
		{Flow: f, Request: &message.Message{Body: bytes.Repeat([]byte{0}, 3<<20)}},
	} {
		same(t, x)
	}
	tooDeep := &message.Exchange{Request: &message.Message{Fields: []message.Field{{Name: "one more", Detail: &message.Detail{Children: deep}}}}}
	got, err := codec.Decode(codec.Append(nil, tooDeep))
	if err != nil || len(got.Request.Fields) != 1 {
		t.Error(err)
	}
}

// A record that was put away and taken out again is the same record to whoever
// gets it, its id included.
func TestCodecKeepsIDs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	f := json.New(json.DefaultConfig())
	for range 100 {
		x := &message.Exchange{}
		fill(r, reflect.ValueOf(x).Elem(), 0)
		x.Request.From, x.Response.From = flow.Client, flow.Server
		x.Flow.Start = packet.Time(1767323045e9)
		switch r.IntN(4) {
		case 0:
			x.Request = nil
		case 1:
			x.Response = nil
		case 2:
			x.Protocol = "http"
		}
		if r.IntN(2) == 0 {
			x.Summary = nil
		}
		y, err := codec.Decode(codec.Append(nil, x))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(f.Append(nil, x)), string(f.Append(nil, y))); d != "" {
			t.Fatal(d)
		}
	}
}

func TestCodecBadInput(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	x := &message.Exchange{}
	fill(r, reflect.ValueOf(x).Elem(), 0)
	b := codec.Append(nil, x)
	for n := range b {
		if _, err := codec.Decode(b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a record", n, len(b))
		}
	}
	if _, err := codec.Decode(append(slices.Clone(b), 0)); err == nil {
		t.Error("a byte too many is taken")
	}
	other := slices.Clone(b)
	other[0] = 1 // without Message.Head
	if _, err := codec.Decode(other); err == nil || !strings.Contains(err.Error(), "version 1, where this program reads version 2") {
		t.Errorf("another version: %v", err)
	}
	// What decoding b allocates; what the rest of the process does meanwhile is
	// not there every time.
	allocated := func(b []byte, most uint64) uint64 {
		least := uint64(math.MaxUint64)
		for i := 0; i < 5 && least > most; i++ {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _ = codec.Decode(b)
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
		}
		return least
	}
	// Lists within lists, each of which claims all that is left.
	hostile := codec.Append(nil, &message.Exchange{Request: &message.Message{Version: "here"}})
	hostile = hostile[:bytes.Index(hostile, []byte("here"))+4]
	for i := range message.MaxDepth {
		hostile = binary.AppendUvarint(hostile, uint64(6000-5*i))
		hostile = append(hostile, 0, 0, 0, 0)
	}
	hostile = append(hostile, make([]byte, 30_000)...)
	binary.LittleEndian.PutUint32(hostile[1:], uint32(len(hostile)-5))
	most := uint64(32 * len(hostile))
	if n := allocated(hostile, most); n > most {
		t.Errorf("%d bytes allocated for %d", n, len(hostile))
	}
	for range 3000 {
		c := slices.Clone(b)
		for range 1 + r.IntN(4) {
			c[r.IntN(len(c))] = byte(r.Uint32()) | byte(r.UintN(2))*0xff
		}
		most := uint64(32*len(c) + 4096)
		if n := allocated(c, most); n > most {
			t.Fatalf("%d bytes allocated for %d", n, len(c))
		}
	}
}

func FuzzExchangeCodec(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	f.Add([]byte{})
	f.Add(codec.Append(nil, &message.Exchange{}))
	for range 5 {
		x := &message.Exchange{}
		fill(r, reflect.ValueOf(x).Elem(), 2)
		f.Add(codec.Append(nil, x))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := codec.Decode(b)
		if err != nil {
			return
		}
		same(t, x) // what is read can be written and read again
	})
}

func apiExchange() *message.Exchange {
	f := &flow.Flow{ID: 1 << 60, Transport: packet.TCP, Source: "eth0", Start: 1767323045e9,
		Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:80")}
	fields := make([]message.Field, 10)
	for i := range fields {
		fields[i] = message.Field{Name: "X-Header-Name", Value: "a value of some length", Detail: &message.Detail{Raw: message.Span{Begin: 100, End: 122}}}
	}
	return &message.Exchange{Flow: f, Protocol: "http",
		Request:  &message.Message{Op: "POST", Target: "/api/v1/orders?id=5", Version: "1.1", Fields: fields, Body: make([]byte, 300), Start: f.Start},
		Response: &message.Message{From: flow.Server, Status: "200", Reason: "OK", Version: "1.1", Fields: fields, Body: make([]byte, 2000), Start: f.Start}}
}

func BenchmarkCodecAppend(b *testing.B) {
	x := apiExchange()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = codec.Append(dst[:0], x)
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkCodecDecode(b *testing.B) {
	in := codec.Append(nil, apiExchange())
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}
