package rule

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// condition is an expression over the fields of a record, compiled.
type condition struct {
	program *vm.Program
	uses    *uses
}

// uses is what conditions look at of those fields that cost something.
type uses struct {
	id, pair, time, marks bool
	headers               []string
	every                 bool // header
	count, fixed          int  // mentions of headers, those of one by its name
	fault                 error
	at                    file.Location
}

// compile reads a condition. Its error is a *Fault with the place in text,
// counted from line 1 and column 1.
func compile(text string) (*condition, error) {
	u := &uses{}
	p, err := expr.Compile(text, options(u)...)
	if err != nil {
		return nil, exprFault(err, text)
	}
	if u.fault != nil {
		return nil, faultAt(text, u.at.From, u.fault.Error())
	}
	u.every = u.count != u.fixed
	return &condition{p, u}, nil
}

func options(u *uses) []expr.Option {
	return []expr.Option{
		expr.Env(&record{}), expr.AsBool(), expr.WithContext(""), expr.MaxNodes(2000),
		expr.Function("cidr", cidr, new(func(string, ...string) bool)),
		expr.Patch(u),
	}
}

// exprFault says where and what is wrong with an expression.
func exprFault(err error, text string) *Fault {
	var e *file.Error
	if !errors.As(err, &e) {
		return &Fault{Line: 1, Column: 1, Problem: err.Error()}
	}
	problem := e.Message
	if i := strings.Index(problem, "has no field "); i >= 0 { // what has none is a type of ours
		problem = problem[i:]
	}
	return &Fault{Line: max(e.Line, 1), Column: e.Column + 1, Problem: problem + suggestField(problem)}
}

// faultAt is a fault of the character of text whose index is at.
func faultAt(text string, at int, problem string) *Fault {
	f := &Fault{Line: 1, Column: 1, Problem: problem}
	runes := []rune(text)
	for _, r := range runes[:min(at, len(runes))] {
		if f.Column++; r == '\n' {
			f.Line, f.Column = f.Line+1, 1
		}
	}
	return f
}

// suggestField names the field that was probably meant.
func suggestField(message string) string {
	for _, begin := range []string{"unknown name ", "has no field "} {
		if _, name, ok := strings.Cut(message, begin); ok {
			return didYouMean(strings.Fields(name)[0], fieldNames())
		}
	}
	return ""
}

// Visit implements ast.Visitor. Names of headers it writes in lower case, as
// they stand in a record.
func (u *uses) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		u.mention(n.Value)
	case *ast.MemberNode:
		if p, ok := n.Property.(*ast.StringNode); ok {
			if isHeaders(n.Node) {
				u.header(p)
			} else {
				u.mention(p.Value)
			}
		}
	case *ast.BinaryNode:
		if p, ok := n.Left.(*ast.StringNode); ok && n.Operator == "in" && isHeaders(n.Right) {
			u.header(p)
		}
	case *ast.CallNode:
		if f, ok := n.Callee.(*ast.IdentifierNode); ok && f.Value == "cidr" {
			for _, a := range n.Arguments[min(1, len(n.Arguments)):] {
				if p, ok := a.(*ast.StringNode); ok {
					if _, err := parsePrefix(p.Value); err != nil && u.fault == nil {
						u.fault, u.at = err, p.Location()
					}
				}
			}
		}
	}
}

func (u *uses) header(p *ast.StringNode) {
	p.Value = strings.ToLower(p.Value)
	u.headers = append(u.headers, p.Value)
	u.fixed++
}

func (u *uses) mention(name string) {
	switch name {
	case "id":
		u.id = true
	case "pair":
		u.pair = true
	case "time":
		u.time = true
	case "marks":
		u.marks = true
	case "headers":
		u.count++
	case "$env":
		u.id, u.pair, u.time, u.marks = true, true, true, true
		u.count++
	}
}

func isHeaders(n ast.Node) bool {
	if c, ok := n.(*ast.ChainNode); ok { // request?.headers
		n = c.Node
	}
	m, ok := n.(*ast.MemberNode)
	if !ok {
		return false
	}
	p, ok := m.Property.(*ast.StringNode)
	return ok && p.Value == "headers"
}

// join makes u what both look at.
func (u *uses) join(o *uses) {
	u.id, u.pair, u.time, u.marks = u.id || o.id, u.pair || o.pair, u.time || o.time, u.marks || o.marks
	u.every = u.every || o.every
	u.headers = append(u.headers, o.headers...)
}

// cidr tells whether an address lies in one of the networks.
func cidr(args ...any) (any, error) {
	ip, err := netip.ParseAddr(args[0].(string))
	if err != nil {
		return false, nil
	}
	for _, a := range args[1:] {
		p, err := parsePrefix(a.(string))
		if err != nil {
			return false, err
		}
		if p.Contains(ip.Unmap()) {
			return true, nil
		}
	}
	return false, nil
}

// parsePrefix reads a network, or one address.
func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		ip, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("%q is no network; write 10.0.0.0/8", s)
		}
		return netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%q is no network; write 10.0.0.0/8", s)
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}
