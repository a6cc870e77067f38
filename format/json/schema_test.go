package json

import (
	"bytes"
	stdjson "encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	b, err := os.ReadFile("../../docs/reference/record.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("record.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("record.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// anything makes an exchange of a shape that chance chose.
func anything(r *rand.Rand) *message.Exchange {
	x := sample()
	odds := func(n int) bool { return r.IntN(n) == 0 }
	if odds(3) {
		x.Flow.Tunnel = packet.Tunnel{Kind: packet.TunnelKind(r.IntN(10)), ID: r.Uint32()}
		x.Flow.VLAN, x.Flow.Source = uint16(r.IntN(4096)), ""
	}
	if odds(3) {
		x.Flow.Client, x.Flow.Server = x.Flow.Server, x.Flow.Client
		x.Pair = r.Uint64()
	}
	if odds(5) {
		s := &flow.Summary{Flow: x.Flow, End: start + packet.Time(r.Int64N(1e10)-1e9), Reason: flow.Reason(r.IntN(4)), HasDigest: odds(2)}
		s.Packets[r.IntN(2)], s.Bytes[r.IntN(2)], s.Lost[r.IntN(2)] = r.Uint64(), r.Uint64(), r.Uint64()
		x.Summary = s
		return x
	}
	for _, m := range []*message.Message{x.Request, x.Response} {
		if odds(2) {
			m.Marks = message.Mark(r.Uint32() & (1<<16 - 1)) // all of them
		}
		m.Body, m.Size, m.WireSize = word(r, r.IntN(50)), r.Int64N(100)-1, r.Int64N(100)-1
		m.Reason, m.Version = string(word(r, r.IntN(4))), string(word(r, r.IntN(4)))
		for range r.IntN(5) {
			m.Fields = append(m.Fields, message.Field{Name: string(word(r, r.IntN(9))), Value: string(word(r, r.IntN(9)))})
		}
		if odds(4) {
			m.Lost, m.Gaps = r.Int64N(9), []message.Gap{{Offset: r.Uint64(), Length: 9}}
			m.Marks |= message.Gapped
		}
	}
	x.Request.Op, x.Request.Target, x.Response.Status = string(word(r, r.IntN(5))), string(word(r, r.IntN(5))), []string{"200", "999", "", "x", "007"}[r.IntN(5)]
	if odds(4) {
		x.Interim = []*message.Message{{Status: "100"}, {Status: "103", Reason: "Early Hints"}}
	}
	switch r.IntN(4) {
	case 0:
		x.Request, x.Half = nil, []message.Half{message.RequestLost, message.RequestUnseen, message.PairUnproven, message.Unasked, message.LoneMessage, message.Unit}[r.IntN(6)]
	case 1:
		x.Response, x.Half, x.Interim = nil, []message.Half{message.NoAnswer, message.AnswerLate, message.AnswerLost, message.OneSided, message.LoneMessage, message.Unit}[r.IntN(6)], nil
	}
	x.Presumed = x.Half == message.Whole && odds(3)
	if x.Half == message.Unit {
		x.Interim = nil
		if x.Response != nil {
			x.Response.Interim = odds(2)
		}
	}
	if odds(10) {
		x.Protocol = "iso8583"
	}
	return x
}

func TestSchemaAcceptsWhatIsWritten(t *testing.T) {
	s := schema(t)
	r := rand.New(rand.NewPCG(7, 8))
	c := DefaultConfig()
	c.Labels = map[string]string{"pod": "p"}
	formats := []interface {
		Append([]byte, *message.Exchange) []byte
	}{New(DefaultConfig()), New(c)}
	seen := map[string]int{}
	for n := range 2000 {
		b := formats[n%2].Append(nil, anything(r))
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if err := s.Validate(v); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		var head struct{ Schema string }
		if err := stdjson.Unmarshal(b, &head); err != nil {
			t.Fatal(err)
		}
		seen[head.Schema]++
	}
	for _, name := range []string{"passiflow.exchange/1", "passiflow.message/1", "passiflow.flow/1"} {
		if seen[name] < 20 {
			t.Errorf("only %d of %s", seen[name], name)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	for _, change := range [][2]string{
		{"passiflow.exchange/1", "passiflow.exchange/2"},
		{`"complete":true`, `"complete":true,"open":true`},
		{`"complete":true`, `"complete":true,"pairing":"proven"`},
		{`"complete":true`, `"complete":true,"pairing":"presumed","lost":1`},
		{`"id":"0123`, `"id":"123`},
		{`.123456789Z"`, `Z"`},
		{`"protocol"`, `"protokoll"`},
		{`["x"]`, `"x"`},
		{`10.0.0.1`, `10.0.0.256`},
		{`"status":200`, `"status":"200"`},
	} {
		b := strings.Replace(sampleLine, change[0], change[1], 1)
		if b == sampleLine {
			t.Errorf("%s changes nothing", change)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(v) == nil {
			t.Errorf("accepted with %s", change[1])
		}
	}
}

// Every member that the schema names is explained.
func TestEachMemberIsExplained(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference/record.md")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("../../docs/reference/record.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := stdjson.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	for k := packet.TunnelKind(1); !strings.HasPrefix(k.String(), "tunnel-"); k++ {
		if !bytes.Contains(text, []byte("`"+k.String()+"`")) {
			t.Errorf("record.md does not name the tunnel %s", k)
		}
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				if k == "properties" {
					for name := range inner.(map[string]any) {
						if !bytes.Contains(text, []byte("`"+name)) {
							t.Errorf("record.md does not explain %s", name)
						}
					}
				}
				if k == "enum" {
					for _, value := range inner.([]any) {
						if !bytes.Contains(text, []byte("`"+value.(string)+"`")) {
							t.Errorf("record.md does not explain %s", value)
						}
					}
				}
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(doc)
}
