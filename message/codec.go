package message

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/packet"
)

// ExchangeCodec writes exchanges as bytes and reads them back: for records that
// wait on a disk. It loses nothing, but for children of fields that are nested
// deeper than MaxDepth.
//
// A record is a version, the length of what follows without the bodies, that,
// and the bodies. A change of the structures is a new version. Decode says which
// version it was given where it is not its own.
type ExchangeCodec struct{}

// MaxDepth bounds how deep fields are nested in what ExchangeCodec writes and reads.
const MaxDepth = 64

const (
	codecVersion = 2
	codecHead    = 1 + 4 // version, and the length in four bytes
)

// Append appends x to dst.
func (ExchangeCodec) Append(dst []byte, x *Exchange) []byte {
	at := len(dst)
	dst = append(dst, codecVersion, 0, 0, 0, 0)
	dst = appendFlow(dst, x.Flow)
	dst = appendText(dst, x.Protocol)
	dst = append(dst, byte(x.Half), flags(x.Presumed))
	dst = binary.LittleEndian.AppendUint64(dst, x.Pair)
	dst = appendMessage(dst, x.Request)
	dst = appendMessage(dst, x.Response)
	dst = appendCount(dst, len(x.Interim), x.Interim == nil)
	for _, m := range x.Interim {
		dst = appendMessage(dst, m)
	}
	dst = appendSummary(dst, x)
	n := min(uint64(len(dst)-at-codecHead), math.MaxUint32) // heads are bounded far below
	binary.LittleEndian.PutUint32(dst[at+1:], uint32(n))
	dst = appendBody(dst, x.Request)
	dst = appendBody(dst, x.Response)
	for _, m := range x.Interim {
		dst = appendBody(dst, m)
	}
	return dst
}

