package resurface

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// pair is one entry of the message.
type pair struct {
	name  *name
	value string
}

// build fills w with the pairs of x, as they are before the rules, in the order
// in which Resurface's own programs send them.
func (e *encoder) build(x *message.Exchange, w *work) {
	q, a := x.Request, x.Response
	w.pairs, w.spent = w.pairs[:0], 0
	w.add(w.fixed(requestMethod), q.Op)
	location, query := locate(q, x)
	w.add(w.fixed(requestURL), location)
	w.add(w.fixed(responseCode), a.Status)
	w.add(w.fixed(requestBody), e.body(q))
	e.requestHeaders(x, w)
	params(query, func(key, value string) { w.add(w.name(requestParam, key), value) })
	for i := range a.Fields {
		f := &a.Fields[i]
		if !hidden(f.Name, false) {
			w.add(w.name(responseHeader, f.Name), f.Value)
		}
	}
	w.add(w.fixed(responseBody), e.body(a))
	if len(e.rules.copies) > 0 {
		e.sessionFields(q, w)
	}
	w.add(w.fixed(now), strconv.FormatInt(int64(a.Start)/1e6, 10))
	w.add(w.fixed(interval), strconv.FormatInt(max(int64(a.Start-q.Start)/1e6, 1), 10))
}

func (w *work) add(n *name, value string) {
	w.pairs = append(w.pairs, pair{n, value})
}

func (e *encoder) requestHeaders(x *message.Exchange, w *work) {
	for i := range x.Request.Fields {
		f := &x.Request.Fields[i]
		if hidden(f.Name, true) || e.client != "" && message.EqualFold(f.Name, e.client) {
			continue
		}
		w.add(w.name(requestHeader, f.Name), f.Value)
	}
	if e.client != "" && x.Flow != nil {
		if ip := x.Flow.Client.Addr(); ip.IsValid() {
			w.add(w.name(requestHeader, e.client), plain(ip))
		}
	}
}

func plain(ip netip.Addr) string { return ip.Unmap().WithZone("").String() }

// hidden are the header fields that say how a message travels; the host is in
// the URL.
func hidden(name string, request bool) bool {
	switch len(name) {
	case len("Host"):
		return request && message.EqualFold(name, "Host")
	case len("Trailer"):
		return message.EqualFold(name, "Trailer")
	case len("Transfer-Encoding"):
		return message.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

// body returns the decoded body, "" where a part of it is missing or what was
// sent could not be decoded: half of a body would pass for a whole one.
func (e *encoder) body(m *message.Message) string {
	const broken = message.StartMissing | message.Gapped | message.CutEnd | message.BadChunk | message.BadEncoding
	if m.Marks&broken != 0 && m.Marks&message.StillOpen == 0 || m.Lost > 0 {
		return ""
	}
	b := format.Body(m)
	b = b[:min(len(b), e.limit)]
	return unsafe.String(unsafe.SliceData(b), len(b)) // nobody writes into a body, and the pairs end with this call
}

// sessionFields adds the cookies of the request that a rule asks for.
func (e *encoder) sessionFields(q *message.Message, w *work) {
	for i := range q.Fields {
		if !message.EqualFold(q.Fields[i].Name, "Cookie") {
			continue
		}
		for rest := q.Fields[i].Value; rest != ""; {
			var one string
			one, rest, _ = strings.Cut(rest, ";")
			key, value, _ := strings.Cut(strings.TrimSpace(one), "=")
			if key = strings.TrimSpace(key); key == "" {
				continue
			}
			if n := w.name(sessionField, key); n.copied {
				value = strings.TrimSpace(value)
				if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
					value = value[1 : len(value)-1]
				}
				w.add(n, value)
			}
		}
	}
}

// lower is strings.ToLower for keys. Bytes that are no text stay as they are.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf {
			return strings.ToLower(s)
		}
	}
	return s
}
