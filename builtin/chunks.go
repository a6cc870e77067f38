package builtin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	recordformat "github.com/passiflow/passiflow/format/record"
	"github.com/passiflow/passiflow/sink/forward"
	"github.com/passiflow/passiflow/sink/record"
)

func sideOption(side *string) Option {
	return Option{Name: "side", Usage: "whose bytes: client, server or both", To: side, Words: []string{"client", "server", "both"}}
}

func newForward() *SinkSetup {
	c := forward.DefaultConfig()
	return &SinkSetup{
		Raw: true,
		Options: []Option{
			{Name: "address", Usage: "the target, host:port", To: &c.Address},
			sideOption(&c.Side),
			{Name: "whole", Usage: "send only what was seen from its beginning", To: &c.Whole},
			{Name: "gaps", Usage: "what becomes of a stream of which bytes are missing: it ends there, or passes the gap", To: &c.Gaps, Words: []string{"end", "pass"}},
			{Name: "connections", Usage: "connections open at once; the streams of more are refused", To: &c.Connections},
			{Name: "dial_timeout", Usage: "time that connecting may take", To: &c.DialTimeout},
			{Name: "stall", Usage: "time that the target may take nothing before its connection is given up", To: &c.Stall},
			{Name: "linger", Usage: "time that the target has to say the rest of its answer, which is thrown away", To: &c.Linger},
		},
		Open: func(o SinkOptions) (Opened, error) {
			c.Dial = o.Dial
			s, err := forward.New(c)
			if err == nil {
				err = askToSend(o, c.Address)
			}
			if err != nil {
				return Opened{}, err
			}
			return Opened{Chunks: s}, nil
		},
	}
}

// lookup is how long finding out where a target is may take.
const lookup = 3 * time.Second

// askToSend asks before bytes as captured are sent to another machine. What
// cannot be looked up now is another machine.
func askToSend(o SinkOptions, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookup)
	defer cancel()
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(all) > 0 && !slices.ContainsFunc(all, func(a netip.Addr) bool { return !a.Unmap().IsLoopback() }) {
		return nil
	}
	question := fmt.Sprintf("Send the bytes of conversations as they are to %s, which is not this machine?", address)
	if o.Ask == nil {
		return errors.New(question + " Nobody is there to ask")
	}
	return o.Ask(question)
}

func newRecord() *SinkSetup {
	c, stamp := record.DefaultConfig(), "capture"
	return &SinkSetup{
		Raw: true,
		Options: []Option{
			{Name: "path", Usage: "file that records are put behind what it holds; -: standard output", To: &c.Path},
			{Name: "replace", Usage: "make an existing file empty first", To: &c.Replace},
			sideOption(&c.Side),
			{Name: "time", Usage: "what records are stamped with: the time of their capture or of writing", To: &stamp, Words: []string{"capture", "write"}},
		},
		Open: func(o SinkOptions) (Opened, error) {
			f := recordformat.DefaultConfig()
			f.WriteTime = stamp == "write"
			c.Writer = o.Stdout
			s, err := record.Open(c, recordformat.New(f))
			return Opened{Chunks: s}, err
		},
	}
}
