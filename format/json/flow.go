package json

import "github.com/passiflow/passiflow/flow"

// appendFlow appends one line for a conversation at its end.
func (e *encoder) appendFlow(dst []byte, s *flow.Summary) []byte {
	f := s.Flow
	dst = append(dst, `{"schema":"passiflow.flow/1","id":"`...)
	dst = appendHex(dst, f.ID)
	dst = append(dst, `","time":`...)
	dst = e.clock.append(dst, f.Start)
	dst = append(dst, `,"transport":`...)
	dst = appendString(dst, f.Transport.String())
	dst = appendSource(dst, f)
	for side, name := range [...]string{flow.Client: `,"client":{`, flow.Server: `,"server":{`} {
		dst = append(dst, name...)
		end := f.Client
		if flow.Side(side) == flow.Server {
			end = f.Server
		}
		dst = appendEnd(dst, end)
		dst = append(dst, `,"packets":`...)
		dst = appendUint(dst, s.Packets[side])
		dst = append(dst, `,"bytes":`...)
		dst = appendUint(dst, s.Bytes[side])
		dst = append(dst, `,"delivered":`...)
		dst = appendUint(dst, s.Delivered[side])
		dst = append(dst, `,"lost":`...)
		dst = appendUint(dst, s.Lost[side])
		if s.HasDigest {
			dst = append(dst, `,"digest":"`...)
			for i := range 8 {
				d := s.Digest[side][i*4:]
				dst = appendHex32(dst, uint32(d[0])<<24|uint32(d[1])<<16|uint32(d[2])<<8|uint32(d[3]))
			}
			dst = append(dst, '"')
		}
		dst = append(dst, '}')
	}
	dst = appendPath(dst, f)
	dst = append(dst, e.labels...)
	if s.End >= f.Start {
		dst = append(dst, `,"duration_ns":`...)
		dst = appendUint(dst, uint64(s.End-f.Start))
	}
	dst = append(dst, `,"end":"`...)
	dst = append(dst, s.Reason.String()...)
	return append(dst, `"}`+"\n"...)
}
