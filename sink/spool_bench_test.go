package sink_test

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
)

func apiExchange() *message.Exchange {
	fields := make([]message.Field, 10)
	for i := range fields {
		fields[i] = message.Field{Name: "X-Header-Name", Value: "a value of some length"}
	}
	return &message.Exchange{Protocol: "http",
		Flow: &flow.Flow{ID: 1 << 60, Transport: packet.TCP, Source: "eth0", Start: 1767323045e9,
			Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:80")},
		Request:  &message.Message{Op: "POST", Target: "/api/v1/orders?id=5", Version: "1.1", Fields: fields, Body: make([]byte, 300)},
		Response: &message.Message{From: flow.Server, Status: "200", Reason: "OK", Version: "1.1", Fields: fields, Body: make([]byte, 2000)}}
}

// switched is a sink for records that can be down.
type switched struct {
	up  atomic.Bool
	got atomic.Int64
}

func (s *switched) Write(_ context.Context, batch []*message.Exchange) error {
	if !s.up.Load() {
		return errDown
	}
	s.got.Add(int64(len(batch)))
	return nil
}

func (*switched) Close(context.Context) error { return nil }

// What a record of 3.3 kB costs that goes to the disk and comes back.
func BenchmarkSpool(b *testing.B) {
	c := sink.DefaultQueueConfig()
	c.Policy = sink.Wait
	c.Spool.Directory, c.Spool.Bytes = b.TempDir(), 1<<40
	c.Retry.Min, c.Retry.Max = time.Millisecond, time.Millisecond
	to := &switched{}
	q, err := sink.OpenRecords(to, c)
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]*message.Exchange, 16)
	for i := range batch {
		batch[i] = apiExchange()
	}
	b.ReportAllocs()
	for i := 0; i < b.N; i += len(batch) {
		q.Push(b.Context(), batch)
	}
	for q.Stats().Depth.Records > 0 {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/written")
	written := b.Elapsed()
	to.up.Store(true)
	if err := q.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((b.Elapsed()-written).Nanoseconds())/float64(b.N), "ns/read")
}
