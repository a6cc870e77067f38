package packet

// TunnelKind names an encapsulation that carries an id of its own.
type TunnelKind uint8

// The encapsulations whose id is part of a flow's identity.
const (
	NoTunnel TunnelKind = iota
	VXLAN               // RFC 7348, id: VNI
	GENEVE              // RFC 8926, id: VNI
	GRE                 // RFC 2784 and 2890, id: key
	ERSPAN              // draft-foschiano-erspan, id: session id
	IPIP                // RFC 2003, 4213, 2473: no id
	Teredo              // RFC 4380: no id
	L2TP                // RFC 2661 and 3931, id: session id
	GTPU                // 3GPP TS 29.281, id: TEID
	AYIYA               // draft-massar-v6ops-ayiya: no id
)

var tunnelNames = [...]string{"", "vxlan", "geneve", "gre", "erspan", "ipip", "teredo", "l2tp", "gtp-u", "ayiya"}

// String returns the lower-case name of the kind, "" for NoTunnel.
func (k TunnelKind) String() string {
	if int(k) < len(tunnelNames) {
		return tunnelNames[k]
	}
	return "tunnel-" + itoa(uint64(k))
}

// Tunnel is the innermost tunnel a packet came through. Both directions of a
// conversation must map to the same Tunnel, so a kind whose ids differ by
// direction (GTP-U, L2TP, ERSPAN of a pair of sessions) keeps ID 0.
type Tunnel struct {
	Kind TunnelKind
	ID   uint32
}
