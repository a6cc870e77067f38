package json

import (
	"encoding/base64"
	"math/bits"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// appendContent appends the body and the marks of one half.
func appendContent(dst []byte, m *message.Message) []byte {
	if body := format.Body(m); len(body) > 0 {
		dst = append(dst, `,"body":"`...)
		at := len(dst)
		var ok bool
		if dst, ok = appendText(dst, body); ok {
			dst = append(dst, '"')
		} else {
			dst = base64.StdEncoding.AppendEncode(dst[:at], m.Body)
			dst = append(dst, `","body_encoding":"base64"`...)
		}
	}
	if m.Size >= 0 {
		dst = append(dst, `,"body_size":`...)
		dst = appendUint(dst, uint64(m.Size))
	}
	if m.WireSize >= 0 && m.WireSize != m.Size {
		dst = append(dst, `,"body_wire_size":`...)
		dst = appendUint(dst, uint64(m.WireSize))
	}
	if m.Marks == 0 {
		return dst
	}
	if m.Marks&message.BodyTruncated != 0 {
		dst = append(dst, `,"body_truncated":true`...)
	}
	if rest := m.Marks &^ message.BodyTruncated; rest != 0 {
		dst = append(dst, `,"marks":[`...)
		for sep := false; rest != 0; sep = true {
			if sep {
				dst = append(dst, ',')
			}
			one := message.Mark(1) << bits.TrailingZeros32(uint32(rest))
			dst = appendString(dst, one.String())
			rest &^= one
		}
		dst = append(dst, ']')
	}
	return dst
}

// appendIntegrity appends whether the record is whole, or what it lacks.
func appendIntegrity(dst []byte, x *message.Exchange) []byte {
	var all message.Mark
	var lost int64
	halves := 0
	if m := x.Request; m != nil {
		all, lost = m.Marks, m.Lost
		halves++
	}
	if m := x.Response; m != nil {
		all, lost = all|m.Marks, lost+m.Lost
		halves++
	}
	for _, m := range x.Interim {
		all, lost = all|m.Marks, lost+m.Lost
	}
	lone := x.Half == message.Unit || x.Half == message.LoneMessage
	if all&message.Incomplete == 0 && lost == 0 && (lone || x.Half == message.Whole && halves == 2) {
		if x.Presumed {
			return append(dst, `,"integrity":{"complete":true,"pairing":"presumed"}`...)
		}
		return append(dst, `,"integrity":{"complete":true}`...)
	}
	dst = append(dst, `,"integrity":{"complete":false`...)
	if x.Presumed {
		dst = append(dst, `,"pairing":"presumed"`...)
	}
	if !lone && x.Half != message.Whole {
		dst = append(dst, `,"half":`...)
		dst = appendString(dst, x.Half.String())
	}
	if all&message.StartMissing != 0 {
		dst = append(dst, `,"start_missing":true`...)
	}
	if all&(message.CutEnd|message.HeadTruncated) != 0 {
		dst = append(dst, `,"truncated":true`...)
	}
	if all&message.StillOpen != 0 {
		dst = append(dst, `,"open":true`...)
	}
	if lost > 0 {
		dst = append(dst, `,"lost":`...)
		dst = appendUint(dst, uint64(lost))
	}
	mark := len(dst)
	dst = append(dst, `,"gaps":[`...)
	empty := len(dst)
	dst = appendGaps(dst, empty, "request", x.Request)
	dst = appendGaps(dst, empty, "response", x.Response)
	for _, m := range x.Interim {
		dst = appendGaps(dst, empty, "interim", m)
	}
	if len(dst) == empty {
		dst = dst[:mark]
	} else {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendGaps(dst []byte, empty int, in string, m *message.Message) []byte {
	if m == nil {
		return dst
	}
	for _, g := range m.Gaps {
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"in":"`...)
		dst = append(dst, in...)
		dst = append(dst, `","offset":`...)
		dst = appendUint(dst, g.Offset)
		dst = append(dst, `,"length":`...)
		dst = appendUint(dst, g.Length)
		dst = append(dst, '}')
	}
	return dst
}

// appendOther appends what a protocol other than HTTP says, as an object with
// the protocol's name.
func appendOther(dst []byte, protocol string, m *message.Message) []byte {
	dst = append(dst, ',')
	dst = appendString(dst, protocol)
	dst = append(dst, ":{"...)
	open := len(dst)
	for _, v := range [...]struct{ name, value string }{
		{`"op":`, m.Op}, {`"target":`, m.Target}, {`"status":`, m.Status}, {`"reason":`, m.Reason}, {`"version":`, m.Version},
	} {
		if v.value != "" {
			if len(dst) > open {
				dst = append(dst, ',')
			}
			dst = append(dst, v.name...)
			dst = appendString(dst, v.value)
		}
	}
	if len(m.Fields) > 0 {
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = append(dst, `"fields":`...)
		dst = appendFields(dst, m.Fields)
	}
	return append(dst, '}')
}

func appendFields(dst []byte, fields []message.Field) []byte {
	dst = append(dst, '[')
	for i := range fields {
		f := &fields[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"name":`...)
		dst = appendString(dst, f.Name)
		dst = append(dst, `,"value":`...)
		dst = appendString(dst, f.Value)
		if f.Detail != nil && len(f.Detail.Children) > 0 {
			dst = append(dst, `,"fields":`...)
			dst = appendFields(dst, f.Detail.Children)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
