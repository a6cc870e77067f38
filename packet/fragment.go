package packet

import (
	"bytes"
	"net/netip"
	"time"
)

const (
	maxDatagram = 65535
	// maxRanges bounds the separate pieces of one datagram. A whole one over a
	// 1500 byte MTU has 45 fragments, so that even every second one arriving
	// first fits.
	maxRanges = 64
	// reuseAge is how old a datagram must be for a contradicting fragment to
	// mean that the sender came round to the same id, and not an attack.
	reuseAge = Time(time.Second)
	// doneAge is how long a completed datagram is remembered, so that copies of
	// its fragments (a mirror that sends each frame twice) do not wait for the
	// timeout and then mix with the next datagram of that id.
	doneAge = Time(200 * time.Millisecond)
	// classes of buffers: 2 KiB, 4 KiB … 64 KiB
	minBufferBits, bufferClasses = 11, 6
)

// FragmentStats are the counts of a Parser's fragments since it was made, in
// frames unless said otherwise. Frames that returned Held = Completed + Expired
// + Shed + Replaced + Pending.
type FragmentStats struct {
	Datagrams uint64 // datagrams completed
	Completed uint64 // held, then part of a completed datagram
	Expired   uint64 // held, then dropped after FragmentTimeout
	Shed      uint64 // held, then dropped because a bound was hit
	Replaced  uint64 // held, then dropped because the sender reused the id
	Pending   uint64 // held now
	Overlaps  uint64 // fragments that contradicted bytes held already
	Bytes     int    // memory for content now, free buffers included
}

// Add adds the counts of o to s.
func (s *FragmentStats) Add(o *FragmentStats) {
	s.Datagrams += o.Datagrams
	s.Completed += o.Completed
	s.Expired += o.Expired
	s.Shed += o.Shed
	s.Replaced += o.Replaced
	s.Pending += o.Pending
	s.Overlaps += o.Overlaps
	s.Bytes += o.Bytes
}

type span struct{ from, to uint16 }

// none ends the lists of datagrams.
const none = -1

// datagram is one that is incomplete, or was completed a moment ago.
type datagram struct {
	src, dst netip.Addr
	tunnel   Tunnel
	id       uint32
	proto    Proto // IPv4: part of the key; IPv6: 0
	next     Proto // what the first fragment announced
	done     bool
	time     Time // of the first fragment; of the completion where done
	older    int32
	newer    int32
	chain    int32 // next in the same bucket
	bucket   int32
	frames   int // that returned Held
	total    int // bytes, -1 while the last fragment is not here
	hole     int // the first byte that the snaplen cut from a fragment
	ranges   int
	have     [maxRanges]span // sorted, apart from each other
	buf      []byte
}

// queue is a list of datagrams, oldest first.
type queue struct{ oldest, newest int32 }

// fragments keeps datagrams until they are complete. The overlap rule is that
// the first byte to arrive stays, for both versions of IP.
type fragments struct {
	maxBytes int
	maxSlots int
	timeout  Time
	key      uint64

	slots      []datagram
	free       int32
	live, past queue
	buckets    []int32
	pool       [bufferClasses][][]byte
	bytes      int
	handed     int // buffers that the last Parse gave out
	out        [MaxDepth + 1][]byte
	stats      FragmentStats
}

func (f *fragments) configure(c Config, seed [3]uint64) {
	f.maxBytes, f.maxSlots, f.timeout = c.FragmentBytes, c.FragmentDatagrams, Time(c.FragmentTimeout)
	f.key = seed[2]
	f.free = none
	f.live, f.past = queue{none, none}, queue{none, none}
}

// takeBack returns the buffers that the last Parse gave out.
func (f *fragments) takeBack() {
	for i := range f.handed {
		f.giveBuffer(f.out[i])
		f.out[i] = nil
	}
	f.handed = 0
}

// FragmentStats returns the counts so far.
func (ps *Parser) FragmentStats() FragmentStats {
	s := ps.frags.stats
	s.Bytes = ps.frags.bytes
	return s
}

