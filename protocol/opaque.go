package protocol

// Cause says why a decoder let go of a conversation.
type Cause uint8

// The causes.
const (
	NotSpoken Cause = iota // the bytes are not this protocol
	Tunnelled              // both sides agreed on a tunnel (HTTP CONNECT)
	Upgraded               // both sides agreed on another protocol (HTTP 101)
)

// String returns the counter name of the cause.
func (c Cause) String() string {
	switch c {
	case Tunnelled:
		return "tunnelled"
	case Upgraded:
		return "upgraded"
	}
	return "not_spoken"
}

// Opaque is the error of a decoder that has no more to say about a
// conversation, with what it learnt of the bytes that follow. Only NotSpoken is
// a fault of the traffic.
type Opaque struct {
	Cause    Cause
	Protocol string // the decoder's
	Next     string // what is spoken instead, where that is known: "tls", "websocket", "h2c"
	Server   string // the server name that a TLS client asked for (SNI), as sent
	Sample   string // the first bytes, masked: fit for one log line
}

// Error says the cause and what is known.
func (o *Opaque) Error() string {
	s := o.Protocol + ": not spoken here"
	switch {
	case o.Cause == Tunnelled:
		s = o.Protocol + ": tunnel"
	case o.Cause == Upgraded:
		s = o.Protocol + ": upgraded"
	case o.Protocol == "": // the core's word: no decoder took it
		s = "of no known protocol"
	}
	if o.Next != "" {
		s += ", now " + o.Next
	}
	if o.Server != "" {
		s += " for " + o.Server
	}
	if o.Sample != "" {
		s += ", begins " + o.Sample
	}
	return s
}

// Sample returns the first bytes of b, at most 32, as one printable word in
// which letters and digits are masked, so that it may stand in a log.
func Sample(b []byte) string {
	var out [32]byte
	n := copy(out[:], b)
	for i, c := range out[:n] {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			out[i] = 'a'
		case c >= '0' && c <= '9':
			out[i] = '0'
		case c == ' ':
			out[i] = '_'
		case c < ' ' || c > '~' || c == '"' || c == '\\':
			out[i] = '.'
		}
	}
	return string(out[:n])
}
