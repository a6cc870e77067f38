package builtin

import (
	"fmt"
	"time"

	entries "github.com/passiflow/passiflow/format/har"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/har"
)

func newHAR() *SinkSetup {
	c := har.DefaultConfig()
	return &SinkSetup{
		Options: []Option{
			{Name: "path", Usage: "file that entries are added to", To: &c.Path},
			{Name: "replace", Usage: "make an existing file empty first", To: &c.Replace},
			{Name: "rotate_bytes", Usage: "size at which another archive is begun, with a number in its name", To: (*Bytes)(&c.RotateBytes)},
		},
		Units: []string{"exchange"},
		Queue: func(q *sink.QueueConfig) { q.Linger = 100 * time.Millisecond },
		Open: func(o SinkOptions) (Opened, error) {
			if o.Unit != "" && o.Unit != "exchange" {
				return Opened{}, fmt.Errorf("unit %s: an entry of an archive is a request with its answer: use unit exchange", o.Unit)
			}
			c.Log, c.Version = o.Log, o.Version
			s, err := har.Open(c, entries.New(entries.DefaultConfig()))
			return Opened{Records: s, Place: absolute(c.Path)}, err
		},
	}
}
