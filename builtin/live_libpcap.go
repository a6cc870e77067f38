//go:build libpcap && cgo && unix

package builtin

import (
	"runtime"

	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/libpcap"
)

// Live opens interfaces. There is one source, whatever the number of workers.
func Live(o LiveOptions) ([]source.Source, error) {
	c := libpcap.DefaultConfig()
	c.Interfaces, c.Promiscuous, c.Snaplen, c.Filter = o.Interfaces, o.Promiscuous, o.Snaplen, o.program(runtime.GOOS == "linux")
	if o.Buffer > 0 {
		c.BufferBytes = o.Buffer
	}
	s, err := libpcap.Open(c)
	if err != nil {
		return nil, err
	}
	o.one()
	return []source.Source{s}, nil
}
