package json

import (
	"bytes"
	stdjson "encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// both escapes s in both ways and holds them to their bound.
func both(t *testing.T, s []byte) {
	t.Helper()
	room := len(s)*worst + slack
	one, two := bytes.Repeat([]byte{0xaa}, room+64), bytes.Repeat([]byte{0xaa}, room+64)
	n, high := escape(one[:room:room], s)
	m, bits := escapeWords(two[:room:room], s)
	if !bytes.Equal(one[:n], two[:m]) {
		t.Fatalf("%q: got %q want %q", s, one[:n], two[:m])
	}
	if (high&highs != 0) != (bits&highs != 0) {
		t.Fatalf("%q: high bits %x and %x", s, high, bits)
	}
	for _, b := range [][]byte{one[room:], two[room:]} {
		if bytes.Count(b, []byte{0xaa}) != 64 {
			t.Fatalf("%q: wrote behind its room", s)
		}
	}
}

func TestWideEscapesAsWordsDo(t *testing.T) {
	for c := range 256 {
		for _, n := range []int{1, 7, 8, 15, 16, 17, 33} {
			for at := range n {
				s := bytes.Repeat([]byte{'x'}, n)
				s[at] = byte(c)
				both(t, s)
			}
			both(t, bytes.Repeat([]byte{byte(c)}, n))
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 20000 {
		both(t, word(r, r.IntN(100)))
	}
}

// Every pair and many longer runs of bytes, at each place around the borders of
// the sixteen bytes looked at together.
func TestValid(t *testing.T) {
	try := func(s []byte) {
		t.Helper()
		if got, want := valid(s), utf8.Valid(s); got != want {
			t.Fatalf("%q: got %v", s, got)
		}
	}
	s := bytes.Repeat([]byte{'x'}, 48)
	for a := range 256 {
		for b := range 256 {
			s[15], s[16] = byte(a), byte(b)
			try(s)
			try(s[:17])
			if a < 0xe0 { // two bytes at most: all is said
				continue
			}
			for _, c := range []byte{'x', 0x80, 0x9f, 0xa0, 0xbf, 0xc3} {
				s[17] = c
				try(s)
				try(s[:18])
				for _, d := range []byte{'x', 0x80, 0xbf, 0xf0} {
					s[18] = d
					try(s)
				}
				s[18] = 'x'
			}
			s[17] = 'x'
		}
	}
	long := bytes.Repeat([]byte("aé€😀"), 20)
	for from := range 20 {
		for to := from; to <= len(long); to++ {
			try(long[from:to])
		}
	}
	r := rand.New(rand.NewPCG(9, 10))
	for range 20000 {
		try(word(r, r.IntN(70)))
		at := r.IntN(len(long))
		old := long[at]
		long[at] = byte(r.Uint32())
		try(long)
		long[at] = old
	}
}

func FuzzEscape(f *testing.F) {
	f.Add([]byte("{\"a\": \"b\\\\c\"}\n\t\x00\x1f\xc3\xa9"))
	f.Fuzz(func(t *testing.T, s []byte) {
		both(t, s)
		if valid(s) != utf8.Valid(s) {
			t.Fatalf("%q: valid is %v", s, valid(s))
		}
	})
}

func BenchmarkText(b *testing.B) {
	for name, s := range map[string]string{
		"json":    `{"id":1234,"name":"alpha","tags":["x","y"],"price":12.5,"note":"a \"quoted\" word"},`,
		"pretty":  "{\n\t\"id\": 1234,\n\t\"name\": \"alpha\"\n},\n",
		"plain":   "The quick brown fox jumps over the lazy dog, again and again. ",
		"russian": "Съешь же ещё этих мягких французских булок, да выпей чаю. ",
		"control": "\x00\x01\x02\x03",
	} {
		b.Run(name, func(b *testing.B) {
			body := bytes.Repeat([]byte(s), 1+4000/len(s))
			dst := make([]byte, 0, 64<<10)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = appendText(dst[:0], body)
			}
		})
	}
}

func BenchmarkExchange(b *testing.B) {
	x := sample()
	x.Request.Body = bytes.Repeat([]byte(`{"id":1234,"name":"alpha","tags":["x","y"],"price":12.5}`), 40)
	e := New(DefaultConfig())
	dst := e.Append(nil, x)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst = e.Append(dst[:0], x)
	}
}

// What a terminal obeys never leaves as it is, and a program reads the same.
func TestControlCharacters(t *testing.T) {
	for _, s := range []string{"\u009b31m", "a\u0080b\u009fc\u00a0d\u00bf", "\u009b", "é\u009b\u009b", "\x9b31m", strings.Repeat("x", 600) + "\u009b" + strings.Repeat("é", 600)} {
		got := appendString(nil, s)
		text, _ := appendText(nil, []byte(s))
		for _, b := range [][]byte{got, text} {
			if strings.ContainsFunc(string(b), unicode.IsControl) {
				t.Errorf("%q becomes %q", s, b)
			}
		}
		var back string
		if err := stdjson.Unmarshal(got, &back); err != nil || utf8.ValidString(s) && back != s {
			t.Errorf("%q becomes %q, read as %q: %v", s, got, back, err)
		}
	}
}
