package flow

import "github.com/passiflow/passiflow/packet"

// page is an early segment, or a piece of one.
type page struct {
	off   uint64
	data  []byte
	start uint64 // where its segment started, which the Linux policy compares
	ack   uint64
	time  packet.Time
	cut   int // bytes behind data that the snaplen cut
	edge  bool
	next  *page
	buf   []byte
}

func (g *page) end() uint64 { return g.off + uint64(len(g.data)+g.cut) }

const (
	pageSize = 2048
	maxFree  = 1024 // pages kept for reuse: 2 MiB
)

// newPage returns a page that holds a copy of data.
func (t *Table) newPage(data []byte) *page {
	g := t.free
	if g != nil {
		t.free = g.next
		t.frees--
		g.next = nil
	} else {
		g = &page{buf: make([]byte, 0, pageSize)}
	}
	if len(data) > cap(g.buf) {
		g.data = append([]byte(nil), data...)
	} else {
		g.data = append(g.buf[:0], data...)
	}
	t.bytes += len(data)
	return g
}

func (t *Table) freePage(g *page) {
	t.bytes -= len(g.data)
	g.data = nil
	if t.frees < maxFree {
		g.next = t.free
		t.free = g
		t.frees++
	}
}

// insert keeps a segment of side h until what comes before it is there. It
// returns how many of its bytes were already held.
func (t *Table) insert(h *half, off uint64, data []byte, cut int, ack uint64, at packet.Time, edge bool) (duplicate int) {
	start := off
	end := off + uint64(len(data)+cut)
	// Most early segments come behind all others.
	var before *page
	if h.tail != nil && off >= h.tail.end() {
		before = h.tail
	}
	for {
		g := h.pages
		if before != nil {
			g = before.next
		}
		for g != nil && g.end() <= off {
			before, g = g, g.next
		}
		if g != nil && g.off <= off && !t.newWins(start, end, g) {
			// The front is held already.
			n := min(g.end(), end) - off
			k := min(int(n), len(data))
			duplicate += k
			data = data[k:]
			cut -= int(n) - k
			off += n
			edge = false
			if off >= end {
				return duplicate
			}
			continue
		}
		piece, rest := data, end
		if g != nil && g.off < end {
			if t.newWins(start, end, g) {
				duplicate += t.cede(h, before, g, off, end)
				continue
			}
			rest = g.off
			piece = data[:min(int(rest-off), len(data))]
		}
		n := t.newPage(piece)
		n.off, n.start, n.ack, n.time, n.edge = off, start, ack, at, edge
		n.cut = int(rest-off) - len(piece)
		h.bytes += len(piece)
		n.next = g
		if before == nil {
			h.pages = n
		} else {
			before.next = n
		}
		if g == nil {
			h.tail = n
		}
		cut -= n.cut
		data = data[len(piece):]
		edge = false
		if off = rest; off >= end {
			return duplicate
		}
		before = n
	}
}

// newWins tells whether a new segment from start to end replaces what g holds.
func (t *Table) newWins(start, end uint64, g *page) bool {
	if t.cfg.Overlap != Linux {
		return false
	}
	return start < g.start || start == g.start && end > g.end()
}

// cede takes from g, which follows before, what lies between off and end, and
// returns how many bytes that were.
func (t *Table) cede(h *half, before, g *page, off, end uint64) (n int) {
	had := len(g.data)
	switch {
	case g.off < off: // keep its front
		tailFrom := end
		if g.end() > tailFrom {
			// It reaches beyond: its end becomes a page of its own.
			r := t.newPage(g.data[min(int(tailFrom-g.off), len(g.data)):])
			r.off, r.start, r.ack, r.time = tailFrom, tailFrom, g.ack, g.time
			r.cut = int(g.end()-tailFrom) - len(r.data)
			h.bytes += len(r.data)
			n -= len(r.data)
			if r.next = g.next; r.next == nil {
				h.tail = r
			}
			g.next = r
		}
		k := int(off - g.off)
		g.cut = max(0, k-len(g.data))
		g.data = g.data[:min(k, len(g.data))]
	case g.end() > end: // keep its end
		k := int(end - g.off)
		g.cut -= max(0, k-len(g.data))
		g.data = g.data[min(k, len(g.data)):]
		g.off, g.start, g.edge = end, end, false
	default:
		n = had
		h.bytes -= had
		if before == nil {
			h.pages = g.next
		} else {
			before.next = g.next
		}
		if h.tail == g {
			h.tail = before
		}
		t.freePage(g)
		return n
	}
	d := had - len(g.data)
	h.bytes -= d
	t.bytes -= d
	return n + d
}
