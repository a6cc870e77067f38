package diff

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
)

// body compares the bodies: JSON by its values, text by its lines, anything
// else by its bytes.
func (d *Comparer) body(v *Verdict, recorded, replayed *message.Message) {
	was, is := recorded.Body, replayed.Body
	if bytes.Equal(was, is) {
		return
	}
	if looksJSON(recorded, was) || looksJSON(replayed, is) {
		x, okX := parseJSON(was)
		y, okY := parseJSON(is)
		if okX && okY {
			d.compare(v, nil, x, y)
			return
		}
	}
	if !utf8.Valid(was) || !utf8.Valid(is) {
		at := 0
		for at < min(len(was), len(is)) && was[at] == is[at] {
			at++
		}
		v.add(Difference{Body, "byte " + strconv.Itoa(at), fmt.Sprintf("%d bytes", len(was)), fmt.Sprintf("%d bytes", len(is))}, place{})
		return
	}
	d.text(v, string(was), string(is))
}

// text tells the first line that differs.
func (d *Comparer) text(v *Verdict, was, is string) {
	if rule.Masked(was) {
		v.Unread = "recorded body masked"
		return
	}
	for n := 1; ; n++ {
		a, restA, moreA := strings.Cut(was, "\n")
		b, restB, moreB := strings.Cut(is, "\n")
		if a != b || moreA != moreB {
			v.add(Difference{Body, "line " + strconv.Itoa(n), a, b}, place{line: n})
			return
		}
		was, is = restA, restB
	}
}

func looksJSON(m *message.Message, b []byte) bool {
	kind, _ := m.Get("Content-Type")
	if strings.Contains(strings.ToLower(kind), "json") {
		return true
	}
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[')
}

// parseJSON reads one value, with its numbers as they are written.
func parseJSON(b []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return v, true
}

// deepest bounds how deep in a JSON value places are looked at one by one. What
// is deeper differs as a whole: nobody writes that but to keep busy who reads it.
const deepest = 500

// compare compares two JSON values at path, behind whose end it writes.
func (d *Comparer) compare(v *Verdict, path []string, was, is any) {
	for _, p := range d.paths {
		if p.match(path) {
			return
		}
	}
	if len(path) == deepest && reflect.DeepEqual(was, is) {
		return
	}
	switch x := was.(type) {
	case map[string]any:
		if y, ok := is.(map[string]any); ok && len(path) < deepest {
			d.objects(v, path, x, y)
			return
		}
	case []any:
		if y, ok := is.([]any); ok && len(path) < deepest {
			d.arrays(v, path, x, y)
			return
		}
	case json.Number:
		if y, ok := is.(json.Number); ok && sameNumber(x, y) {
			return
		}
	case string:
		if _, ok := is.(string); rule.Masked(x) || ok && x == is {
			return
		}
	default:
		if was == is { // null, true, false
			return
		}
	}
	f := Difference{Kind: Body}
	if !v.full() {
		f.Name, f.Recorded, f.Replayed = spell(path), write(was), write(is)
	}
	v.add(f, place{json: true, path: slices.Clone(path)})
}

func (d *Comparer) objects(v *Verdict, path []string, was, is map[string]any) {
	all := make([]string, 0, len(was))
	for k := range was {
		all = append(all, k)
	}
	for k := range is {
		if _, ok := was[k]; !ok {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	for _, k := range all {
		x, okX := was[k]
		y, okY := is[k]
		at := append(path, k)
		if okX && okY {
			d.compare(v, at, x, y)
			continue
		}
		if slices.ContainsFunc(d.paths, func(p pattern) bool { return p.match(at) }) {
			continue
		}
		f := Difference{Kind: Body, Recorded: absent, Replayed: absent}
		if !v.full() {
			f.Name = spell(at)
			if okX {
				f.Recorded = write(x)
			} else {
				f.Replayed = write(y)
			}
		}
		v.add(f, place{json: true, path: slices.Clone(at)})
	}
}

func (d *Comparer) arrays(v *Verdict, path []string, was, is []any) {
	for i := range min(len(was), len(is)) {
		d.compare(v, append(path, index+strconv.Itoa(i)), was[i], is[i])
	}
	if len(was) != len(is) {
		v.add(Difference{Body, spell(path), items(len(was)), items(len(is))}, place{})
	}
}

func items(n int) string {
	if n == 1 {
		return "1 item"
	}
	return strconv.Itoa(n) + " items"
}

// sameNumber tells whether two numbers are the same one, written in two ways.
// Those with too many digits for that to be certain must be written alike.
func sameNumber(x, y json.Number) bool {
	if x == y {
		return true
	}
	if len(x) > 15 || len(y) > 15 {
		return false
	}
	a, err1 := x.Float64()
	b, err2 := y.Float64()
	return err1 == nil && err2 == nil && a == b
}

// write returns v as JSON.
func write(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(b)
}
