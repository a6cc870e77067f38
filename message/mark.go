package message

import "math/bits"

// Mark is a set of things worth saying about a message.
type Mark uint32

// The marks. Those up to CutEnd mean that the message is not complete.
const (
	StartMissing   Mark = 1 << iota // its beginning was not seen
	Gapped                          // bytes inside it are missing
	CutEnd                          // its end was not seen: the conversation ended before, or missing bytes hide where it is
	StillOpen                       // handed on before its end
	BodyTruncated                   // Body stops at the body limit; the message itself is whole
	ConflictLength                  // Content-Length and Transfer-Encoding contradict each other or themselves, or only some readers see them
	BadChunk                        // a chunked body that breaks its own coding
	BadEncoding                     // a body whose content coding is broken or unknown; Body is what could be decompressed, or as sent where nothing could
	Bomb                            // decompression stopped at its bound
	FoldedHeader                    // obs-fold (RFC 9112 section 5.2)
	BareLF                          // lines that end without CR
	HTTP09                          // a request or answer without a head
	CloseDelimited                  // the end of the connection is the end of the body
	BadHeader                       // header lines that break the grammar
	HeadTruncated                   // the head is longer than its bound; the rest was skipped
	BodyUnsent                      // the body that the head announces was never sent: the answer to its Expect was a final one (RFC 9110 section 10.1.1)
	marks
)

// Incomplete are the marks of a message that is not whole.
const Incomplete = StartMissing | Gapped | CutEnd | StillOpen | HeadTruncated

var markNames = [...]string{"start_missing", "gapped", "cut_end", "open", "body_truncated", "conflicting_length", "bad_chunk",
	"bad_encoding", "bomb", "folded_header", "bare_lf", "http09", "close_delimited", "bad_header", "head_truncated", "body_unsent"}

// Names appends the names of the marks in m to dst.
func (m Mark) Names(dst []string) []string {
	for i, n := range markNames {
		if m&(1<<i) != 0 {
			dst = append(dst, n)
		}
	}
	return dst
}

// String returns the name of the lowest mark in m, "" for none.
func (m Mark) String() string {
	if i := bits.TrailingZeros32(uint32(m)); i < len(markNames) {
		return markNames[i]
	}
	return ""
}
