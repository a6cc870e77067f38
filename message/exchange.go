package message

import "github.com/passiflow/passiflow/flow"

// Exchange is a request with its answer. Either half may be nil; Half then says
// why. For an output of conversations both halves are nil and Summary is set.
type Exchange struct {
	Flow     *flow.Flow
	Protocol string // "http"
	Request  *Message
	Response *Message
	Interim  []*Message // answers before the answer
	Half     Half
	Pair     uint64 // not 0: ties halves that were told apart
	Presumed bool   // both halves are here, joined by their order, which a client that pipelines could make wrong; nothing contradicted it
	Summary  *flow.Summary
}

// Half says why an exchange has only one half.
type Half uint8

// The reasons for a half.
const (
	Whole         Half = iota
	NoAnswer           // the conversation ended and no answer came
	AnswerLate         // no answer within the answer wait
	AnswerLost         // bytes of the answering side are missing
	RequestLost        // bytes of the asking side are missing
	RequestUnseen      // the conversation began before the capture, or only one side is seen
	PairUnproven       // both may have been seen, but nothing proves that they belong together
	Unasked            // an answer that came before any request, or one too many
	LoneMessage        // the protocol expects no partner
	OneSided           // the other side of the conversation was never seen
	Unit               // the output asked for single messages
	// Halves is the count of Half values.
	Halves
)

var halfNames = [Halves]string{"", "no_answer", "answer_late", "answer_lost", "request_lost", "request_unseen", "pair_unproven", "unasked", "lone", "one_sided", ""}

// String returns the name used in records, "" for Whole and Unit.
func (h Half) String() string {
	if h < Halves {
		return halfNames[h]
	}
	return ""
}
