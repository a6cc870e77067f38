package flow

// Stats are the counts of a Table. Payload is conserved:
//
//	Payload = Delivered + Duplicate + OutOfWindow + AfterReset + Refused + Unsampled + Copies + Pending
//
// where Pending is what Table.Pending returns.
type Stats struct {
	Packets    uint64 // given to the table
	Payload    uint64 // their transport payload, bytes as captured
	NotTCP     uint64 // packets of a transport the table does not follow
	NotTCPData uint64 // their payload, not part of Payload

	Delivered   uint64 // bytes given to streams in order
	Duplicate   uint64 // bytes seen before: retransmissions, overlaps, keep-alive probes
	OutOfWindow uint64 // bytes too far from what was expected
	AfterReset  uint64 // bytes that came with a RST, or after the conversation was closed
	Refused     uint64 // bytes of conversations that were refused at a bound
	Unsampled   uint64 // bytes of conversations outside the sample
	Copies      uint64 // bytes of packets already seen outside or inside of another tunnel

	Lost  uint64 // bytes told as gaps
	Gaps  uint64 // gaps told
	Cut   uint64 // bytes the snaplen cut, part of Lost where data followed
	Early uint64 // packets held because an earlier one, or what they answer, was still missing

	AckedUnseen uint64 // bytes that a receiver acknowledged and the capture never had: an estimate of loss that needs no kernel counter

	Opened, Finished, Idle, Evicted, Stopped uint64 // conversations
	RefusedFlows                             uint64 // packets that would have opened a conversation at the byte budget
	Hurried                                  uint64 // times that a conversation's missing bytes were given up early at the byte budget
	EvictedHalfOpen                          uint64 // part of Evicted
	MidStream                                uint64 // conversations whose beginning was not seen
	Reused                                   uint64 // conversations that took over the ports of an older one
	UnsampledPackets                         uint64
	CopyPackets                              uint64
}

// Add adds o to s.
func (s *Stats) Add(o *Stats) {
	s.Packets += o.Packets
	s.Payload += o.Payload
	s.NotTCP += o.NotTCP
	s.NotTCPData += o.NotTCPData
	s.Delivered += o.Delivered
	s.Duplicate += o.Duplicate
	s.OutOfWindow += o.OutOfWindow
	s.AfterReset += o.AfterReset
	s.Refused += o.Refused
	s.Unsampled += o.Unsampled
	s.Copies += o.Copies
	s.Lost += o.Lost
	s.Gaps += o.Gaps
	s.Cut += o.Cut
	s.Early += o.Early
	s.AckedUnseen += o.AckedUnseen
	s.Opened += o.Opened
	s.Finished += o.Finished
	s.Idle += o.Idle
	s.Evicted += o.Evicted
	s.Stopped += o.Stopped
	s.RefusedFlows += o.RefusedFlows
	s.Hurried += o.Hurried
	s.EvictedHalfOpen += o.EvictedHalfOpen
	s.MidStream += o.MidStream
	s.Reused += o.Reused
	s.UnsampledPackets += o.UnsampledPackets
	s.CopyPackets += o.CopyPackets
}
