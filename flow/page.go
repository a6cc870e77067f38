package flow

import (
	"math/bits"
	"slices"

	"github.com/passiflow/passiflow/packet"
)

// page is an early segment, or a piece of one.
type page struct {
	off         uint64
	data        []byte
	start, stop uint64 // of its whole segment, which the Linux policy compares
	ack         uint64
	time        packet.Time
	cut         int // bytes behind data that the snaplen cut
	edge        bool
	next        *page
	buf         []byte
}

func (g *page) end() uint64 { return g.off + uint64(len(g.data)+g.cut) }

const (
	pageSize  = 2048    // the smallest page
	pageSizes = 6       // each twice as large as the one before: 64 KiB holds what a card merges
	maxFree   = 2 << 20 // bytes of pages kept for reuse
)

// size returns the memory that g takes.
func (g *page) size() int { return cap(g.buf) }

// newPage returns a page of side h that holds a copy of data.
func (t *Table) newPage(h *half, data []byte) *page {
	k := 0
	if len(data) > pageSize {
		k = bits.Len(uint(len(data)-1) / pageSize)
	}
	var g *page
	switch {
	case k >= pageSizes:
		g = &page{buf: make([]byte, 0, len(data))}
	case t.free[k] != nil:
		g = t.free[k]
		t.free[k], g.next = g.next, nil
		t.frees -= g.size()
	default:
		g = &page{buf: make([]byte, 0, pageSize<<k)}
	}
	g.data = append(g.buf[:0], data...)
	t.bytes += len(data)
	h.bytes += len(data)
	t.held += g.size()
	h.held += g.size()
	return g
}

// freePage keeps g, which no side holds any more, for reuse.
func (t *Table) freePage(g *page) {
	n := g.size()
	t.held -= n
	if k := bits.Len(uint(n-1) / pageSize); k < pageSizes && t.frees+n <= maxFree {
		g.data = nil
		g.next = t.free[k]
		t.free[k] = g
		t.frees += n
	}
}

// link puts g behind the page before, first where that is nil.
func (h *half) link(before, g *page) {
	if before == nil {
		g.next, h.pages = h.pages, g
	} else {
		g.next, before.next = before.next, g
	}
	if g.next == nil {
		h.tail = g
	}
	if h.index != nil {
		h.index = slices.Insert(h.index, h.rank(g), g)
	}
}

// unlink takes g, which follows before, from the side.
func (h *half) unlink(before, g *page) {
	if before == nil {
		h.pages = g.next
	} else {
		before.next = g.next
	}
	if h.tail == g {
		h.tail = before
	}
	switch {
	case h.index == nil:
	case h.pages == nil:
		h.index = nil
	case before == nil:
		h.index[0] = nil
		h.index = h.index[1:]
	default:
		i := h.rank(g)
		h.index = slices.Delete(h.index, i, i+1)
	}
	h.bytes -= len(g.data)
	h.held -= g.size()
}

// indexFrom is from how much memory in pages on a side has an index. Only those
// who send scattered bytes on purpose get there: without it, each of their
// segments would be searched for along two thousand pages.
const indexFrom = 64 * pageSize

// seek returns the last page that ends at off or before, nil for none.
func (h *half) seek(off uint64) *page {
	if h.index == nil {
		if h.held <= indexFrom {
			return nil // whoever searches begins at the first
		}
		for g := h.pages; g != nil; g = g.next {
			h.index = append(h.index, g)
		}
	}
	i, j := 0, len(h.index)
	for i < j {
		if m := int(uint(i+j) / 2); h.index[m].end() <= off {
			i = m + 1
		} else {
			j = m
		}
	}
	if i == 0 {
		return nil
	}
	return h.index[i-1]
}

// rank returns the place of g in the index: behind all pages before it.
func (h *half) rank(g *page) int {
	i, j := 0, len(h.index)
	for i < j {
		if m := int(uint(i+j) / 2); h.index[m].off < g.off {
			i = m + 1
		} else {
			j = m
		}
	}
	for i < len(h.index) && h.index[i] != g && h.index[i].off == g.off {
		i++ // of those that a late SYN has moved to one place
	}
	return i
}

// early is a segment on its way into the pages of a side.
type early struct {
	off         uint64 // of what is left of it
	start, stop uint64 // of the whole
	data        []byte
	cut         int // bytes behind data that the snaplen cut
	ack         uint64
	time        packet.Time
	edge        bool
}

// pass drops the first n bytes of s and returns how many of them the capture has.
func (s *early) pass(n uint64) (had int) {
	had = min(int(n), len(s.data))
	s.data = s.data[had:]
	s.cut -= int(n) - had
	s.off += n
	s.edge = false
	return had
}

// insert keeps s until what comes before it is there. It returns how many bytes
// were there twice.
func (t *Table) insert(h *half, s early) (duplicate int) {
	var before *page
	if h.tail != nil && s.off >= h.tail.end() {
		before = h.tail // most come behind all others
	} else {
		before = h.seek(s.off)
	}
	for s.off < s.stop {
		g := h.pages
		if before != nil {
			g = before.next
		}
		for g != nil && g.end() <= s.off {
			before, g = g, g.next
		}
		rest := s.stop
		switch {
		case g == nil || g.off >= s.stop:
		case t.newWins(&s, g):
			s.ack = min(s.ack, g.ack)
			duplicate += t.cede(h, before, g, s.stop)
			continue
		case g.off <= s.off: // its front is held already
			g.ack = min(g.ack, s.ack) // it was sent before the one that came first
			duplicate += s.pass(min(g.end(), s.stop) - s.off)
			continue
		default:
			rest = g.off
		}
		n := int(rest - s.off)
		had := min(n, len(s.data))
		p := t.newPage(h, s.data[:had])
		p.off, p.start, p.stop, p.ack, p.time, p.edge, p.cut = s.off, s.start, s.stop, s.ack, s.time, s.edge, n-had
		h.link(before, p)
		before = p
		s.pass(uint64(n))
	}
	return duplicate
}

// newWins tells whether s replaces what g holds of it.
func (t *Table) newWins(s *early, g *page) bool {
	return t.cfg.Overlap == Linux && (s.start < g.start || s.start == g.start && s.stop > g.stop)
}

// cede takes from g, which follows before, what lies before end, and returns how
// many bytes that were. A segment that wins starts no later than g, so that
// nothing of g lies before it.
func (t *Table) cede(h *half, before, g *page, end uint64) (had int) {
	if g.end() <= end {
		h.unlink(before, g)
		had = len(g.data)
		t.bytes -= had
		t.freePage(g)
		return had
	}
	k := int(end - g.off)
	had = min(k, len(g.data))
	g.data = g.data[had:]
	g.cut -= k - had
	g.off, g.edge = end, false
	h.bytes -= had
	t.bytes -= had
	return had
}
