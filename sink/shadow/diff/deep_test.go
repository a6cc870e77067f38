package diff

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/message"
)

func jsonAnswer(body string) *message.Message {
	return &message.Message{Status: "200", Size: -1, Fields: []message.Field{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body)}
}

// A body that nobody writes but to keep busy who reads it is not looked at place
// by place, and is compared all the same.
func TestDeepBodies(t *testing.T) {
	c := DefaultConfig()
	c.Paths = []string{"$..x..y..z"}
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]func(x string) string{
		"arrays":  func(x string) string { return strings.Repeat("[", 9000) + x + strings.Repeat("]", 9000) },
		"objects": func(x string) string { return strings.Repeat(`{"x":`, 9000) + x + strings.Repeat("}", 9000) },
		"wide": func(x string) string {
			return strings.Repeat("[", 5000) + strings.Repeat(x+",", 9000) + "1" + strings.Repeat("]", 5000)
		},
	} {
		if v := d.Compare(jsonAnswer(body("1")), jsonAnswer(body("1"))); v.Count != 0 {
			t.Errorf("%s: differs from itself", name)
		}
		v := d.Compare(jsonAnswer(body("1")), jsonAnswer(body("2")))
		if v.Count != 1 {
			t.Errorf("%s: %d differences, want the one at the depth up to which is looked", name, v.Count)
		} else if n := len(v.places[0].path); n != deepest {
			t.Errorf("%s: told at a depth of %d", name, n)
		}
	}
}

// The places of differences stay what they were while others are looked at.
func TestPlacesStay(t *testing.T) {
	d, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	v := d.Compare(jsonAnswer(`{"a":{"b":{"c":1,"d":1}},"e":{"f":{"g":1}}}`), jsonAnswer(`{"a":{"b":{"c":2,"d":2}},"e":{"f":{"h":2}}}`))
	var got []string
	for _, at := range v.places {
		got = append(got, strings.Join(at.path, "."))
	}
	if want := "a.b.c a.b.d e.f.g e.f.h"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// matches is what match means, by trying everything.
func matches(p pattern, path []string) bool {
	switch {
	case len(p) == 0:
		return len(path) == 0
	case p[0] == deep:
		return matches(p[1:], path) || len(path) > 0 && matches(p, path[1:])
	}
	return len(path) > 0 && (p[0] == anyOne || p[0] == path[0]) && matches(p[1:], path[1:])
}

func TestMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 50_000 {
		p, path := make(pattern, r.IntN(6)), make([]string, r.IntN(8))
		for i := range p {
			p[i] = []string{"a", "b", anyOne, deep}[r.IntN(4)]
		}
		for i := range path {
			path[i] = []string{"a", "b", "c"}[r.IntN(3)]
		}
		want := matches(p, path)
		if want {
			found++
		}
		if got := p.match(path); got != want {
			t.Fatalf("%q at %q: %v", p, path, got)
		}
	}
	if found < 1000 {
		t.Errorf("only %d matched", found)
	}
}
