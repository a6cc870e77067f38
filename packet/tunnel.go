package packet

// TunnelKind names an encapsulation that carries an id of its own.
type TunnelKind uint8

// The encapsulations whose id is part of a flow's identity.
const (
	NoTunnel TunnelKind = iota
	VXLAN               // RFC 7348, id: VNI
	GENEVE              // RFC 8926, id: VNI
	GRE                 // RFC 2784 and 2890, id: key; PPTP's (RFC 2637): 0
	ERSPAN              // draft-foschiano-erspan: 0, see Tunnel
	IPIP                // RFC 2003, 4213, 2473, and Ethernet and MPLS over IP (RFC 3378, 4023, 7510): no id
	Teredo              // RFC 4380: no id
	L2TP                // RFC 2661 and 3931: 0, see Tunnel
	GTPU                // 3GPP TS 29.281: 0, see Tunnel
	AYIYA               // draft-massar-v6ops-ayiya: no id
	LISP                // RFC 9300: no id
	CAPWAP              // RFC 5415: no id
	TZSP                // TaZmen sniffer protocol, a mirror of routers: no id
)

var tunnelNames = [...]string{"", "vxlan", "geneve", "gre", "erspan", "ipip", "teredo", "l2tp", "gtp-u", "ayiya", "lisp", "capwap", "tzsp"}

// String returns the lower-case name of the kind, "" for NoTunnel.
func (k TunnelKind) String() string {
	if int(k) < len(tunnelNames) {
		return tunnelNames[k]
	}
	return "tunnel-" + itoa(uint64(k))
}

// Tunnel is the innermost tunnel a packet came through. Both directions of a
// conversation must map to the same Tunnel, so a kind whose ids differ by
// direction (GTP-U, L2TP, PPTP's GRE) or may do so (ERSPAN with a session for
// each) keeps ID 0.
type Tunnel struct {
	Kind TunnelKind
	ID   uint32
}
