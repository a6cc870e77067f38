// Package http1 reads HTTP/1.x (RFC 9112): requests and answers out of the
// bytes of a conversation, with every body decoded and every doubt marked.
//
// # What is read as what
//
// The body of a message ends where RFC 9112 section 6.3 says. Where that needs
// the request of an answer (HEAD, CONNECT) and the core cannot prove which it
// is, the bytes decide: an answer whose head promises a body, and which another
// status line follows, answered a HEAD.
//
// Transfer-Encoding wins over Content-Length, and of several different
// Content-Lengths the first counts; both are marked ConflictLength. Trailer
// fields stand behind the header fields in Message.Fields. Fields on several
// lines (obs-fold) are joined by a space and have no span.
//
// After a 2xx answer to CONNECT the decoder goes on where the client's first
// bytes inside are a request. Else, and after a 101 answer, it returns a
// protocol.Opaque that says what is spoken inside, if that is something known.
//
// # Lenience
//
// The decoder is lenient where browsers are, because what is watched was
// understood by somebody. Each leniency leaves a mark:
//
//   - lines that end without CR: BareLF
//   - white space in a target or around a field name, NUL in a head, lines
//     without a colon, an odd status line: BadHeader
//   - white space before a status line: none
//   - a chunked body whose size lines have junk behind the digits or empty
//     lines before them: BadChunk
//   - a body that is said to be chunked and is not: BadChunk, and
//     Content-Length or the end of the connection counts
//   - a body that is chunked although this is not said in so many words, in a
//     field that some reader may take for a Transfer-Encoding: ConflictLength.
//     Its first size line must be exact.
//   - a request with a field that some take for a Content-Length or a
//     Transfer-Encoding and others do not (white space or worse in its name, a
//     bare CR before it, lines that go on, line ends of both kinds), or whose
//     last coding is not chunked, or that is coded in HTTP/1.0: ConflictLength
//   - a bare CR in a request's head: BadHeader
//   - a chunk extension that ends with a bare LF: BadChunk
//   - a content coding with junk around its name, zlib and bare deflate, gzip
//     with wrong flags or checksums: none
//   - codings that were announced and not applied: BadEncoding
//
// # Missing bytes
//
// Where all missing bytes belong to content of known length the count goes on:
// the message is marked Gapped, Message.Gaps says where, Message.Body holds the
// bytes seen, one after the other, and Message.Size is still exact. Of a
// compressed body what came before the first gap is decompressed. Any other gap
// ends the message at hand, and the side is lost: its bytes are skipped until a
// segment begins with the whole start line of a message whose head has no
// fault. Nothing else is believed, so that no content is taken for a message
// but one that looks like a whole head right at the start of a segment.
//
// # Bounds
//
// Config names them. Memory for a body follows the bytes seen, but for the first
// 16 KiB. A compressed body is decompressed when it ends: a message handed on
// before has none of it.
package http1
