// Package filter compiles a filter expression of the pcap-filter(7) language
// to a classic BPF program, without libpcap and without cgo.
//
// An expression means the outer frame, as in tcpdump: "tcp port 80" does not
// look into tunnels, and looks behind a VLAN tag or MPLS label only after
// "vlan" or "mpls". Ports is the program for "the innermost ports, whatever is
// around them".
//
// The same program runs in the kernel (attach it to a socket) and over frames
// in memory (Program.Match, which allocates nothing). README.md lists what the
// language knows and where it differs from libpcap.
package filter

import (
	"fmt"
	"strings"

	"golang.org/x/net/bpf"
)

// Expression is a parsed expression. It is immutable.
type Expression struct {
	text string
	root node
}

// Parse reads an expression. The empty one accepts every packet. The error is an
// *Error. Faults that depend on the link type, and names that mean nothing, are
// found by Compile.
func Parse(expr string) (*Expression, error) {
	if len(expr) > maxText {
		return nil, &Error{Expr: expr[:64] + "…", Msg: fmt.Sprintf("longer than %d bytes", maxText)}
	}
	var p parser
	root, err := p.run(expr)
	if err != nil {
		return nil, err
	}
	return &Expression{expr, root}, nil
}

// maxText bounds the length of an expression in bytes.
const maxText = 256 << 10

// String returns the text that was parsed.
func (e *Expression) String() string { return e.text }

// Union returns the expression that accepts what any of members accepts. Each
// keeps its own meaning: a "vlan" in one does not move the offsets of the next,
// and a packet too short for a field of one is still looked at by the others.
// The union of no members rejects every packet.
func Union(members ...*Expression) *Expression {
	return &Expression{joined(members, " or "), &eitherNode{members}}
}

// Intersection returns the expression that accepts what all of members accept.
// Each keeps its own meaning, as in Union.
func Intersection(members ...*Expression) *Expression {
	return &Expression{joined(members, " and "), &everyoneNode{members}}
}

func joined(members []*Expression, by string) string {
	text := make([]string, len(members))
	for i, m := range members {
		text[i] = "(" + m.text + ")"
	}
	return strings.Join(text, by)
}

// Options say where a program will run. The zero value is right for frames in
// memory or in a file.
type Options struct {
	// Live compiles for a Linux packet socket: the outer VLAN tag lies beside
	// the frame, and "vlan" reads it there; "inbound", "outbound" and "ifindex"
	// ask the kernel; a program that the kernel would refuse is an error.
	// An expression without "vlan" then sees a tagged frame as if it had no
	// tag, as tcpdump does.
	Live bool
	// Snaplen is how many bytes of an accepted packet the kernel hands on;
	// default 262144.
	Snaplen uint32
	// Netmask is that of the captured network, for "ip broadcast"; default 0,
	// where only 0.0.0.0 and 255.255.255.255 count, as for files.
	Netmask uint32
}

// MaxInstructions is the longest program that Linux takes.
const MaxInstructions = 4096

// Compile translates e for frames that begin as link says (a LINKTYPE_ value of
// the pcap file formats). The error is an *Error; it wraps ErrRejectsAll when no
// packet could match.
func (e *Expression) Compile(link uint32, o Options) ([]bpf.RawInstruction, error) {
	if o.Snaplen == 0 {
		o.Snaplen = 262144
	}
	p, fault := e.compile(link, o)
	if fault != nil {
		fault.Expr = e.text
		if fault.in != nil { // the offset counts from there
			fault.Expr = fault.in.text
		}
		return nil, fault
	}
	return p, nil
}

func (e *Expression) compile(link uint32, o Options) ([]bpf.RawInstruction, *Error) {
	g := &generator{options: o}
	cond := g.expression(e.root, link)
	if g.err != nil {
		return nil, g.err
	}
	var graph graph
	accept, reject := graph.ret(o.Snaplen), graph.ret(0)
	entry := graph.optimise(graph.prologue(cond.emit(&graph, accept, reject)))
	if entry == reject {
		return nil, &Error{Length: len(e.text), Msg: ErrRejectsAll.Error(), Err: ErrRejectsAll}
	}
	code := assemble(entry)
	if o.Live && len(code) > MaxInstructions {
		return nil, &Error{Length: len(e.text), Msg: fmt.Sprintf(
			"too large for the kernel: %d instructions, at most %d; filter less here or in a file", len(code), MaxInstructions)}
	}
	return code, nil
}
