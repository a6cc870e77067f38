// Package passiflow watches network traffic without touching it and turns it
// into records of what was said.
//
//	source → packet → flow → protocol → rule → ‖queue‖ → sink
//
// A Config names the sources to read, the protocols to look for and the outputs
// that take the records; New checks it, Run reads until the sources end or its
// context does, and Stats tells at any time what was counted. The package knows
// no component by name: sources, protocols and sinks come from the packages
// below source, protocol and sink, or from the program that uses them. The
// example shows a whole program.
//
// # Records
//
// A record is a *message.Exchange: a request with its answer, or one half and
// the reason why the other is not there. A request is joined to an answer only
// where the capture proves that they belong together. An output of UnitMessage
// gets each half as soon as it is complete, one of UnitFlow each conversation
// at its end, one of UnitChunk the bytes in order, which no rule reaches.
//
// # Goroutines
//
// Run starts one worker for each source, or Config.Workers of them for a single
// source, and returns when all have ended. A worker carries a packet from its
// source to the outputs' queues by itself; Config.Rules and the
// Pusher of an output are called by all workers. Nothing is left running after
// Run.
//
// # Ownership
//
// New takes over the sources, also where it fails; Run closes them. The outputs
// stay the caller's, who closes their queues after Run. A packet's bytes are
// borrowed from its source, so that a Filter or Frames must copy what it keeps.
// A message's memory is its own: a record may be kept for ever, and once it was
// given to an output nobody may write to it, because several outputs share it.
//
// # Time
//
// Time comes from the packets, so that a file gives the same records in every
// run. The clock only moves timeouts on where a live source has nothing to give.
package passiflow
