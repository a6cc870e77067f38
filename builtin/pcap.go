package builtin

import (
	"github.com/passiflow/passiflow/sink/pcap"
)

func newPcap() *SinkSetup {
	c := pcap.DefaultConfig()
	return &SinkSetup{
		Options: []Option{
			{Name: "path", Usage: "pcapng file for the packets, which is emptied first", To: &c.Path},
			{Name: "rotate_bytes", Usage: "size at which another file begins, NAME-2.EXT and so on; 0: never", To: (*Bytes)(&c.RotateBytes)},
			{Name: "keep_files", Usage: "files to keep; 0: all", To: &c.KeepFiles},
		},
		Raw: true,
		Open: func(o SinkOptions) (Opened, error) {
			f := Packets(o.Snaplen)
			c.Log = o.Log
			s, err := pcap.Open(c, f)
			return Opened{Frames: s, Packets: f}, err
		},
	}
}
