package packet

func (ps *Parser) mpls(p *Packet, b []byte, depth int) Reason   { return Unsupported }
func (ps *Parser) pppoe(p *Packet, b []byte, depth int) Reason  { return Unsupported }
func (ps *Parser) ppp(p *Packet, b []byte, depth int) Reason    { return Unsupported }
func (ps *Parser) macsec(p *Packet, b []byte, depth int) Reason { return Unsupported }
func (ps *Parser) nsh(p *Packet, b []byte, depth int) Reason    { return Unsupported }
func (ps *Parser) other(p *Packet, proto Proto, b []byte, missing, depth int) Reason {
	return Unsupported
}
func (ps *Parser) udpTunnel(p *Packet, sport, dport uint16, depth int) Reason { return OK }
func (ps *Parser) fragment(p *Packet, proto Proto, id uint32, off int, more bool, b []byte, missing, depth int) Reason {
	return Held
}

type fragments struct{ handed int }

func (f *fragments) configure(c Config, seed [3]uint64) {}
func (f *fragments) takeBack()                          {}
