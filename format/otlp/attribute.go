package otlp

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/message"
)

// attributes appends to a list.
type attributes struct {
	dst   []byte
	empty int // how long dst is without any
}

// key begins an attribute whose value is of a kind: what follows is the value
// and two braces.
func (a *attributes) key(name, kind string) {
	if len(a.dst) > a.empty {
		a.dst = append(a.dst, ',')
	}
	a.dst = append(a.dst, `{"key":"`...)
	a.dst = append(a.dst, name...)
	a.dst = append(a.dst, `","value":{"`...)
	a.dst = append(a.dst, kind...)
	a.dst = append(a.dst, `":`...)
}

func (a *attributes) text(name, value string) {
	a.key(name, "stringValue")
	a.dst = format.AppendText(a.dst, value)
	a.dst = append(a.dst, '}', '}')
}

// number appends n; the protocol writes 64-bit integers as text.
func (a *attributes) number(name string, n uint64) {
	a.key(name, "intValue")
	a.dst = append(a.dst, '"')
	a.dst = strconv.AppendUint(a.dst, n, 10)
	a.dst = append(a.dst, `"}}`...)
}

func (a *attributes) address(name string, ip netip.Addr) {
	if !ip.IsValid() {
		return
	}
	a.key(name, "stringValue")
	a.dst = append(a.dst, '"')
	a.dst = ip.WithZone("").Unmap().AppendTo(a.dst)
	a.dst = append(a.dst, `"}}`...)
}

// header appends all values of the header name, which is in lower case.
func (a *attributes) header(prefix, name string, m *message.Message) {
	open := false
	for i := range m.Fields {
		if !message.EqualFold(m.Fields[i].Name, name) {
			continue
		}
		if open {
			a.dst = append(a.dst, ',')
		} else {
			open = true
			if len(a.dst) > a.empty {
				a.dst = append(a.dst, ',')
			}
			a.dst = append(a.dst, `{"key":`...)
			a.dst = format.AppendText(a.dst, prefix+name)
			a.dst = append(a.dst, `,"value":{"arrayValue":{"values":[`...)
		}
		a.dst = append(a.dst, `{"stringValue":`...)
		a.dst = format.AppendText(a.dst, m.Fields[i].Value)
		a.dst = append(a.dst, '}')
	}
	if open {
		a.dst = append(a.dst, `]}}}`...)
	}
}

// full appends the absolute URL.
func (a *attributes) full(t target, host string, port uint16) {
	url := t.scheme + "://"
	if port == 80 {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
			host = "[" + host + "]"
		}
		url += host
	} else {
		url += net.JoinHostPort(host, strconv.Itoa(int(port)))
	}
	url += t.path
	if t.query != "" {
		url += "?" + t.query
	}
	a.text("url.full", url)
}
