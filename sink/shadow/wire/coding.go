package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/passiflow/passiflow/message"
)

// maxCodings is how many codings of one body are done or undone; the http
// decoder has the same bound.
const maxCodings = 6

// zstdWindow bounds the window of a zstd frame (RFC 9659), in bytes.
const zstdWindow = 8 << 20

// codings returns the content codings that fields name, in the order applied.
func codings(fields []message.Field) (all []string) {
	for _, f := range fields {
		if message.EqualFold(f.Name, "content-encoding") {
			for n := range strings.SplitSeq(f.Value, ",") {
				n = strings.ToLower(strings.TrimSpace(n))
				if n != "" && n != "identity" {
					all = append(all, n)
				}
			}
		}
	}
	return all
}

// encode returns the body of m as its Content-Encoding says. Where it cannot be
// made so, and for HTTP that only names a coding without a body, kept says
// whether the field still tells the truth.
func encode(m *message.Message, fields []message.Field) (body []byte, kept bool) {
	if len(m.Body) == 0 || m.Marks&(message.BadEncoding|message.Bomb) != 0 {
		return m.Body, true // as it was sent
	}
	all := codings(fields)
	if len(all) > maxCodings {
		return m.Body, true // nobody has undone them
	}
	body = m.Body
	for _, n := range all {
		var b bytes.Buffer
		var w io.WriteCloser
		switch n {
		case "gzip", "x-gzip":
			w = gzip.NewWriter(&b)
		case "deflate":
			w = zlib.NewWriter(&b)
		case "br":
			w = brotli.NewWriter(&b)
		case "zstd":
			z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
			if err != nil {
				return m.Body, false
			}
			w = z
		default:
			return m.Body, false
		}
		if _, err := w.Write(body); err != nil {
			return m.Body, false
		}
		if err := w.Close(); err != nil {
			return m.Body, false
		}
		body = b.Bytes()
	}
	return body, true
}

// decode returns a reader of body without its codings, and what releases it.
func decode(body io.Reader, all []string) (r io.Reader, release func(), err error) {
	var closers []func()
	release = func() {
		for _, f := range closers {
			f()
		}
	}
	if len(all) > maxCodings {
		return nil, release, fmt.Errorf("%d content codings", len(all))
	}
	r = body
	for i := len(all) - 1; i >= 0; i-- {
		switch all[i] {
		case "gzip", "x-gzip":
			r, err = gzip.NewReader(r)
		case "deflate":
			// zlib by the standard (RFC 9110 section 8.4.1.2), bare in practice.
			b := bufio.NewReader(r)
			if h, _ := b.Peek(2); len(h) == 2 && h[0]&0x0f == 8 && (uint(h[0])<<8|uint(h[1]))%31 == 0 {
				r, err = zlib.NewReader(b)
			} else {
				r = flate.NewReader(b)
			}
		case "br":
			r = brotli.NewReader(r)
		case "zstd":
			var z *zstd.Decoder
			z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
			if err == nil {
				closers = append(closers, z.Close)
				r = z
			}
		default:
			err = errUnknownCoding
		}
		if err != nil {
			return nil, release, err
		}
	}
	return r, release, nil
}

var errUnknownCoding = errors.New("unknown content coding")
