package mirror_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopacket/gopacket"

	"github.com/passiflow/passiflow/mirror"
)

// What a hook does not keep, or keeps nothing of, goes nowhere: there is not even
// a connection for it.
func TestNothingKept(t *testing.T) {
	for name, answer := range map[string]struct {
		data []byte
		keep bool
	}{"nil": {nil, true}, "empty": {[]byte{}, true}, "not kept": {[]byte("x"), false}} {
		asked := 0
		h := mirror.TrafficMirrorHookFunc(func(context.Context, *mirror.ObservedTrafficChunk) ([]byte, bool, error) {
			asked++
			return answer.data, answer.keep, nil
		})
		var out bytes.Buffer
		m, err := start(t, mirror.GopacketMirrorConfig{ObservedPort: observed, TargetAddr: "nowhere:1", ForwardHook: h, RecordHook: h, Writer: &out,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				t.Errorf("%s: a connection is made", name)
				return nil, net.ErrClosed
			}}, whole(40001).packets...)
		if err != nil {
			t.Fatal(err)
		}
		if s := m.Stats(); asked != 4 || out.Len() > 0 || s.Records != 0 || s.Forwarded != 0 {
			t.Errorf("%s: asked %d times, %d bytes recorded, %+v", name, asked, out.Len(), s)
		}
	}
}

// WriteFunc is called by one goroutine at a time, however many calls of Start and
// workers there are, unless ParallelWrites says otherwise.
func TestWritesAreSerial(t *testing.T) {
	var now, most, all atomic.Int32
	m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{ObservedPort: observed, Options: mirror.Options{Workers: 4, WaitForRoom: true},
		WriteFunc: func(b []byte, _ context.Context) (int, error) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Millisecond)
			all.Add(1)
			now.Add(-1)
			return len(b), nil
		}})
	var calls sync.WaitGroup
	for i := range 3 {
		calls.Go(func() {
			a, _ := long(uint16(40000+10*i), 5)
			b, _ := long(uint16(40001+10*i), 5)
			if err := m.Start(t.Context(), channel(mixed(a, b)...)); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if most.Load() != 1 || all.Load() != 30 {
		t.Errorf("%d at once, %d in all", most.Load(), all.Load())
	}
}

// Start ends with the channel of packets, and not before, whatever else is closed.
func TestStartEndsWithTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		packets := make(chan gopacket.Packet)
		src := mirror.NewChannelObservedPacketSource(packets)
		m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{ObservedPort: observed})
		done := make(chan error, 1)
		go func() { done <- m.Start(t.Context(), src) }()
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		select {
		case err := <-done:
			t.Errorf("it ended: %v", err)
		default:
		}
		close(packets)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
