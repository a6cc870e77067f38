package packet

// find returns the slot with the key of k, or none.
func (f *fragments) find(k *datagram, h uint64) int32 {
	if f.buckets == nil {
		return none
	}
	for i := f.buckets[h&uint64(len(f.buckets)-1)]; i != none; i = f.slots[i].chain {
		d := &f.slots[i]
		if d.id == k.id && d.proto == k.proto && d.src == k.src && d.dst == k.dst && d.tunnel == k.tunnel {
			return i
		}
	}
	return none
}

// open takes a slot for the key of k, at the cost of the oldest datagram where
// there is none left.
func (f *fragments) open(k *datagram, h uint64, now Time) int32 {
	if f.buckets == nil {
		n := 64
		for n < f.maxSlots && n < 1<<20 {
			n *= 2
		}
		f.buckets = make([]int32, n)
		for i := range f.buckets {
			f.buckets[i] = none
		}
	}
	if f.free == none && len(f.slots) >= f.maxSlots {
		if f.past.oldest != none {
			f.drop(f.past.oldest)
		} else {
			f.shed(f.live.oldest)
		}
	}
	i := f.free
	if i != none {
		f.free = f.slots[i].chain
	} else {
		i = int32(len(f.slots))
		f.slots = append(f.slots, datagram{})
	}
	d := &f.slots[i]
	bucket := int32(h & uint64(len(f.buckets)-1))
	d.src, d.dst, d.tunnel, d.id, d.proto, d.next = k.src, k.dst, k.tunnel, k.id, k.proto, k.next
	d.bucket, d.chain = bucket, f.buckets[bucket]
	f.buckets[bucket] = i
	d.start(now)
	f.push(&f.live, i)
	return i
}

// start makes d an empty datagram of its key.
func (d *datagram) start(now Time) {
	d.time, d.done, d.frames, d.ranges, d.total, d.hole = now, false, 0, 0, -1, maxDatagram+1
}

// reopen begins a new datagram in the slot of an old one of the same key.
func (f *fragments) reopen(i int32, now Time) {
	d := &f.slots[i]
	f.unlink(f.queueOf(d), i)
	f.stats.Pending -= uint64(d.frames)
	d.start(now)
	f.push(&f.live, i)
}

// finish gives the content of a complete datagram out and remembers its key
// for a moment.
func (f *fragments) finish(i int32, now Time) []byte {
	d := &f.slots[i]
	b := d.buf
	f.out[f.handed] = b
	f.handed++
	d.buf = nil
	f.unlink(&f.live, i)
	d.done, d.time, d.frames, d.ranges = true, now, 0, 0
	f.push(&f.past, i)
	return b
}

// expire drops what is older than the timeouts.
func (f *fragments) expire(now Time) {
	for i := f.past.oldest; i != none && now-f.slots[i].time > doneAge; i = f.past.oldest {
		f.drop(i)
	}
	for i := f.live.oldest; i != none && now-f.slots[i].time > f.timeout; i = f.live.oldest {
		f.stats.Expired += uint64(f.slots[i].frames)
		f.drop(i)
	}
}

// shed drops a datagram for want of room.
func (f *fragments) shed(i int32) {
	f.stats.Shed += uint64(f.slots[i].frames)
	f.drop(i)
}

// drop frees a slot.
func (f *fragments) drop(i int32) {
	d := &f.slots[i]
	f.stats.Pending -= uint64(d.frames)
	d.frames = 0
	f.unlink(f.queueOf(d), i)
	at := &f.buckets[d.bucket]
	for *at != i {
		at = &f.slots[*at].chain
	}
	*at = d.chain
	if d.buf != nil {
		f.giveBuffer(d.buf)
		d.buf = nil
	}
	d.chain, f.free = f.free, i
}

func (f *fragments) queueOf(d *datagram) *queue {
	if d.done {
		return &f.past
	}
	return &f.live
}

func (f *fragments) push(q *queue, i int32) {
	d := &f.slots[i]
	d.older, d.newer = q.newest, none
	if q.newest != none {
		f.slots[q.newest].newer = i
	} else {
		q.oldest = i
	}
	q.newest = i
}

func (f *fragments) unlink(q *queue, i int32) {
	d := &f.slots[i]
	if d.older != none {
		f.slots[d.older].newer = d.newer
	} else {
		q.oldest = d.newer
	}
	if d.newer != none {
		f.slots[d.newer].older = d.older
	} else {
		q.newest = d.older
	}
}

// grow gives the datagram a buffer of at least end bytes. It makes room by
// letting go of free buffers first and of the oldest datagrams then, and
// fails where all that is not enough.
func (f *fragments) grow(i int32, end int) bool {
	d := &f.slots[i]
	if end <= len(d.buf) {
		return true
	}
	class := 0
	for 1<<(minBufferBits+class) < end {
		class++
	}
	b := f.takeBuffer(class)
	for b == nil {
		if !f.letGo() {
			o := f.live.oldest
			if o == i {
				o = d.newer
			}
			if o == none {
				return false
			}
			f.shed(o)
		}
		b = f.takeBuffer(class)
	}
	copy(b, d.buf)
	if d.buf != nil {
		f.giveBuffer(d.buf)
	}
	d.buf = b
	return true
}

// takeBuffer returns a buffer of a class, nil where the bound forbids it.
func (f *fragments) takeBuffer(class int) []byte {
	pool := f.pool[class]
	if n := len(pool); n > 0 {
		b := pool[n-1]
		f.pool[class] = pool[:n-1]
		return b
	}
	size := 1 << (minBufferBits + class)
	if f.bytes+size > f.maxBytes {
		return nil
	}
	f.bytes += size
	return make([]byte, size)
}

func (f *fragments) giveBuffer(b []byte) {
	class := 0
	for 1<<(minBufferBits+class) < len(b) {
		class++
	}
	f.pool[class] = append(f.pool[class], b)
}

// letGo leaves one free buffer to the garbage collector.
func (f *fragments) letGo() bool {
	for c := bufferClasses - 1; c >= 0; c-- {
		if n := len(f.pool[c]); n > 0 {
			f.bytes -= len(f.pool[c][n-1])
			f.pool[c][n-1] = nil
			f.pool[c] = f.pool[c][:n-1]
			return true
		}
	}
	return false
}