func appendFlow(dst []byte, f *flow.Flow) []byte {
	if f == nil {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	dst = binary.LittleEndian.AppendUint64(dst, f.ID)
	dst = append(dst, byte(f.Transport))
	dst = appendEnd(dst, f.Client)
	dst = appendEnd(dst, f.Server)
	dst = append(dst, byte(f.Tunnel.Kind))
	dst = binary.AppendUvarint(dst, uint64(f.Tunnel.ID))
	dst = binary.AppendUvarint(dst, uint64(f.VLAN))
	dst = binary.AppendVarint(dst, int64(f.Interface))
	dst = appendText(dst, f.Source)
	return binary.AppendVarint(dst, int64(f.Start))
}

// The forms of an address.
const (
	noAddress = iota
	address4
	address6
	addressZone // address6 with a zone
)

func appendEnd(dst []byte, a netip.AddrPort) []byte {
	ip := a.Addr()
	switch {
	case !ip.IsValid():
		dst = append(dst, noAddress)
	case ip.Is4():
		b := ip.As4()
		dst = append(append(dst, address4), b[:]...)
	default:
		b := ip.As16()
		if zone := ip.Zone(); zone != "" {
			dst = append(append(dst, addressZone), b[:]...)
			dst = appendText(dst, zone)
			break
		}
		dst = append(append(dst, address6), b[:]...)
	}
	return binary.LittleEndian.AppendUint16(dst, a.Port())
}

func appendMessage(dst []byte, m *Message) []byte {
	if m == nil {
		return append(dst, 0)
	}
	dst = append(dst, 1, byte(m.From), flags(m.Lone, m.Interim))
	dst = binary.AppendVarint(dst, int64(m.Start))
	dst = binary.AppendVarint(dst, int64(m.End)-int64(m.Start))
	dst = binary.AppendUvarint(dst, m.Begin)
	dst = binary.AppendUvarint(dst, m.Stop-m.Begin)
	for _, s := range [...]string{m.Op, m.Target, m.Status, m.Reason, m.Version} {
		dst = appendText(dst, s)
	}
	dst = appendFields(dst, m.Fields, 0)
	dst = appendCount(dst, len(m.Body), m.Body == nil)
	dst = binary.AppendVarint(dst, m.Size)
	dst = binary.AppendVarint(dst, m.WireSize)
	dst = binary.AppendVarint(dst, m.Lost)
	dst = appendCount(dst, len(m.Gaps), m.Gaps == nil)
	for _, g := range m.Gaps {
		dst = binary.AppendUvarint(dst, g.Offset)
		dst = binary.AppendUvarint(dst, g.Length)
	}
	dst = binary.AppendUvarint(dst, uint64(m.Marks))
	dst = binary.AppendUvarint(dst, m.Key)
	dst = binary.AppendUvarint(dst, uint64(m.Index))
	return binary.AppendUvarint(dst, uint64(m.Head))
}

func appendFields(dst []byte, all []Field, depth int) []byte {
	if depth >= MaxDepth {
		all = nil
	}
	dst = appendCount(dst, len(all), all == nil)
	for i := range all {
		f := &all[i]
		dst = appendText(dst, f.Name)
		dst = appendText(dst, f.Value)
		var d Detail
		if f.Detail != nil {
			d = *f.Detail
		}
		dst = binary.AppendUvarint(dst, uint64(d.Raw.Begin))
		dst = binary.AppendUvarint(dst, uint64(d.Raw.End))
		dst = appendFields(dst, d.Children, depth+1)
	}
	return dst
}

func appendBody(dst []byte, m *Message) []byte {
	if m == nil {
		return dst
	}
	return append(dst, m.Body...)
}

// The forms of a summary's flow.
const (
	noSummary = iota
	sameFlow  // as the exchange's
	otherFlow
)

func appendSummary(dst []byte, x *Exchange) []byte {
	s := x.Summary
	switch {
	case s == nil:
		return append(dst, noSummary)
	case s.Flow == x.Flow:
		dst = append(dst, sameFlow)
	default:
		dst = appendFlow(append(dst, otherFlow), s.Flow)
	}
	dst = binary.AppendVarint(dst, int64(s.End))
	dst = append(dst, byte(s.Reason), flags(s.HalfOpen, s.HasDigest))
	for _, pair := range [...][2]uint64{s.Packets, s.Bytes, s.Delivered, s.Lost} {
		dst = binary.AppendUvarint(dst, pair[0])
		dst = binary.AppendUvarint(dst, pair[1])
	}
	dst = append(dst, s.Digest[0][:]...)
	return append(dst, s.Digest[1][:]...)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// appendCount appends the length of a list, so that none and an empty one differ.
func appendCount(dst []byte, n int, none bool) []byte {
	if none {
		return append(dst, 0)
	}
	return binary.AppendUvarint(dst, uint64(n)+1)
}

func flags(all ...bool) byte {
	var b byte
	for i, set := range all {
		if set {
			b |= 1 << i
		}
	}
	return b
}

// Decode reads what Append has written. It keeps nothing of b. Whatever b is, it
// allocates no more than a small multiple of its length.
func (ExchangeCodec) Decode(b []byte) (*Exchange, error) {
	if len(b) < codecHead || b[0] == 0 {
		return nil, errNotRecord
	}
	if b[0] != codecVersion {
		return nil, fmt.Errorf("decode a record: it is of version %d, where this program reads version %d: deliver it with the program that wrote it", b[0], codecVersion)
	}
	n := uint64(binary.LittleEndian.Uint32(b[1:]))
	if n > uint64(len(b)-codecHead) {
		return nil, errNotRecord
	}
	// One string holds all the text of a record, and one slice all its bodies.
	r := &reader{rest: string(b[codecHead : codecHead+n]), bodies: make([]byte, len(b)-codecHead-int(n))}
	copy(r.bodies, b[codecHead+n:])
	x := r.exchange()
	if r.bad || r.rest != "" || len(r.bodies) != 0 {
		return nil, errNotRecord
	}
	return x, nil
}

func (r *reader) exchange() *Exchange {
	x := &Exchange{Flow: r.flow(), Protocol: r.text()}
	x.Half = Half(r.byte())
	x.Presumed = r.byte()&1 != 0
	x.Pair = r.word()
	var late [2]int // bodies come last
	x.Request, late[0] = r.message()
	x.Response, late[1] = r.message()
	n, none := r.count(1)
	var lates []int
	if !none {
		x.Interim = make([]*Message, 0, n)
	}
	for range n {
		m, body := r.message()
		x.Interim, lates = append(x.Interim, m), append(lates, body)
		if r.bad {
			return x
		}
	}
	x.Summary = r.summary(x.Flow)
	if r.bad {
		return x
	}
	r.body(x.Request, late[0])
	r.body(x.Response, late[1])
	for i, m := range x.Interim {
		r.body(m, lates[i])
	}
	return x
}

func (r *reader) flow() *flow.Flow {
	if r.byte() == 0 {
		return nil
	}
	f := &flow.Flow{ID: r.word(), Transport: packet.Proto(r.byte())}
	f.Client, f.Server = r.end(), r.end()
	f.Tunnel.Kind = packet.TunnelKind(r.byte())
	f.Tunnel.ID = uint32(r.upTo(math.MaxUint32))
	f.VLAN = uint16(r.upTo(math.MaxUint16))
	f.Interface = int(r.signed())
	f.Source = r.text()
	f.Start = packet.Time(r.signed())
	return f
}

func (r *reader) end() netip.AddrPort {
	var ip netip.Addr
	switch r.byte() {
	case noAddress:
	case address4:
		if b := r.take(4); !r.bad {
			ip = netip.AddrFrom4([4]byte([]byte(b)))
		}
	case address6:
		ip = r.address6()
	case addressZone:
		ip = r.address6().WithZone(r.text())
	default:
		r.bad = true
	}
	b := r.take(2)
	if r.bad {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ip, uint16(b[0])|uint16(b[1])<<8)
}

func (r *reader) address6() netip.Addr {
	b := r.take(16)
	if r.bad {
		return netip.Addr{}
	}
	return netip.AddrFrom16([16]byte([]byte(b)))
}

// message reads one message without its body, whose length it returns; -1: none.
func (r *reader) message() (*Message, int) {
	if r.byte() == 0 {
		return nil, 0
	}
	m := &Message{From: flow.Side(r.byte() & 1)}
	f := r.byte()
	m.Lone, m.Interim = f&1 != 0, f&2 != 0
	m.Start = packet.Time(r.signed())
	m.End = m.Start + packet.Time(r.signed())
	m.Begin = r.number()
	m.Stop = m.Begin + r.number()
	for _, s := range [...]*string{&m.Op, &m.Target, &m.Status, &m.Reason, &m.Version} {
		*s = r.text()
	}
	m.Fields = r.fields(0)
	body := int(min(r.number(), math.MaxInt32)) - 1
	m.Size, m.WireSize, m.Lost = r.signed(), r.signed(), r.signed()
	if n, none := r.count(2); !none {
		m.Gaps = make([]Gap, n)
		for i := range m.Gaps {
			m.Gaps[i] = Gap{r.number(), r.number()}
		}
	}
	m.Marks = Mark(r.upTo(math.MaxUint32))
	m.Key = r.number()
	m.Index = uint32(r.upTo(math.MaxUint32))
	m.Head = uint32(r.upTo(math.MaxUint32))
	return m, body
}

// fieldSize is what a field takes at least.
const fieldSize = 5

func (r *reader) fields(depth int) []Field {
	n, none := r.count(fieldSize)
	if none {
		return nil
	}
	if depth >= MaxDepth {
		r.bad = true
		return nil
	}
	all := make([]Field, n)
	r.owed += n * fieldSize
	for i := range all {
		f := &all[i]
		r.owed -= fieldSize
		f.Name, f.Value = r.text(), r.text()
		d := Detail{Raw: Span{uint32(r.upTo(math.MaxUint32)), uint32(r.upTo(math.MaxUint32))}}
		d.Children = r.fields(depth + 1)
		if d.Raw != (Span{}) || d.Children != nil {
			f.Detail = &d
		}
		if r.bad {
			return nil
		}
	}
	return all
}

func (r *reader) body(m *Message, n int) {
	if m == nil || n < 0 {
		return
	}
	if n > len(r.bodies) {
		r.bad = true
		return
	}
	m.Body, r.bodies = r.bodies[:n:n], r.bodies[n:]
}

func (r *reader) summary(of *flow.Flow) *flow.Summary {
	form := r.byte()
	if form == noSummary {
		return nil
	}
	s := &flow.Summary{Flow: of}
	if form == otherFlow {
		s.Flow = r.flow()
	} else if form != sameFlow {
		r.bad = true
	}
	s.End = packet.Time(r.signed())
	s.Reason = flow.Reason(r.byte())
	f := r.byte()
	s.HalfOpen, s.HasDigest = f&1 != 0, f&2 != 0
	for _, pair := range [...]*[2]uint64{&s.Packets, &s.Bytes, &s.Delivered, &s.Lost} {
		pair[0], pair[1] = r.number(), r.number()
	}
	copy(s.Digest[0][:], r.take(32))
	copy(s.Digest[1][:], r.take(32))
	return s
}
