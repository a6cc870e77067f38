package rule

import (
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// fenced is memory between two pages that nobody may touch: who reads a byte
// too far, on either side, does not live to tell.
type fenced struct{ room []byte }

func newFenced(t *testing.T, pages int) *fenced {
	size := syscall.Getpagesize()
	b, err := syscall.Mmap(-1, 0, (pages+2)*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(b) })
	for _, fence := range [][]byte{b[:size], b[(pages+1)*size:]} {
		if err := syscall.Mprotect(fence, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return &fenced{b[size : (pages+1)*size]}
}

// first and last put s behind the one fence and before the other.
func (f *fenced) first(s string) string {
	return unsafe.String(unsafe.SliceData(f.room), copy(f.room, s))
}

func (f *fenced) last(s string) string {
	at := len(f.room) - len(s)
	copy(f.room[at:], s)
	return unsafe.String(unsafe.SliceData(f.room[at:]), len(s))
}

// TestNothingReadsTooFar: texts of every length at both ends of what may be
// read, seen by whatever looks at many bytes at once, and found what there is.
func TestNothingReadsTooFar(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	memory := newFenced(t, 2)
	j := someNames("password", "api_key", "pwd")
	p := newSought()
	p.wants |= wantTokens
	p.names(j)
	paths := &jsonPaths{}
	steps, _, err := parsePath("$.a.password", &with{text: Redacted})
	if err != nil || paths.add(steps) != nil {
		t.Fatal(err)
	}
	d := &detector{card: true, email: true, jwt: true, bearer: true, key: true, with: &with{text: Redacted}}
	d.ready()
	parts := []string{`"password":"x"`, `,"api_key":1`, `\"pwd\":\"x\"`, `{"a":{"password":`, "4111 1111 1111 1111", "5555555555554444", "sk_live_0123456789abcdef01234", "Bearer abcdefghijklmnop",
		`"pass\u0077ord" :`, "a@b.example", "eyJhbGciOiJIUzI1NiJ9.x", "//", "\\", `"`, " ", ":", "é", "\xff", "{", "}", "[", "]", ",", "0", "a"}
	for n := range 301 {
		for range 6 {
			var b strings.Builder
			for b.Len() < n {
				if r.IntN(4) == 0 {
					b.WriteString(strings.Repeat(parts[r.IntN(len(parts))], 1+r.IntN(20)))
				} else {
					b.WriteString(parts[r.IntN(len(parts))])
				}
			}
			text := b.String()[b.Len()-n:]
			for _, s := range []string{memory.last(text), memory.first(text)} {
				for _, p := range []*sought{p, p.careful, d.sought} {
					if d := differ(surveyed(p, s)); d != "" {
						t.Fatalf("%q: %s", text, d)
					}
				}
				var v survey
				esc := escapes(s)
				if a, b := j.mask(s, esc, nil, nil), j.mask(s, esc, v.of(p, s).known(p), nil); a != b {
					t.Fatalf("%q: %q, want %q", text, b, a)
				}
				paths.mask(s, esc, true, nil, nil)
				for _, cut := range []bool{false, true} {
					if a, b := d.everywhere(s, cut), d.find(s, cut, v.of(p, s)); !slices.Equal(a, b) {
						t.Fatalf("%q: %v, want %v", text, b, a)
					}
				}
				if text != s {
					t.Fatalf("%q was written into: %q", text, s)
				}
			}
		}
	}
}
