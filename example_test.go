package passiflow_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet/packettest"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/protocol/http1"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/pcapfile"
)

// printer is an output without a queue: it prints at once, which holds up the
// walk. A program would put a sink.Queue before what is slow.
type printer struct{}

func (printer) Push(_ context.Context, batch []*message.Exchange) {
	for _, x := range batch {
		switch {
		case x.Response == nil:
			fmt.Println(x.Request.Op, x.Request.Target, "without an answer:", x.Half)
		case x.Request != nil:
			host, _ := x.Request.Get("Host")
			fmt.Println(x.Request.Op, host+x.Request.Target, x.Response.Status, string(x.Response.Body))
		}
	}
}

// A program that prints the exchanges in a capture file.
func ExampleNew() {
	tape := packettest.NewTape() // stands for a file
	c := tape.Open("10.0.0.1:40000", "10.0.0.2:80", nil)
	c.Client("GET /hello HTTP/1.1\r\nHost: a.example\r\n\r\n")
	c.Server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nworld")
	c.Client("DELETE /hello HTTP/1.1\r\nHost: a.example\r\n\r\n")
	c.Close()

	file, err := pcapfile.Open(pcapfile.Config{Paths: []string{"-"}, Stdin: bytes.NewReader(tape.Bytes())})
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := passiflow.DefaultConfig()
	cfg.Sources = []source.Source{file}
	cfg.Protocols = func() []protocol.Protocol { return []protocol.Protocol{http1.New(http1.DefaultConfig())} }
	cfg.Outputs = []passiflow.Output{{Records: printer{}}}
	p, err := passiflow.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := p.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	s := p.Stats()
	fmt.Println(s.Walk.Packets, "packets,", s.Flow.Lost, "bytes missing")
	// Output:
	// GET a.example/hello 200 world
	// DELETE /hello without an answer: no_answer
	// 12 packets, 0 bytes missing
}
