package packet

// Reason says what became of a frame in Parse. Everything but OK is a way out
// of the walk that the ledger counts by this name.
type Reason uint8

// The ways out of Parse.
const (
	OK                Reason = iota // Src, Dst, Proto and Payload are set
	Held                            // a fragment, kept until its datagram is complete
	Malformed                       // a header contradicts itself or the frame
	Truncated                       // the snaplen cut a header
	NotIP                           // a frame that carries no IP, such as ARP
	Unsupported                     // a link type or transport Parse does not read
	TooDeep                         // more than MaxDepth encapsulations
	FragmentBad                     // a fragment that contradicts bytes held already, or exceeds a datagram
	FragmentShed                    // a fragment refused because a bound was hit
	FragmentDuplicate               // a fragment whose bytes were all held already
	Elsewhere                       // it made a datagram whole that another Parser goes on with; see Parser.Route
	reasons
)

// Reasons is the count of Reason values.
const Reasons = int(reasons)

var reasonNames = [Reasons]string{"ok", "held_fragment", "malformed", "truncated", "not_ip", "unsupported", "too_deep", "fragment_bad", "fragment_shed", "fragment_duplicate", "handover_full"}

// String returns the counter name of the reason.
func (r Reason) String() string {
	if int(r) < Reasons {
		return reasonNames[r]
	}
	return "reason-" + itoa(uint64(r))
}
