package resurface

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
)

// FuzzRules reads rules: an error tells a place that is there, and what can be
// read works on a message in bounded time.
func FuzzRules(f *testing.F) {
	for _, s := range []string{
		"include debug\nsample 5", standardRules, strictRules, "/a/b/ remove", `~x~ replace !l+!, |L\|L|`, "/.*/ stop_unless /a|b/ # c",
		"copy_session_field /.*/ x", `/x/ replace /(a)(?=b)/, /${1}$2\$/`, "%a\\% stop_if_found |\\||", "file:///dev/null",
	} {
		f.Add(s)
	}
	x := exchange(f, lines("POST /p?a=b&c=d HTTP/1.1", "Host: h", "Cookie: a=b", "Content-Length: 3")+"abc", lines("HTTP/1.1 200 OK", "Content-Length: 5")+"aaaab")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(strings.TrimSpace(text), "file://") || len(text) > 4096 {
			return
		}
		r, err := parse("r", text)
		if err != nil {
			if at, ok := err.(*fault); ok {
				all := strings.Split(text, "\n")
				if at.line < 1 || at.line > len(all) || at.column < 1 || at.column > utf8.RuneCountInString(all[at.line-1])+1 {
					t.Errorf("%v: there is no such place in %q", err, text)
				}
			}
			return
		}
		e := newEncoder(Config{BodyLimit: 1 << 20}, r)
		began := time.Now()
		line := e.Append(nil, x)
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("took %v", d)
		}
		check(t, line)
	})
}

func check(t *testing.T, line []byte) {
	t.Helper()
	if len(line) == 0 {
		return
	}
	var p pairs
	if err := json.Unmarshal(line, &p); err != nil || line[len(line)-1] != '\n' || strings.Count(string(line), "\n") != 1 {
		t.Fatalf("%v: %q", err, line)
	}
	if p[len(p)-1][0] != "host" {
		t.Errorf("no host: %q", line)
	}
}

// FuzzMessage builds a message of anything: it is one line of JSON, and none of
// what strict removes is in it.
func FuzzMessage(f *testing.F) {
	f.Add("GET", "/a?b=c&;d", "Cookie", "a=b; c=\"d\"", "200", []byte("x\xff"))
	f.Add("CONNECT", "a:1", "HOST", "\n", "", []byte("\u2028"))
	f.Add("", "http://a?b", "", "", "x", []byte{})
	f.Add("OPTIONS", "*", "content-TYPE", "\x00", "100", []byte("&<>"))
	debug, strict := open(f, "include debug"), open(f, "")
	f.Fuzz(func(t *testing.T, op, target, name, value, status string, body []byte) {
		fields := []message.Field{{Name: name, Value: value}, {Name: "Secret-Name", Value: "planted"}}
		x := &message.Exchange{Protocol: "http", Flow: &flow.Flow{},
			Request:  &message.Message{Op: op, Target: target, Fields: fields, Body: append([]byte("planted"), body...), Start: 5},
			Response: &message.Message{Status: status, Fields: fields, Body: body, Start: -5e18},
		}
		line := debug.Append(nil, x)
		if len(line) == 0 {
			t.Fatal("nothing was written")
		}
		check(t, line)
		line = strict.Append(nil, x)
		check(t, line)
		if strings.Contains(string(line), "planted") && !strings.Contains(op+target+value+status, "planted") {
			t.Errorf("strict lets through %s", line)
		}
	})
}

func apiExchange(t testing.TB) *message.Exchange {
	return exchange(t,
		lines("POST /v1/orders/4711?expand=items&email=joe%40example.com HTTP/1.1", "Host: api.example.com", "User-Agent: curl/8", "Accept: application/json",
			"Cookie: SID=abc; theme=dark", "Authorization: Bearer abc", "Content-Type: application/json", "Content-Length: 34")+`{"email":"joe@example.com","n":12}  `[:34],
		lines("HTTP/1.1 200 OK", "Content-Type: application/json", "Content-Length: 11", "Set-Cookie: a=b", "Cache-Control: no-store")+`{"ok":true}`)
}

// A line costs what its values need and nothing for its keys and rules.
func TestAllocations(t *testing.T) {
	if detecting {
		t.Skip("under the race detector sync.Pool drops some of what it is given")
	}
	x := apiExchange(t)
	for rules, most := range map[string]float64{"include debug": 12, "": 14, "include standard": 40} {
		e := open(t, rules)
		var dst []byte
		for range 10 {
			dst = e.Append(dst[:0], x)
		}
		if n := testing.AllocsPerRun(200, func() { dst = e.Append(dst[:0], x) }); n > most {
			t.Errorf("%q: %v allocations, at most %v", rules, n, most)
		}
	}
}

// Names that somebody makes up by the thousand are not kept for ever.
func TestNamesAreBounded(t *testing.T) {
	e := open(t, "")
	w := e.room.Get().(*work)
	w.name(requestParam, strings.Repeat("x", maxName+1))
	if n := len(w.named[requestParam]); n > 0 {
		t.Error("a long name is kept")
	}
	for i := range 3 * maxNames {
		w.name(requestParam, strings.Repeat("x", i%7)+string(rune(i)))
		if n := len(w.named[requestParam]); n > maxNames {
			t.Fatal(n)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, rules := range []string{"include debug", "include standard", "include strict"} {
		b.Run(rules[len("include "):], func(b *testing.B) {
			e, x := open(b, rules), apiExchange(b)
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst = e.Append(dst[:0], x)
			}
		})
	}
}
