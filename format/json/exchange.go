package json

import (
	"net/netip"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
)

func (e *encoder) appendExchange(dst []byte, x *message.Exchange) []byte {
	first := x.Request
	if first == nil {
		if first = x.Response; first == nil {
			return dst // neither half: there is nothing to say
		}
	}
	if x.Half == message.Unit {
		dst = append(dst, `{"schema":"passiflow.message/1","id":"`...)
	} else {
		dst = append(dst, `{"schema":"passiflow.exchange/1","id":"`...)
	}
	// The flow's id, then side and index of the first half: unique as far as
	// the flow's id is, and the same in every run.
	dst = appendHex(dst, x.Flow.ID)
	dst = appendHex32(dst, uint32(first.From)<<31|first.Index&(1<<31-1))
	dst = append(dst, `","time":`...)
	dst = e.clock.append(dst, first.Start)
	dst = append(dst, `,"protocol":`...)
	dst = appendString(dst, x.Protocol)
	dst = appendSource(dst, x.Flow)
	dst = append(dst, `,"client":{`...)
	dst = appendEnd(dst, x.Flow.Client)
	dst = append(dst, `},"server":{`...)
	dst = appendEnd(dst, x.Flow.Server)
	dst = append(dst, '}')
	dst = appendPath(dst, x.Flow)
	dst = append(dst, e.labels...)
	if x.Pair != 0 {
		dst = append(dst, `,"pair":"`...)
		dst = appendHex(dst, x.Pair)
		dst = append(dst, '"')
	}
	if x.Request != nil && x.Response != nil && x.Response.End >= x.Request.Start {
		dst = append(dst, `,"duration_ns":`...)
		dst = appendUint(dst, uint64(x.Response.End-x.Request.Start))
	}
	http := x.Protocol == "http"
	if m := x.Request; m != nil {
		dst = append(dst, `,"request":{"time":`...)
		dst = e.clock.append(dst, m.Start)
		if http {
			dst = appendAsked(dst, m)
			dst = e.appendHeaders(dst, m.Fields)
		} else {
			dst = appendOther(dst, x.Protocol, m)
		}
		dst = append(appendContent(dst, m), '}')
	}
	if m := x.Response; m != nil {
		dst = append(dst, `,"response":`...)
		dst = e.appendAnswer(dst, x, m, http)
	}
	if len(x.Interim) > 0 {
		dst = append(dst, `,"interim":[`...)
		for i, m := range x.Interim {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.appendAnswer(dst, x, m, http)
		}
		dst = append(dst, ']')
	}
	dst = appendIntegrity(dst, x)
	return append(dst, '}', '\n')
}

func (e *encoder) appendAnswer(dst []byte, x *message.Exchange, m *message.Message, http bool) []byte {
	dst = append(dst, `{"time":`...)
	dst = e.clock.append(dst, m.Start)
	if http {
		dst = appendAnswered(dst, m)
		dst = e.appendHeaders(dst, m.Fields)
	} else {
		dst = appendOther(dst, x.Protocol, m)
	}
	if m.Interim && x.Half == message.Unit {
		dst = append(dst, `,"interim":true`...)
	}
	return append(appendContent(dst, m), '}')
}

func appendSource(dst []byte, f *flow.Flow) []byte {
	if f.Source != "" {
		dst = append(dst, `,"source":`...)
		dst = appendString(dst, f.Source)
	}
	return dst
}

// appendPath appends what the flow came through.
func appendPath(dst []byte, f *flow.Flow) []byte {
	if f.Tunnel.Kind != 0 {
		dst = append(dst, `,"tunnel":{"kind":`...)
		dst = appendString(dst, f.Tunnel.Kind.String())
		dst = append(dst, `,"id":`...)
		dst = appendUint(dst, uint64(f.Tunnel.ID))
		dst = append(dst, '}')
	}
	if f.VLAN != 0 {
		dst = append(dst, `,"vlan":`...)
		dst = appendUint(dst, uint64(f.VLAN))
	}
	return dst
}

func appendEnd(dst []byte, a netip.AddrPort) []byte {
	dst = append(dst, `"ip":"`...)
	if ip := a.Addr(); ip.Is4() {
		b := ip.As4()
		dst = appendUint(dst, uint64(b[0]))
		dst = appendUint(append(dst, '.'), uint64(b[1]))
		dst = appendUint(append(dst, '.'), uint64(b[2]))
		dst = appendUint(append(dst, '.'), uint64(b[3]))
	} else {
		dst = ip.WithZone("").AppendTo(dst)
	}
	dst = append(dst, `","port":`...)
	return appendUint(dst, uint64(a.Port()))
}

func appendAsked(dst []byte, m *message.Message) []byte {
	dst = append(dst, `,"method":`...)
	dst = appendString(dst, m.Op)
	dst = append(dst, `,"target":`...)
	dst = appendString(dst, m.Target)
	return appendVersion(dst, m)
}

func appendAnswered(dst []byte, m *message.Message) []byte {
	if code, ok := number(m.Status); ok {
		dst = append(dst, `,"status":`...)
		dst = appendUint(dst, code)
	}
	if m.Reason != "" {
		dst = append(dst, `,"reason":`...)
		dst = appendString(dst, m.Reason)
	}
	return appendVersion(dst, m)
}

func appendVersion(dst []byte, m *message.Message) []byte {
	if m.Version != "" {
		dst = append(dst, `,"version":`...)
		dst = appendString(dst, m.Version)
	}
	return dst
}

// number reads a short decimal number.
func number(s string) (n uint64, ok bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, true
}
