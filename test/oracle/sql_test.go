package oracle

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/rule"
)

// fields are those that the test knows, with values that they may have.
var fields = map[string][]string{
	"text":   {"protocol", "source", "client.ip", "request.method", "request.target", `request.headers["Host"]`, "response.reason", `response.headers["x-y"]`, "request.version", "integrity.half"},
	"number": {"client.port", "server.port", "vlan", "duration_ns", "response.status", "request.body_size", "response.body_size", "integrity.lost"},
	"bool":   {"integrity.complete", "request.body_truncated", "integrity.open"},
}

var texts = []string{"", "GET", "POST", "/a", "/a/b", "/ä", "a%b", "a_b", "A", "a", "x'y", `"`, "http", "eth0", "10.0.0.1", "10.1.2.3", "é", "e\u0301", "É", "1.1", "no_answer", "a\x00b", "7", "7.0"}
var numbers = []int{0, 1, 7, 80, 200, 204, 404, 500, 503, 8080, 40000, 1000000}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x00", `\x00`).Replace(s) + `"`
}

// condition makes a random one of the part of the language that translates.
func condition(r *rand.Rand, depth int) string {
	if depth > 0 && r.IntN(3) > 0 {
		a, b := condition(r, depth-1), condition(r, depth-1)
		return []string{"(" + a + " and " + b + ")", "(" + a + ") or (" + b + ")", "not (" + a + ")", "!(" + a + ") || " + b, "((" + a + ") == (" + b + "))", "((" + a + ") != (" + b + "))"}[r.IntN(6)]
	}
	text, number := func() string { return pick(r, fields["text"]) }, func() string { return pick(r, fields["number"]) }
	op := pick(r, []string{"==", "!=", "<", "<=", ">", ">="})
	switch r.IntN(16) {
	case 0:
		return text() + " " + op + " " + quote(pick(r, texts))
	case 1:
		return number() + " " + op + " " + fmt.Sprint(pick(r, numbers)-r.IntN(2))
	case 2:
		return text() + " " + pick(r, []string{"contains", "startsWith", "endsWith"}) + " " + quote(pick(r, texts))
	case 3:
		return text() + " in [" + quote(pick(r, texts)) + ", " + quote(pick(r, texts)) + "]"
	case 4:
		return number() + " in [" + fmt.Sprint(pick(r, numbers), ", ", pick(r, numbers)) + "]"
	case 5:
		return number() + " in " + fmt.Sprint(pick(r, numbers)) + ".." + fmt.Sprint(pick(r, numbers))
	case 6:
		return pick(r, fields["bool"])
	case 7:
		return text() + " " + op + " " + text()
	case 8:
		return number() + " " + op + " " + number()
	case 9:
		return pick(r, []string{"true", "false", pick(r, fields["bool"]) + " == true", number() + " > 1.5"})
	}
	switch r.IntN(7) {
	case 0:
		return text() + " not in [" + quote(pick(r, texts)) + ", " + quote(pick(r, texts)) + "]"
	case 1:
		return number() + " in [1.5, 7.0, " + fmt.Sprint(pick(r, numbers)) + "]"
	case 2:
		return quote(pick(r, texts)) + " " + op + " " + text()
	case 3:
		return number() + " in -1.." + fmt.Sprint(pick(r, numbers))
	case 4:
		return pick(r, []string{"-1", "-0.5", "7.0", "9007199254740993"}) + " " + op + " " + number()
	case 5:
		return text() + " " + pick(r, []string{"contains", "startsWith", "endsWith"}) + " " + quote(pick(r, texts)) + " or " + text() + " contains " + text()
	}
	return `cidr(client.ip, ` + pick(r, []string{`"10.0.0.0/8"`, `"10.1.0.0/16", "2001:db8::/32"`, `"10.0.0.1"`, `"0.0.0.0/0"`, `"::/0"`, `"::ffff:0:0/90"`, `"::ffff:10.0.0.0/104"`, `"fe80::1%eth0"`, `"::/95"`}) + ")"
}

func randomExchange(r *rand.Rand, i int) *message.Exchange {
	f := &flow.Flow{ID: uint64(i), Source: pick(r, texts), VLAN: uint16(pick(r, numbers) & 4095),
		Client: netip.AddrPortFrom(netip.MustParseAddr(pick(r, []string{"10.0.0.1", "10.1.2.3", "192.0.2.1", "2001:db8::1", "fe80::1"})), uint16(pick(r, numbers[:11]))),
		Server: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), uint16(pick(r, numbers[:11])))}
	x := &message.Exchange{Protocol: pick(r, texts), Flow: f}
	if r.IntN(4) > 0 {
		x.Request = &message.Message{Op: pick(r, texts), Target: pick(r, texts), Version: pick(r, texts), Size: int64(pick(r, numbers)), Start: packet.Time(i)}
		if r.IntN(2) == 0 {
			x.Request.Fields = []message.Field{{Name: "Host", Value: pick(r, texts)}, {Name: "Other", Value: "a"}}
		}
		if r.IntN(3) == 0 {
			x.Request.Marks = message.BodyTruncated
		}
	}
	if x.Request == nil || r.IntN(3) > 0 {
		x.Response = &message.Message{From: flow.Server, Status: fmt.Sprint(pick(r, numbers)), Reason: pick(r, texts), Size: int64(pick(r, numbers)), Lost: int64(r.IntN(2) * 7), Start: packet.Time(i), End: packet.Time(i + pick(r, numbers))}
		if r.IntN(2) == 0 {
			x.Response.Fields = []message.Field{{Name: "X-Y", Value: pick(r, texts)}}
		}
		if r.IntN(3) == 0 {
			x.Response.Marks = message.StillOpen
		}
	}
	if x.Request == nil || x.Response == nil {
		x.Half = message.NoAnswer
	}
	return x
}

// keep evaluates a condition as rules do.
func keep(t *testing.T, condition string, x *message.Exchange) bool {
	t.Helper()
	s, err := rule.Parse("r", []byte("defaults: false\nrules:\n- keep: |\n    "+condition+"\n"), rule.Options{})
	if err != nil {
		t.Fatalf("%s: %v", condition, err)
	}
	return s.Apply(x)
}

// values are the columns of a record; what is empty is NULL, as a store would
// have it that leaves out what is not known.
func values(t *testing.T, x *message.Exchange, r *rand.Rand) map[string]any {
	all := map[string]any{"client.ip_key": rule.AddressKey(x.Flow.Client.Addr())}
	for _, f := range fields["text"] {
		for _, v := range append(texts, x.Flow.Client.Addr().String()) {
			if keep(t, f+" == "+quote(v), x) {
				all[path(f)] = v
			}
		}
	}
	for _, f := range fields["number"] {
		for _, v := range append(numbers, int(x.Flow.VLAN)) {
			if keep(t, f+" == "+fmt.Sprint(v), x) {
				all[path(f)] = v
			}
		}
	}
	for _, f := range fields["bool"] {
		all[path(f)] = keep(t, f, x)
	}
	for k, v := range all {
		if (v == "" || v == 0 || v == false) && r.IntN(2) == 0 {
			all[k] = nil
		}
	}
	for _, f := range []string{"integrity.lost"} { // may be 7, which is among the numbers
		if _, ok := all[f]; !ok {
			t.Fatalf("%s has a value that the test does not know", f)
		}
	}
	return all
}

func path(field string) string {
	field = strings.ReplaceAll(field, `["Host"]`, ".host")
	return strings.ReplaceAll(field, `["x-y"]`, ".x-y")
}

// TestSQLSaysWhatRulesSay executes translations of random conditions over random
// records and compares with what the rules say.
func TestSQLSaysWhatRulesSay(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	columns := map[string]string{"client.ip_key": "c0"}
	definition := []string{"n INTEGER", "c0 TEXT"}
	for kind, list := range fields {
		for _, f := range list {
			c := fmt.Sprintf("c%d", len(columns))
			columns[path(f)] = c
			definition = append(definition, c+map[string]string{"text": " TEXT", "number": " INTEGER", "bool": " BOOLEAN"}[kind])
		}
	}
	if _, err := db.Exec("CREATE TABLE records (" + strings.Join(definition, ", ") + ")"); err != nil {
		t.Fatal(err)
	}
	var all []*message.Exchange
	for i := range 120 {
		x := randomExchange(r, i)
		all = append(all, x)
		names, marks, row := []string{"n"}, []string{"?"}, []any{i}
		for p, v := range values(t, x, r) {
			names, marks, row = append(names, columns[p]), append(marks, "?"), append(row, v)
		}
		if _, err := db.Exec("INSERT INTO records ("+strings.Join(names, ",")+") VALUES ("+strings.Join(marks, ",")+")", row...); err != nil {
			t.Fatal(err)
		}
	}
	checked, kept := 0, 0
	for range 3000 {
		text := condition(r, r.IntN(4))
		where, args, err := rule.SQL(text, func(p string) (string, bool) { c, ok := columns[p]; return c, ok })
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got := map[int]bool{}
		rows, err := db.Query("SELECT n FROM records WHERE "+where, args...)
		if err != nil {
			t.Fatalf("%s\n%s: %v", text, where, err)
		}
		for rows.Next() {
			var n int
			if err := rows.Scan(&n); err != nil {
				t.Fatal(err)
			}
			got[n] = true
		}
		rows.Close()
		set, err := rule.Parse("r", []byte("defaults: false\nrules:\n- keep: |\n    "+text+"\n"), rule.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range all {
			want := set.Apply(x)
			if checked++; want {
				kept++
			}
			if want != got[i] {
				t.Fatalf("%s\n%s %v\nrecord %d: the rule says %v", text, where, args, i, want)
			}
		}
	}
	if kept < checked/10 || kept > checked*9/10 {
		t.Errorf("of %d verdicts %d keep: the conditions tell little apart", checked, kept)
	}
}
