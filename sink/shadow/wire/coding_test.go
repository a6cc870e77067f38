package wire

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/message"
)

// What the http decoder has undone is done again, up to the same bound.
func TestManyCodings(t *testing.T) {
	for n := 1; n <= maxCodings+1; n++ {
		m := &message.Message{Body: []byte("body"), Fields: []message.Field{{Name: "Content-Encoding", Value: strings.Repeat("gzip, ", n-1) + "gzip"}}}
		body, _ := encode(m, m.Fields)
		if n > maxCodings {
			if string(body) != "body" {
				t.Errorf("%d codings: %q, which nobody has undone", n, body)
			}
			continue
		}
		for range n {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatalf("%d codings: %v", n, err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if string(body) != "body" {
			t.Errorf("%d codings: %q", n, body)
		}
	}
}
