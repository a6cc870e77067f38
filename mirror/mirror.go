// Package mirror hands the bytes of TCP conversations with one port to hooks, a
// target and a record, as the GopacketTrafficMirror of gogetway does. Programs
// written for that need another import and nothing else:
//
//	import getwayServer "github.com/passiflow/passiflow/mirror"
//
// What the original promises is the default here, also where it is inconvenient;
// Options has what it cannot do. docs/guides/mirror.md compares the two.
package mirror

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// GopacketMirrorConfig says what is observed and what becomes of it.
type GopacketMirrorConfig struct {
	// ObservedPort is the port of the observed service, from which directions are
	// told. With 0 every direction is TrafficDirectionUnknown, which the default
	// hooks drop.
	ObservedPort uint16
	// TargetAddr is where what ForwardHook keeps is sent to, host:port, over one
	// connection for each direction of each conversation. Default "": nowhere,
	// and ForwardHook is not called.
	TargetAddr string
	// Writer takes what RecordHook keeps, in the record format. Default nil:
	// nothing is recorded, but RecordHook is called.
	Writer io.Writer
	// WriteFunc is used in place of Writer.
	WriteFunc WriteFunc

	// ForwardHook decides what is sent to TargetAddr. Default
	// DefaultForwardTrafficMirrorHook.
	ForwardHook TrafficMirrorHook
	// RecordHook decides what is recorded. Default DefaultRecordTrafficMirrorHook.
	RecordHook TrafficMirrorHook
	// DialContext connects to TargetAddr. Default that of a net.Dialer with a
	// timeout of 5 s.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	// Options holds what the original does not have; their zero values are its
	// behaviour.
	Options Options
}

// WriteFunc takes one record in the record format and returns how many bytes it
// has taken. The values of ctx under ListenType, FromIP, ToIP and FromTo say
// where the bytes come from.
type WriteFunc func(data []byte, ctx context.Context) (offset int, err error)

// GopacketTrafficMirror observes the conversations of one port.
type GopacketTrafficMirror struct {
	config   GopacketMirrorConfig
	recordMu sync.Mutex // around Writer and WriteFunc

	mu       sync.Mutex
	past     Stats // of sessions that have ended
	sessions []*session
}

// NewGopacketTrafficMirror returns a mirror, which Start sets to work.
func NewGopacketTrafficMirror(config GopacketMirrorConfig) *GopacketTrafficMirror {
	if config.ForwardHook == nil {
		config.ForwardHook = DefaultForwardTrafficMirrorHook{}
	}
	if config.RecordHook == nil {
		config.RecordHook = DefaultRecordTrafficMirrorHook{}
	}
	if config.DialContext == nil {
		config.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	config.Options.setDefaults()
	return &GopacketTrafficMirror{config: config}
}

// Start mirrors what source brings until its channel is closed, ctx ends or
// something fails. It then hands on what is held and returns nil, the error of
// ctx, or the first error of a hook, of the target or of the record. It closes
// source. It may be called again, also while it runs, with other sources.
func (m *GopacketTrafficMirror) Start(ctx context.Context, source ObservedPacketSource) error {
	if source == nil {
		return errors.New("packet source is nil")
	}
	defer source.Close()
	s := m.open(ctx)
	var err error
	if own, ok := source.(*SourceObservedPacketSource); ok {
		err = s.read(own.source)
	} else {
		err = s.receive(source.Packets())
	}
	s.close()
	m.mu.Lock()
	m.sessions = slices.DeleteFunc(m.sessions, func(x *session) bool { return x == s })
	m.past.add(&s.public)
	m.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, s.failed())
}

// open begins a session.
func (m *GopacketTrafficMirror) open(ctx context.Context) *session {
	s := newSession(ctx, m)
	m.mu.Lock()
	m.sessions = append(m.sessions, s)
	m.mu.Unlock()
	return s
}

// Stats returns what was counted so far, by all calls of Start. It may be called
// at any time, by anybody.
func (m *GopacketTrafficMirror) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.past
	for _, s := range m.sessions {
		all.add(&s.public)
	}
	return all
}
