package har_test

import (
	"testing"

	"github.com/passiflow/passiflow/format/har"
)

func BenchmarkEntry(b *testing.B) {
	f, x := har.New(har.DefaultConfig()), sample()
	room := f.Append(nil, x)
	b.SetBytes(int64(len(room)))
	b.ReportAllocs()
	for b.Loop() {
		room = f.Append(room[:0], x)
	}
}
