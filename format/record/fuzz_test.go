package record_test

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/passiflow/passiflow/format/record"
)

// Two records of any bytes are read back as they were.
func FuzzRoundTrip(f *testing.F) {
	for _, b := range bodies() {
		if len(b) < 1000 {
			f.Add([]byte(b), []byte("t"+b), "10.0.0.1:1", "[::1]:2", int64(1), byte(1))
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte, from, to string, at int64, kind byte) {
		one := record.Record{Time: time.Unix(0, at).UTC(), Type: kind, From: from, To: to, Data: a}
		two := one
		two.Data = b
		in, err := record.Append(nil, &one)
		if err != nil {
			return
		}
		if in, err = record.Append(in, &two); err != nil {
			t.Fatal(err)
		}
		r := record.NewReader(iotest.HalfReader(bytes.NewReader(in)), record.Config{})
		for _, want := range []record.Record{one, two} {
			got, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Data, want.Data) || got.From != from || got.To != to || got.Type != kind || !got.Time.Equal(want.Time) {
				t.Fatalf("%+v\n%+v", got, want)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Error(err)
		}
		if s := r.Stats(); s.Bad() != 0 || s.Skipped != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Whatever comes, the reader says what it made of each byte, and however it
// comes it makes the same of it.
func FuzzReader(f *testing.F) {
	good, _ := record.Append(nil, &record.Record{From: "a:1", To: "b:2", Data: []byte("x\nty")})
	f.Add(good)
	f.Add(append(append(bytes.Clone(good[:20]), good...), good[:40]...))
	f.Add([]byte("noise" + record.Magic + record.Magic))
	f.Fuzz(func(t *testing.T, in []byte) {
		var all []record.Stats
		for _, from := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in))} {
			r := record.NewReader(from, record.Config{MaxRecord: 200})
			good := uint64(0)
			for {
				one, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				b, err := record.Append(nil, &one)
				if err != nil {
					t.Fatalf("what was read cannot be written: %v", err)
				}
				good += uint64(len(b))
			}
			s := r.Stats()
			if good+s.Skipped < uint64(len(in)) && !bytes.Contains(in, []byte("\nt")) {
				t.Errorf("%d of %d bytes accounted for: %+v", good+s.Skipped, len(in), s)
			}
			all = append(all, s)
		}
		if all[0] != all[1] {
			t.Errorf("%+v\n%+v", all[0], all[1])
		}
	})
}
