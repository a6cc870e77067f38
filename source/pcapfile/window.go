package pcapfile

// window is the part of a file that is in memory: one buffer, reused. Packets
// point into it, so it moves only in fill, which only a new Read calls.
type window struct {
	buf  []byte
	r, w int
	base int64 // offset in the (unpacked) file of buf[0]
}

func (w *window) reset() { w.r, w.w, w.base = 0, 0, 0 }

// bytes is what has been read and not been used.
func (w *window) bytes() []byte { return w.buf[w.r:w.w] }

// offset is the place in the unpacked file of the first of bytes.
func (w *window) offset() int64 { return w.base + int64(w.r) }

// fill moves what is left to the front, makes room for need bytes and reads
// once.
func (w *window) fill(need int, read func([]byte) (int, error)) error {
	if w.r > 0 {
		copy(w.buf, w.buf[w.r:w.w])
		w.base += int64(w.r)
		w.w -= w.r
		w.r = 0
	}
	if w.w == len(w.buf) {
		// Only what came makes room for more, so that a lying length costs nothing.
		// need is at most maxPacket and a header: there is always room to grow.
		grown := make([]byte, min(2*len(w.buf), max(need, minBuffer)))
		copy(grown, w.buf)
		w.buf = grown
	}
	n, err := read(w.buf[w.w:])
	w.w += n
	if n > 0 {
		return nil // an error comes again
	}
	return err
}
