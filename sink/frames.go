package sink

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
)

// Block holds whole frames, encoded for a file.
type Block struct {
	Data   []byte
	Frames int64
}

// blockBytes is how much of a block is filled before it is handed over.
const blockBytes = 256 << 10

// Frames is a queue of captured frames on their way to a file. Each worker has
// a Framer.
type Frames struct {
	*Queue[*Block]
	spare sync.Pool
}

// NewFrames returns a queue before to.
func NewFrames(to FrameSink, c QueueConfig) *Frames {
	f := &Frames{}
	f.Queue = NewQueue[*Block](to, c, func(b *Block) (int64, int64) { return b.Frames, int64(len(b.Data)) }, f.put)
	return f
}

func (f *Frames) put(b *Block) {
	if cap(b.Data) < blockBytes || cap(b.Data) > 4*blockBytes {
		return
	}
	b.Data, b.Frames = b.Data[:0], 0
	f.spare.Put(b)
}

// Framer returns what one worker appends to.
func (f *Frames) Framer() *Framer { return &Framer{to: f} }

// Framer collects the frames of one worker in blocks. It is used by one
// goroutine.
type Framer struct {
	to    *Frames
	block *Block
	one   [1]*Block
}

// Append adds one frame: it calls encode with what there is, and encode returns
// that with the frame behind it. Full blocks are handed over.
func (w *Framer) Append(ctx context.Context, encode func(dst []byte) []byte) {
	b := w.Buffer()
	w.Commit(ctx, encode(b))
}

// Buffer returns the block's bytes so far, for Commit.
func (w *Framer) Buffer() []byte {
	if w.block == nil {
		w.block, _ = w.to.spare.Get().(*Block)
		if w.block == nil {
			w.block = &Block{Data: make([]byte, 0, blockBytes+blockBytes/8)}
		}
	}
	return w.block.Data
}

// Commit takes b, which is what Buffer returned with one frame appended.
func (w *Framer) Commit(ctx context.Context, b []byte) {
	w.block.Data = b
	w.block.Frames++
	if len(b) >= blockBytes {
		w.Flush(ctx)
	}
}

// Flush hands over what there is: when nothing comes, and at the end.
func (w *Framer) Flush(ctx context.Context) {
	if w.block == nil || len(w.block.Data) == 0 {
		return
	}
	if b := w.block; len(b.Data) < cap(b.Data)/4*3 {
		// Nobody knows for how long it waits: it goes in no more room than it takes.
		w.one[0] = &Block{Data: bytes.Clone(b.Data), Frames: b.Frames}
		b.Data, b.Frames = b.Data[:0], 0
	} else {
		w.one[0], w.block = b, nil
	}
	w.to.Push(ctx, w.one[:])
	w.one[0] = nil
}

// NewFrameStream returns a sink that writes blocks to w as they are. Before
// each it writes what head appends, such as a file's header; Close calls it once
// more, so that a file without frames has one too. Then it calls closer. Either
// may be nil.
func NewFrameStream(w io.Writer, head func(dst []byte) []byte, closer func() error) FrameSink {
	return &frameStream{w: w, head: head, closer: closer}
}

type frameStream struct {
	w      io.Writer
	head   func(dst []byte) []byte
	closer func() error
	buffer []byte // kept for head
	closed bool
}

func (s *frameStream) writeHead(ctx context.Context) error {
	if s.head == nil {
		return nil
	}
	s.buffer = s.head(s.buffer[:0])
	return write(ctx, s.w, s.buffer)
}

func (s *frameStream) Write(ctx context.Context, batch []*Block) error {
	if s.closed {
		return errClosed
	}
	for _, b := range batch {
		if err := s.writeHead(ctx); err != nil {
			return err
		}
		if err := write(ctx, s.w, b.Data); err != nil {
			return err
		}
	}
	return nil
}

func (s *frameStream) Close(ctx context.Context) error {
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.writeHead(ctx)
	if s.closer != nil {
		err = errors.Join(err, s.closer())
	}
	return err
}