// fragment takes one fragment: len(b)+missing bytes at off, behind a header of
// head bytes that says so. It goes on with the datagram where that is complete.
func (ps *Parser) fragment(p *Packet, proto Proto, id uint32, off int, more bool, b []byte, head, missing, depth int) Reason {
	if ps.heads != nil {
		return ps.partFragment(p, proto, id, off, b, missing, depth)
	}
	size := len(b) + missing
	end := off + size
	if size == 0 || more && size&7 != 0 || end > maxDatagram {
		return FragmentBad
	}
	f := &ps.frags
	if f.handed == len(f.out) {
		return TooDeep
	}
	f.expire(p.Time)
	v6 := p.Src.Addr().Is6()
	k := datagram{src: p.Src.Addr(), dst: p.Dst.Addr(), tunnel: p.Tunnel, id: id, next: proto}
	if !v6 {
		k.proto = proto
	}
	h := fold(ps.a^f.key, ps.b+uint64(id)<<8+uint64(k.proto)+1)
	i := f.find(&k, h)
	if i == none {
		i = f.open(&k, h, p.Time)
	}
	d := &f.slots[i]
	if age := p.Time - d.time; d.done {
		if age >= -doneAge && age <= doneAge {
			return FragmentDuplicate
		}
		f.reopen(i, p.Time)
	} else if age > f.timeout || age < -f.timeout {
		f.stats.Expired += uint64(d.frames)
		f.reopen(i, p.Time)
	}
	held, conflict, bad := d.compare(off, end, more, b)
	if (conflict || bad) && p.Time-d.time > reuseAge {
		f.stats.Replaced += uint64(d.frames)
		f.reopen(i, p.Time)
		held, conflict, bad = 0, false, false
	}
	if conflict || bad {
		f.stats.Overlaps++
	}
	if bad {
		return FragmentBad
	}
	if held == size && (more || d.total >= 0) {
		if conflict {
			return FragmentBad
		}
		return FragmentDuplicate
	}
	if !d.room(off, end) || !f.grow(i, end) {
		if d.ranges == 0 {
			f.drop(i)
		}
		return FragmentShed
	}
	if off == 0 {
		d.next = proto
	}
	d.fill(off, end, b)
	if !more {
		d.total = end
	}
	if missing > 0 {
		d.hole = min(d.hole, off+len(b))
	}
	if d.total < 0 || d.ranges != 1 || d.have[0] != (span{0, uint16(d.total)}) {
		if conflict {
			return FragmentBad
		}
		d.frames++
		f.stats.Pending++
		return Held
	}
	f.stats.Datagrams++
	f.stats.Completed += uint64(d.frames)
	f.stats.Pending -= uint64(d.frames)
	size, missing, proto = d.total, 0, d.next
	if d.hole < size {
		size, missing = d.hole, size-d.hole
	}
	joined := f.finish(i, p.Time)[:size]
	ps.inside = true
	if ps.whole.mine != nil && mayTunnel(proto) && ps.lay(p, proto, b, head, joined) {
		if joined = ps.whole.frame[ps.whole.at:]; !ps.whole.mine(p.Link, ps.whole.frame) {
			ps.whole.rest = Rest{ps.whole.frame, ps.whole.at, proto, missing, depth, ps.trials, ps.liar}
			return Elsewhere
		}
	}
	return ps.payload(p, proto, joined, missing, depth)
}

// compare tells how many of the bytes off to end are held already, whether
// some of these differ (conflict), and whether the fragment denies where the
// datagram ends (bad).
func (d *datagram) compare(off, end int, more bool, b []byte) (held int, conflict, bad bool) {
	switch {
	case d.total >= 0 && (end > d.total || more && end == d.total || !more && end != d.total):
		return 0, false, true
	case !more && d.ranges > 0 && int(d.have[d.ranges-1].to) > end:
		return 0, false, true
	}
	for _, r := range d.have[:d.ranges] {
		from, to := max(int(r.from), off), min(int(r.to), end)
		if from >= to {
			continue
		}
		held += to - from
		// Behind a cut there is nothing to compare with.
		to = min(to, d.hole, off+len(b))
		if from < to && !bytes.Equal(d.buf[from:to], b[from-off:to-off]) {
			conflict = true
		}
	}
	return held, conflict, false
}

// room tells whether the ranges have a place for off to end.
func (d *datagram) room(off, end int) bool {
	if d.ranges < maxRanges {
		return true
	}
	for _, r := range d.have[:d.ranges] {
		if int(r.to) >= off && int(r.from) <= end {
			return true
		}
	}
	return false
}

// fill copies what is not held yet and notes the range.
func (d *datagram) fill(off, end int, b []byte) {
	i, at := 0, off
	for i < d.ranges && int(d.have[i].to) < off {
		i++
	}
	from, to, j := off, end, i
	for ; j < d.ranges && int(d.have[j].from) <= end; j++ {
		r := d.have[j]
		d.put(at, min(int(r.from), end), off, b)
		at = max(at, int(r.to))
		from, to = min(from, int(r.from)), max(to, int(r.to))
	}
	d.put(at, end, off, b)
	if i == j {
		copy(d.have[i+1:d.ranges+1], d.have[i:d.ranges])
		d.ranges++
	} else if j > i+1 {
		copy(d.have[i+1:], d.have[j:d.ranges])
		d.ranges -= j - i - 1
	}
	d.have[i] = span{uint16(from), uint16(to)}
}

// put copies the bytes at to end of the fragment b, which begins at off.
func (d *datagram) put(at, end, off int, b []byte) {
	if end = min(end, off+len(b)); at < end {
		copy(d.buf[at:end], b[at-off:end-off])
	}
}
