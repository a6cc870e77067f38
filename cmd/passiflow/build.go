package main

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"strings"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/protocol"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/filter"
)

// maxExpression bounds a filter expression read from a file, in bytes.
const maxExpression = 64 << 10

// expression returns the filter expression that c asks for.
func expression(c *config.Capture) (string, error) {
	if c.FilterFile == "" {
		return c.Filter, nil
	}
	f, err := os.Open(c.FilterFile)
	if err != nil {
		return "", fmt.Errorf("read filter: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxExpression+1))
	if err != nil {
		return "", fmt.Errorf("read filter: %w", err)
	}
	if len(text) > maxExpression {
		return "", fmt.Errorf("read filter %s: longer than %d bytes", c.FilterFile, maxExpression)
	}
	return strings.TrimSpace(string(text)), nil
}

// parseFilter returns the filter that c asks for, nil for none.
func parseFilter(c *config.Capture) (*builtin.Filter, string, error) {
	text, err := expression(c)
	if err != nil || text == "" {
		return nil, "", err
	}
	f, err := builtin.ParseFilter(text)
	return f, text, err
}

// engine makes the library's configuration of the program's, without sources
// and outputs.
func engine(c *config.Config, log *slog.Logger) passiflow.Config {
	e := passiflow.DefaultConfig()
	e.Log = log
	e.Workers = c.Capture.Workers
	e.Packets = uint64(c.Capture.Count)
	e.Ports = single(c.Capture.Ports)
	e.Parser.VXLANPorts, e.Parser.GENEVEPorts = single(c.Capture.VXLANPorts), single(c.Capture.GENEVEPorts)
	limit := int(c.HTTP.BodyLimit)
	e.Protocols = func() []protocol.Protocol { return builtin.Protocols(builtin.ProtocolOptions{BodyLimit: limit}) }
	e.Core.AnswerWait = c.HTTP.AnswerWait
	if c.HTTP.Pairing == config.Proven {
		e.Core.Pairing = protocol.Proven
	}
	e.Flow.Sample, e.Flow.Seed = c.Flow.Sample, uint64(c.Flow.SampleSeed)
	e.Flow.Digest = c.Output.Digest
	if c.Flow.Overlap == "linux" {
		e.Flow.Overlap = flow.Linux
	}
	b := split(c.Flow.Memory)
	e.Flow.MaxBytes, e.Flow.MaxFlows = b.segments, b.flows
	e.Flow.MaxPending = min(e.Flow.MaxPending, b.segments/2)
	e.Core.Memory = b.messages
	return e
}

// budget is what --memory is split into.
type budget struct {
	messages int   // bytes of unfinished messages
	segments int   // bytes of packets out of order
	flows    int   // conversations at once
	queue    int64 // bytes before each sink
}

// flowBytes is about what one conversation takes without what it holds.
const flowBytes = 1536

// split gives half of the budget to unfinished messages, a quarter to
// conversations, and an eighth each to packets out of order and to the queue.
func split(memory int64) budget {
	memory = min(memory, math.MaxInt) // where pointers are short, more is not to be had
	return budget{
		messages: int(memory / 2),
		segments: int(memory / 8),
		flows:    int(memory / 4 / flowBytes),
		queue:    memory / 8,
	}
}

// tapeBytes returns how much packets may take that wait for a record, for each of
// so many outputs: beside the budget, an eighth of it for all, and not above usual.
func tapeBytes(usual int, memory int64, outputs int) int {
	return int(min(int64(usual), memory/8)) / max(outputs, 1)
}

// openSources opens what c asks for. live tells whether time passes while
// nothing is read.
func openSources(c *config.Config, f *builtin.Filter, p *process, log *slog.Logger) (all []source.Source, live bool, err error) {
	in := &c.Capture
	switch {
	case len(in.Files) > 0:
		s, err := builtin.Files(builtin.FileOptions{Paths: in.Files, Follow: in.Follow, Stdin: p.stdin, Log: log})
		if err != nil {
			return nil, false, &exit{exitRun, err}
		}
		return []source.Source{s}, in.Follow, nil
	case len(in.Listen) > 0:
		all, err = openTunnels(in, log)
		return all, true, err
	}
	there, _ := net.Interfaces() // without the list every name is as given, and opening it says what is wrong
	in.Interfaces = byNumber(in.Interfaces, there)
	all, err = builtin.Live(builtin.LiveOptions{
		Interfaces: in.Interfaces, Wait: in.Wait, Promiscuous: in.Promiscuous, Workers: in.Workers,
		Snaplen: int(in.Snaplen), Buffer: int(in.Buffer), Filter: f, Ports: portRanges(in),
		VXLANPorts: single(in.VXLANPorts), GENEVEPorts: single(in.GENEVEPorts), Log: log,
	})
	if err != nil {
		return nil, true, &exit{exitRefused, err}
	}
	return all, true, nil
}

// single lists every port of ranges.
func single(ranges []config.Range) (all []uint16) {
	for _, r := range ranges {
		for p := r.From; p <= r.To; p++ {
			all = append(all, uint16(p))
		}
	}
	return all
}

func portRanges(in *config.Capture) (all []filter.Range) {
	for _, r := range in.Ports {
		all = append(all, filter.Range{First: uint16(r.From), Last: uint16(r.To)})
	}
	return all
}

// openTunnels opens every address, once for each worker.
func openTunnels(in *config.Capture, log *slog.Logger) (all []source.Source, err error) {
	for _, text := range in.Listen {
		l, err := config.ParseListen(text)
		if err != nil {
			return nil, &exit{exitUsage, err}
		}
		some, err := builtin.Tunnel(builtin.TunnelOptions{
			Kind: l.Kind, Address: l.Address, Allow: pairs(in.VNIAllow), Deny: pairs(in.VNIDeny), Workers: in.Workers, Buffer: int(in.Buffer), Log: log,
		})
		if err != nil {
			closeAll(all)
			return nil, &exit{exitRefused, err}
		}
		all = append(all, some...)
	}
	return all, nil
}

func pairs(ranges []config.Range) (all [][2]uint32) {
	for _, r := range ranges {
		all = append(all, [2]uint32{r.From, r.To})
	}
	return all
}

func closeAll(all []source.Source) {
	for _, s := range all {
		s.Close()
	}
}
