// Package har writes exchanges as entries of an HTTP archive, version 1.2
// (http://www.softwareishard.com/blog/har-12-spec/), which the tools of browsers
// open. The file around them is the sink's.
package har

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// Config is what can be set: nothing.
type Config struct{}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{} }

// New returns the format. Append writes one entry without a line end, and
// nothing for what is not HTTP.
func New(Config) format.Format { return har{} }

type har struct{}

// ContentType returns the media type of an entry.
func (har) ContentType() string { return "application/json" }

// Append implements format.Format.
func (har) Append(dst []byte, x *message.Exchange) []byte {
	first := x.Request
	if first == nil {
		first = x.Response
	}
	if x.Protocol != "http" || first == nil || x.Flow == nil {
		return dst
	}
	dst = append(dst, `{"startedDateTime":`...)
	dst = appendTime(dst, first.Start)
	send, wait, receive := timings(x)
	dst = append(dst, `,"time":`...)
	dst = appendMillis(dst, send+wait+receive)
	dst = append(dst, `,"request":`...)
	dst = appendRequest(dst, x)
	dst = append(dst, `,"response":`...)
	dst = appendResponse(dst, x)
	// Nothing is known of name lookup, connection and queueing in the client.
	dst = append(dst, `,"cache":{},"timings":{"blocked":-1,"dns":-1,"connect":-1,"ssl":-1,"send":`...)
	dst = appendMillis(dst, send)
	dst = append(dst, `,"wait":`...)
	dst = appendMillis(dst, wait)
	dst = append(dst, `,"receive":`...)
	dst = appendMillis(dst, receive)
	dst = append(dst, '}')
	if ip := x.Flow.Server.Addr(); ip.IsValid() {
		dst = append(dst, `,"serverIPAddress":"`...)
		dst = ip.WithZone("").Unmap().AppendTo(dst)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"connection":"`...)
	dst = appendHex(dst, x.Flow.ID)
	dst = append(dst, '"')
	return append(appendMore(dst, x, first), '}')
}

// timings divides the time from the first byte of the request to the last of
// the answer. A half that was not seen takes none.
func timings(x *message.Exchange) (send, wait, receive packet.Time) {
	q, a := x.Request, x.Response
	if q != nil {
		send = max(q.End-q.Start, 0)
	}
	if a == nil {
		return send, 0, 0
	}
	receive = max(a.End-a.Start, 0)
	if q == nil {
		return 0, 0, receive
	}
	whole := max(a.End-q.Start, 0)
	wait = max(a.Start-q.End, 0)
	// An answer that begins before the request has ended takes from the sending.
	send = max(min(send, whole-wait-receive), 0)
	return send, wait, min(receive, whole-wait-send)
}

func appendMillis(dst []byte, t packet.Time) []byte {
	return strconv.AppendFloat(dst, float64(t)/1e6, 'f', -1, 64)
}

func appendTime(dst []byte, t packet.Time) []byte {
	dst = append(dst, '"')
	dst = t.Time().UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
	return append(dst, '"')
}

func appendHex(dst []byte, n uint64) []byte {
	for i := 60; i >= 0; i -= 4 {
		dst = append(dst, "0123456789abcdef"[n>>i&15])
	}
	return dst
}

func appendRequest(dst []byte, x *message.Exchange) []byte {
	m := x.Request
	if m == nil {
		m = &message.Message{Size: -1, WireSize: -1}
	}
	dst = append(dst, `{"method":`...)
	dst = format.AppendText(dst, m.Op)
	dst = append(dst, `,"url":`...)
	dst = format.AppendText(dst, address(x, m))
	dst = appendVersion(dst, m)
	dst = append(dst, `,"cookies":[`...)
	dst = appendSent(dst, m.Fields)
	dst = append(dst, `],"headers":`...)
	dst = appendHeaders(dst, m.Fields)
	dst = append(dst, `,"queryString":[`...)
	dst = appendQuery(dst, m.Target)
	dst = append(dst, ']')
	dst = appendPosted(dst, m)
	return append(appendSizes(dst, m), '}')
}

func appendResponse(dst []byte, x *message.Exchange) []byte {
	m := x.Response
	if m == nil {
		m = &message.Message{Size: -1, WireSize: -1}
	}
	dst = append(dst, `{"status":`...)
	code, err := strconv.ParseUint(m.Status, 10, 16)
	if err != nil {
		code = 0 // as browsers write it where no answer came
	}
	dst = strconv.AppendUint(dst, code, 10)
	dst = append(dst, `,"statusText":`...)
	dst = format.AppendText(dst, m.Reason)
	dst = appendVersion(dst, m)
	dst = append(dst, `,"cookies":[`...)
	dst = appendSet(dst, m.Fields)
	dst = append(dst, `],"headers":`...)
	dst = appendHeaders(dst, m.Fields)
	dst = append(dst, `,"content":`...)
	dst = appendContent(dst, m)
	dst = append(dst, `,"redirectURL":`...)
	location, _ := m.Get("Location")
	dst = format.AppendText(dst, location)
	return append(appendSizes(dst, m), '}')
}

func appendVersion(dst []byte, m *message.Message) []byte {
	dst = append(dst, `,"httpVersion":`...)
	if m.Version == "" {
		return append(dst, `"unknown"`...)
	}
	return format.AppendText(dst, "HTTP/"+m.Version)
}

func appendSizes(dst []byte, m *message.Message) []byte {
	dst = append(dst, `,"headersSize":-1,"bodySize":`...)
	return strconv.AppendInt(dst, max(m.WireSize, -1), 10)
}

func appendHeaders(dst []byte, fields []message.Field) []byte {
	dst = append(dst, '[')
	for i := range fields {
		dst = appendPair(dst, i > 0, fields[i].Name, fields[i].Value)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendPair appends name and value, with the object still open.
func appendPair(dst []byte, more bool, name, value string) []byte {
	if more {
		dst = append(dst, ',')
	}
	dst = append(dst, `{"name":`...)
	dst = format.AppendText(dst, name)
	dst = append(dst, `,"value":`...)
	return format.AppendText(dst, value)
}

// appendContent appends the body of an answer.
func appendContent(dst []byte, m *message.Message) []byte {
	dst = append(dst, `{"size":`...)
	size := m.Size
	if size < 0 {
		size = int64(len(m.Body))
	}
	dst = strconv.AppendInt(dst, size, 10)
	if m.WireSize >= 0 && m.Size > m.WireSize {
		dst = append(dst, `,"compression":`...)
		dst = strconv.AppendInt(dst, m.Size-m.WireSize, 10)
	}
	dst = append(dst, `,"mimeType":`...)
	kind, ok := m.Get("Content-Type")
	if !ok {
		kind = "x-unknown"
	}
	dst = format.AppendText(dst, kind)
	if body := format.Body(m); len(body) > 0 {
		dst = append(dst, `,"text":`...)
		if utf8.Valid(body) {
			dst = format.AppendQuoted(dst, body)
		} else {
			dst = appendBase64(dst, m.Body)
			dst = append(dst, `,"encoding":"base64"`...)
		}
	}
	return append(dst, '}')
}

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// appendMore appends what the archive has no place for, under names that begin
// with an underscore, as its specification wants.
func appendMore(dst []byte, x *message.Exchange, first *message.Message) []byte {
	dst = append(dst, `,"_id":"`...)
	dst = format.AppendID(dst, x.Flow, first)
	dst = append(dst, `","_client":{"ip":`...)
	dst = format.AppendEnd(dst, x.Flow.Client)
	dst = append(dst, `},"_server":{"ip":`...)
	dst = format.AppendEnd(dst, x.Flow.Server)
	dst = append(dst, '}')
	if x.Flow.Source != "" {
		dst = append(dst, `,"_source":`...)
		dst = format.AppendText(dst, x.Flow.Source)
	}
	if x.Pair != 0 {
		dst = append(dst, `,"_pair":"`...)
		dst = appendHex(dst, x.Pair)
		dst = append(dst, '"')
	}
	for i, m := range x.Interim {
		if i == 0 {
			dst = append(dst, `,"_interim":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"status":`...)
		dst = format.AppendText(dst, m.Status)
		dst = append(dst, `,"headers":`...)
		dst = appendHeaders(dst, m.Fields)
		dst = append(dst, '}')
	}
	if len(x.Interim) > 0 {
		dst = append(dst, ']')
	}
	return appendIntegrity(dst, x)
}

// appendIntegrity appends whether the exchange is whole, or what it lacks.
func appendIntegrity(dst []byte, x *message.Exchange) []byte {
	var all message.Mark
	var lost int64
	halves := 0
	for _, m := range append([]*message.Message{x.Request, x.Response}, x.Interim...) {
		if m != nil {
			all, lost = all|m.Marks, lost+m.Lost
			halves++
		}
	}
	whole := all&message.Incomplete == 0 && lost == 0 && x.Half == message.Whole && x.Request != nil && x.Response != nil
	dst = append(dst, `,"_integrity":{"complete":`...)
	dst = strconv.AppendBool(dst, whole)
	if x.Presumed {
		dst = append(dst, `,"pairing":"presumed"`...)
	}
	if half := x.Half.String(); half != "" {
		dst = append(dst, `,"half":`...)
		dst = format.AppendText(dst, half)
	}
	if lost > 0 {
		dst = append(dst, `,"lost":`...)
		dst = strconv.AppendInt(dst, lost, 10)
	}
	if all != 0 {
		dst = append(dst, `,"marks":[`...)
		for i, name := range all.Names(nil) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = format.AppendText(dst, name)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}
