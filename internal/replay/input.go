package replay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/format/record"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/source"
)

// kind is what a file holds.
type kind uint8

const (
	capture kind = iota
	records      // NDJSON
	chunks       // the record format of the traffic mirror
)

// headBytes is how much of a file is looked at to tell what it holds.
const headBytes = 64

// Load reads what o.File holds.
func Load(ctx context.Context, o *Options) (*Recording, error) {
	in := o.Stdin
	if o.File != "-" {
		f, err := os.Open(o.File)
		if err != nil {
			return nil, fmt.Errorf("read recording: %w", err)
		}
		defer f.Close()
		in = f
	}
	if in == nil {
		return nil, errors.New("read recording: no standard input")
	}
	packed := bufio.NewReaderSize(in, 256<<10)
	plain, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o.File, err)
	}
	defer plain.Close()
	r := newRecording(o)
	head := bufio.NewReaderSize(plain, 256<<10)
	k, err := tell(head)
	switch {
	case err != nil:
	case k == records:
		err = r.readRecords(ctx, head)
	case k == chunks:
		err = r.readChunks(ctx, head)
	default:
		err = r.readCapture(ctx, head)
	}
	if err == nil {
		err = r.plan()
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o.File, err)
	}
	return r, nil
}

// unpack undoes gzip and zstd.
func unpack(in *bufio.Reader) (io.ReadCloser, error) {
	head, err := in.Peek(4)
	if err != nil && len(head) == 0 {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("is empty")
		}
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(in)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(in), nil
}

// tell tells what in holds by its first bytes.
func tell(in *bufio.Reader) (kind, error) {
	head, err := in.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if text := bytes.TrimLeft(head, "\ufeff \t\r\n"); len(text) > 0 && text[0] == '{' {
		return records, nil
	}
	if bytes.HasPrefix(head, []byte(record.Magic)) {
		return chunks, nil
	}
	return capture, nil
}

// readCapture lets the library read packets.
func (r *Recording) readCapture(ctx context.Context, in io.Reader) error {
	src, err := builtin.Files(builtin.FileOptions{Paths: []string{"-"}, Stdin: in, Log: r.options.Log})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	to := &collector{recording: r, full: cancel}
	c := passiflow.DefaultConfig()
	c.Sources = []source.Source{src}
	c.Log = r.options.Log
	c.Protocols = func() []protocol.Protocol {
		return builtin.Protocols(builtin.ProtocolOptions{BodyLimit: r.options.BodyLimit})
	}
	c.Outputs = []passiflow.Output{{Unit: passiflow.UnitExchange, Records: to}}
	// A file can wait, and what is asked for is all of it.
	c.Core.Memory = max(c.Core.Memory, int(min(r.options.Memory, 1<<30)))
	p, err := passiflow.New(c)
	if err != nil {
		return err
	}
	if err := p.Run(ctx); err != nil {
		// The capture is handed on as standard input, and has a name of its own.
		if text, ok := strings.CutPrefix(err.Error(), "read standard input: "); ok && ctx.Err() == nil {
			return errors.New(text)
		}
		return err
	}
	if to.err != nil {
		return to.err
	}
	if n := p.Stats().Walk.TLS; n > 0 {
		r.skip("encrypted conversation (TLS)", int(n))
	}
	return nil
}

// collector takes what the library has read.
type collector struct {
	mu        sync.Mutex
	recording *Recording
	full      func()
	err       error
}

// Push implements passiflow.Pusher.
func (c *collector) Push(_ context.Context, batch []*message.Exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range batch {
		if c.err != nil {
			return
		}
		if c.err = c.recording.add(x); c.err != nil {
			c.full()
		}
	}
}

// weigh counts x against the memory that a recording may take.
func (r *Recording) weigh(x *message.Exchange) error {
	_, n := sink.WeighExchange(x)
	return r.hold(n)
}

// hold counts n bytes that are kept.
func (r *Recording) hold(n int64) error {
	if r.bytes += n; r.bytes > r.options.Memory {
		return r.tooMuch()
	}
	return nil
}

func (r *Recording) tooMuch() error {
	return fmt.Errorf("holds more than the %d MiB that a recording may take: raise --memory, or replay a part of it with --ports or a smaller file", r.options.Memory>>20)
}
