package otlp

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/passiflow/passiflow/message"
)

// trace is a place in a trace, its ids in hexadecimal digits.
type trace struct {
	trace [32]byte
	span  [16]byte
	flags byte
	state string
}

// traceOf returns the place that a request names in its traceparent header
// (https://www.w3.org/TR/trace-context/), if it names one. Two of them, or one
// that is not valid, name none, and then tracestate counts for nothing.
func traceOf(m *message.Message) (t trace, ok bool) {
	if m == nil {
		return t, false
	}
	for i := range m.Fields {
		switch f := &m.Fields[i]; {
		case message.EqualFold(f.Name, "traceparent"):
			if ok || !t.parse(f.Value) {
				return t, false
			}
			ok = true
		case message.EqualFold(f.Name, "tracestate"):
			if t.state != "" && f.Value != "" {
				t.state += ","
			}
			t.state += f.Value
		}
	}
	return t, ok
}

// parse reads version-trace-parent-flags: 00-32 digits-16 digits-2 digits.
func (t *trace) parse(s string) bool {
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	var version, flags [1]byte
	switch {
	case !digits(version[:], s[:2]) || version[0] == 0xff:
		return false
	case version[0] == 0 && len(s) != 55, len(s) > 55 && s[55] != '-':
		return false // version 0 ends here; a later one may go on behind a dash
	}
	var id [16]byte
	if !digits(id[:], s[3:35]) || id == [16]byte{} {
		return false
	}
	if !digits(id[:8], s[36:52]) || [8]byte(id[:8]) == [8]byte{} {
		return false
	}
	if !digits(flags[:], s[53:55]) {
		return false
	}
	copy(t.trace[:], s[3:35])
	copy(t.span[:], s[36:52])
	t.flags = flags[0]
	return true
}

// digits reads lower-case hexadecimal digits.
func digits(dst []byte, s string) bool {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'F' {
			return false
		}
	}
	n, err := hex.Decode(dst, []byte(s))
	return err == nil && n == len(dst)
}

// identity makes the ids of a span of the record's: the same in every run, so
// that a span that is delivered twice is one. Halves that were told apart have
// one trace.
func identity(x *message.Exchange, first *message.Message) (t trace) {
	id := x.Flow.ID
	part := uint64(first.From)<<31 | uint64(first.Index)
	root := part
	if x.Pair != 0 {
		root = x.Pair
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], mix(id+root*0x9e3779b97f4a7c15))
	binary.BigEndian.PutUint64(b[8:], mix(id^mix(root+1))|1)
	hex.Encode(t.trace[:], b[:])
	binary.BigEndian.PutUint64(b[:], mix(id^mix(part+2))|1) // never 0, which is no id
	hex.Encode(t.span[:], b[:8])
	return t
}

// mix spreads every bit of n over all of the result (the finalizer of
// SplitMix64).
func mix(n uint64) uint64 {
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
