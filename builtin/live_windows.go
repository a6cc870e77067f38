package builtin

import (
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/npcap"
)

// Live opens interfaces. There is one source, whatever the number of workers.
func Live(o LiveOptions) ([]source.Source, error) {
	c := npcap.DefaultConfig()
	c.Interfaces, c.Promiscuous, c.Snaplen, c.Filter = o.Interfaces, o.Promiscuous, o.Snaplen, o.program(false)
	if o.Buffer > 0 {
		c.BufferBytes = o.Buffer
	}
	s, err := npcap.Open(c)
	if err != nil {
		return nil, err
	}
	o.one()
	return []source.Source{s}, nil
}
