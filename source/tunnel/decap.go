package tunnel

import (
	"encoding/binary"

	"github.com/passiflow/passiflow/packet"
)

const (
	etherIPv4     = 0x0800
	etherIPv6     = 0x86dd
	etherBridging = 0x6558 // transparent Ethernet bridging
	minEthernet   = 14
)

// decapsulate returns the frame inside a datagram. ok is false when there is
// none; frame is nil in a control message, which is not for us.
func decapsulate(kind packet.TunnelKind, b []byte) (frame []byte, link packet.Link, id uint32, ok bool) {
	if len(b) < 8 {
		return nil, 0, 0, false
	}
	id = binary.BigEndian.Uint32(b[4:]) >> 8
	if kind == packet.GENEVE {
		return geneve(b, id)
	}
	return vxlan(b, id)
}

// vxlan reads RFC 7348 section 5, and where the header says so a protocol other
// than Ethernet (draft-ietf-nvo3-vxlan-gpe section 3).
func vxlan(b []byte, id uint32) ([]byte, packet.Link, uint32, bool) {
	const (
		flagID       = 0x08
		flagProtocol = 0x04
		flagControl  = 0x01
	)
	if b[0]&flagID == 0 {
		return nil, 0, 0, false // nothing says which network it is
	}
	if b[0]&flagProtocol == 0 {
		return ethernet(b[8:], id)
	}
	if b[0]&flagControl != 0 {
		return nil, 0, id, true
	}
	switch b[3] {
	case 1:
		return ip(b[8:], packet.LinkIPv4, 4, 20, id)
	case 2:
		return ip(b[8:], packet.LinkIPv6, 6, 40, id)
	case 3:
		return ethernet(b[8:], id)
	}
	return nil, 0, 0, false
}

// geneve reads RFC 8926 section 3.4. Options are passed over, also critical
// ones: they matter to who forwards the frame, not to who looks at it.
func geneve(b []byte, id uint32) ([]byte, packet.Link, uint32, bool) {
	if b[0]>>6 != 0 { // version
		return nil, 0, 0, false
	}
	if b[1]&0x80 != 0 {
		return nil, 0, id, true
	}
	start := 8 + 4*int(b[0]&0x3f)
	if len(b) < start {
		return nil, 0, 0, false
	}
	switch binary.BigEndian.Uint16(b[2:]) {
	case etherBridging:
		return ethernet(b[start:], id)
	case etherIPv4:
		return ip(b[start:], packet.LinkIPv4, 4, 20, id)
	case etherIPv6:
		return ip(b[start:], packet.LinkIPv6, 6, 40, id)
	}
	return nil, 0, 0, false
}

func ethernet(b []byte, id uint32) ([]byte, packet.Link, uint32, bool) {
	if len(b) < minEthernet {
		return nil, 0, 0, false
	}
	return b[:len(b):len(b)], packet.LinkEthernet, id, true
}

func ip(b []byte, link packet.Link, version byte, least int, id uint32) ([]byte, packet.Link, uint32, bool) {
	if len(b) < least || b[0]>>4 != version {
		return nil, 0, 0, false
	}
	return b[:len(b):len(b)], link, id, true
}
