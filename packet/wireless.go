package packet

// radiotap reads the header of a monitoring wireless card: version, pad,
// length and present words in little endian.
func (ps *Parser) radiotap(p *Packet, b []byte, depth int) Reason {
	if len(b) < 8 {
		return short(p)
	}
	n := int(le16(b[2:]))
	if b[0] != 0 || n < 8 {
		return Malformed
	}
	if len(b) < n {
		return short(p)
	}
	// The flags field is the first but for the 8 byte timer; the words of
	// presence before it go on while bit 31 is set.
	at := 4
	for at+4 <= n && b[at+3]&0x80 != 0 {
		at += 4
	}
	at += 4
	if b[4]&1 != 0 {
		at = (at+7)&^7 + 8
	}
	align := 0
	if b[4]&2 != 0 && at < n && b[at]&0x20 != 0 { // the header was padded to 4
		align = 4
	}
	return ps.dot11(p, b[n:], depth, align)
}

// dot11 reads an IEEE 802.11 data frame in the clear. The bytes of the frame
// control may be exchanged, as some access points send it.
func (ps *Parser) dot11(p *Packet, b []byte, depth, align int) Reason {
	if depth > MaxDepth {
		return TooDeep
	}
	if len(b) < 24 {
		return short(p)
	}
	kind, flags := b[0], b[1]
	if kind&0x0c != 0x08 && flags&0x4f == 0x08 {
		kind, flags = flags, kind
	}
	if kind&0x0c != 0x08 || kind&0x40 != 0 { // not data, or no data in it
		return NotIP
	}
	if flags&0x40 != 0 {
		return Unsupported
	}
	n, bundle := 24, false
	if flags&3 == 3 { // between stations: a fourth address
		n += 6
	}
	if kind&0x80 != 0 { // quality of service
		if len(b) < n+2 {
			return short(p)
		}
		bundle = b[n]&0x80 != 0
		n += 2
	}
	if align > 0 {
		n = (n + align - 1) / align * align
	}
	if bundle { // more than one packet: the first is read
		n += 14
	}
	if kind&0x80 != 0 && flags&0x80 != 0 && (len(b) < n+2 || be16(b[n:]) != 0xaaaa) {
		n += 4 // the control field of high throughput, if it is there
	}
	if len(b) < n {
		return short(p)
	}
	return ps.llc(p, b[n:], depth)
}

func le16(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}
