package format_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"", "plain", "\x00\x1f\"\\\n\r\t\x7f", "é\u0085\u2028", "\xff\xfe", "\xe2\x82", "a\ufffdb", "😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := format.AppendQuoted([]byte("x"), s)
		var got string
		if err := json.Unmarshal(b[1:], &got); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got != want {
			t.Errorf("got %q want %q", got, want)
		}
		for _, r := range string(b[1:]) {
			if r < ' ' || r >= 0x7f && r < 0xa0 {
				t.Errorf("a control character in %q", b)
			}
		}
		if string(format.AppendQuoted(nil, []byte(s))) != string(b[1:]) {
			t.Error("bytes and text differ")
		}
	})
}

func TestText(t *testing.T) {
	for s, want := range map[string]string{"é": `"é"`, "\xe9\x85\"": `"é\u0085\""`, "": `""`} {
		if got := string(format.AppendText(nil, s)); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
		if got := string(format.AppendText(nil, []byte(s))); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
	if got := string(format.AppendLower(nil, "X-\xc9")); got != `"x-É"` {
		t.Error(got)
	}
}

func TestBody(t *testing.T) {
	for _, c := range []struct {
		body  string
		marks message.Mark
		want  string
	}{
		{"aé", 0, "aé"},
		{"a\xc3", 0, "a\xc3"},
		{"a\xc3", message.BodyTruncated, "a"},
		{"a\xe2\x82", message.CutEnd, "a"},
		{"\xff\xc3", message.BodyTruncated, "\xff\xc3"},
		{"aé", message.BodyTruncated, "aé"},
	} {
		m := &message.Message{Body: []byte(c.body), Marks: c.marks}
		if got := string(format.Body(m)); got != c.want {
			t.Errorf("%q: got %q want %q", c.body, got, c.want)
		}
	}
}

// Each byte at each place of a word, against what is written one by one.
func TestQuotedPlaces(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			s := []byte("abcdefghijklmnopqrst")
			s[at] = byte(c)
			var want []byte
			for _, x := range s {
				q := format.AppendQuoted(nil, []byte{x})
				want = append(want, q[1:len(q)-1]...)
			}
			if got := string(format.AppendQuoted(nil, s)); got != `"`+string(want)+`"` {
				t.Fatalf("%q: %s", s, got)
			}
		}
	}
}

func BenchmarkQuoted(b *testing.B) {
	for name, s := range map[string]string{"json": strings.Repeat(`{"id":4711,"name":"a cup of tea","tags":["blue"]},`, 100), "text": strings.Repeat("The quick brown fox jumps. ", 200)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			var dst []byte
			for b.Loop() {
				dst = format.AppendQuoted(dst[:0], s)
			}
		})
	}
}
