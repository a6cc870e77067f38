package otlp

import "testing"

func BenchmarkSpan(b *testing.B) {
	f, x := New(DefaultConfig()), sample()
	room := f.Append(nil, x)
	b.SetBytes(int64(len(room)))
	b.ReportAllocs()
	for b.Loop() {
		room = f.Append(room[:0], x)
	}
}
