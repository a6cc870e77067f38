package rule

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
)

// SQL translates a condition into one for the WHERE clause of a query, with
// values as parameters. columns returns the column that holds a field, by its
// path such as response.status or request.headers.host, and false where there is
// none. A column may be NULL where a record lacks the field: it then counts as
// "", 0 or false, as it does in rules.
//
// What can be translated is a part of the language: and, or, not; ==, !=, <, <=,
// >, >= between fields and constants; in with a list of constants or a range;
// contains, startsWith, endsWith; fields that are true or false; cidr of an
// address whose key, as AddressKey makes it, is the column of a path such as
// client.ip_key. Anything else is an error that says what and where.
//
// The clause is understood by SQLite and DuckDB; columns are put into it as they
// are returned.
func SQL(condition string, columns func(path string) (column string, ok bool)) (where string, args []any, err error) {
	u := &uses{}
	program, err := expr.Compile(condition, append(options(u), expr.Optimize(false))...)
	if err != nil {
		return "", nil, exprFault(err, condition)
	}
	if u.fault != nil {
		return "", nil, faultAt(condition, u.at.From, u.fault.Error())
	}
	q := &query{text: condition, columns: columns}
	q.condition(program.Node())
	if q.fault != nil {
		return "", nil, q.fault
	}
	return q.out.String(), q.args, nil
}

// query is a translation under way.
type query struct {
	text    string
	columns func(string) (string, bool)
	out     strings.Builder
	args    []any
	fault   *Fault
}

func (q *query) fail(n ast.Node, format string, args ...any) {
	if q.fault == nil {
		q.fault = faultAt(q.text, n.Location().From, fmt.Sprintf(format, args...))
	}
}

func (q *query) put(parts ...string) {
	for _, p := range parts {
		q.out.WriteString(p)
	}
}

func (q *query) arg(v any) {
	q.out.WriteByte('?')
	q.args = append(q.args, v)
}

// condition translates what is true or false.
func (q *query) condition(node ast.Node) {
	switch n := node.(type) {
	case *ast.BoolNode:
		q.put(map[bool]string{true: "1 = 1", false: "1 = 0"}[n.Value])
	case *ast.UnaryNode:
		if n.Operator != "not" && n.Operator != "!" {
			q.fail(n, "%s cannot be translated", n.Operator)
			return
		}
		q.put("NOT (")
		q.condition(n.Node)
		q.put(")")
	case *ast.BinaryNode:
		q.binary(n)
	case *ast.CallNode:
		q.call(n)
	default:
		if q.kind(node) == "bool" {
			q.put("COALESCE(", q.column(node), ", FALSE)")
			return
		}
		q.fail(node, "%s cannot be translated", describe(node))
	}
}

func (q *query) binary(n *ast.BinaryNode) {
	switch op := n.Operator; op {
	case "and", "&&", "or", "||":
		word := ") AND ("
		if op[0] == 'o' || op[0] == '|' {
			word = ") OR ("
		}
		q.put("(")
		q.condition(n.Left)
		q.put(word)
		q.condition(n.Right)
		q.put(")")
	case "==", "!=", "<", "<=", ">", ">=":
		if q.truth(n.Left) || q.truth(n.Right) {
			if op != "==" && op != "!=" {
				q.fail(n, "%s between truths cannot be translated", op)
			}
			q.put("(")
			q.condition(n.Left)
			q.put(map[string]string{"==": ") = (", "!=": ") <> ("}[op])
			q.condition(n.Right)
			q.put(")")
			return
		}
		q.value(n.Left)
		q.put(" ", map[string]string{"==": "=", "!=": "<>"}[op])
		if op != "==" && op != "!=" {
			q.put(op)
		}
		q.put(" ")
		q.value(n.Right)
	case "in":
		q.in(n)
	case "contains":
		q.put("instr(")
		q.value(n.Left)
		q.put(", ")
		q.value(n.Right)
		q.put(") > 0")
	case "startsWith", "endsWith":
		text, ok := n.Right.(*ast.StringNode)
		if !ok {
			q.fail(n.Right, "only a constant text can stand behind %s", op)
			return
		}
		switch {
		case text.Value == "":
			q.put("1 = 1")
		case op == "startsWith":
			q.put("instr(")
			q.value(n.Left)
			q.put(", ")
			q.arg(text.Value)
			q.put(") = 1")
		default:
			q.put("instr(")
			q.value(n.Left)
			q.put(" || ")
			q.arg(endOfText)
			q.put(", ")
			q.arg(text.Value + endOfText)
			q.put(") > 0")
		}
	default:
		q.fail(n, "%s cannot be translated", op)
	}
}

// endOfText is behind a text whose end is looked at: a character that no text
// has (Unicode section 23.7). substr would do, but not for SQLite behind a zero.
const endOfText = "\U0010ffff"

// in translates membership in a list or a range.
func (q *query) in(n *ast.BinaryNode) {
	switch right := n.Right.(type) {
	case *ast.ArrayNode:
		if len(right.Nodes) == 0 {
			q.put("1 = 0")
			return
		}
		q.value(n.Left)
		q.put(" IN (")
		for i, v := range right.Nodes {
			if i > 0 {
				q.put(", ")
			}
			q.constant(v)
		}
		q.put(")")
	case *ast.BinaryNode:
		if right.Operator != ".." {
			q.fail(right, "%s cannot be translated", describe(right))
			return
		}
		q.value(n.Left)
		q.put(" BETWEEN ")
		q.constant(right.Left)
		q.put(" AND ")
		q.constant(right.Right)
	default:
		q.fail(right, "in can be translated with a list or a range of constants only")
	}
}

// value translates a text or a number.
func (q *query) value(node ast.Node) {
	switch node.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.UnaryNode:
		q.constant(node)
		return
	}
	switch q.kind(node) {
	case "text":
		q.put("COALESCE(", q.column(node), ", '')")
	case "number":
		q.put("COALESCE(", q.column(node), ", 0)")
	default:
		q.fail(node, "%s cannot be translated", describe(node))
	}
}

func (q *query) constant(node ast.Node) {
	switch n := node.(type) {
	case *ast.StringNode:
		q.arg(n.Value)
		return
	case *ast.IntegerNode:
		q.arg(int64(n.Value))
		return
	case *ast.FloatNode:
		if !math.IsNaN(n.Value) && !math.IsInf(n.Value, 0) {
			q.arg(n.Value)
			return
		}
	case *ast.UnaryNode:
		switch v := n.Node.(type) {
		case *ast.IntegerNode:
			if n.Operator == "-" {
				q.arg(-int64(v.Value))
				return
			}
		case *ast.FloatNode:
			if n.Operator == "-" {
				q.arg(-v.Value)
				return
			}
		}
	}
	q.fail(node, "%s is not a constant", describe(node))
}

// call translates cidr.
func (q *query) call(n *ast.CallNode) {
	f, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || f.Value != "cidr" {
		q.fail(n, "%s cannot be translated", describe(n))
		return
	}
	path := pathOf(n.Arguments[0])
	column, ok := q.columns(path + "_key")
	if path == "" || !ok {
		q.fail(n, "cidr of %s cannot be translated", path)
		return
	}
	q.put("(")
	for i, a := range n.Arguments[1:] {
		text, ok := a.(*ast.StringNode)
		if !ok {
			q.fail(a, "a network must be a constant")
			return
		}
		p, _ := parsePrefix(text.Value) // has been looked at
		if i > 0 {
			q.put(" OR ")
		}
		q.between(column, " BETWEEN ", p)
		if v4 := netip.PrefixFrom(netip.IPv4Unspecified(), 0); p.Addr().Is6() && p.Contains(netip.AddrFrom16(v4.Addr().As16())) {
			q.put(" AND ") // the addresses of IPv4 stand among these and are none of them
			q.between(column, " NOT BETWEEN ", v4)
		}
	}
	if len(n.Arguments) == 1 {
		q.put("1 = 0")
	}
	q.put(")")
}

func (q *query) between(column, word string, p netip.Prefix) {
	q.put("COALESCE(", column, ", '')", word)
	q.arg(AddressKey(p.Addr()))
	q.put(" AND ")
	q.arg(AddressKey(lastOf(p)))
}

// AddressKey writes an address as 32 hexadecimal digits whose order is that of
// the addresses, so that a network is a range. IPv4 stands in its place among
// IPv6.
func AddressKey(a netip.Addr) string {
	b := a.As16()
	return fmt.Sprintf("%x", b[:])
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As16()
	from := p.Bits()
	if p.Addr().Is4() {
		from += 96
	}
	for i := from; i < 128; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	last := netip.AddrFrom16(b)
	if p.Addr().Is4() {
		return last.Unmap()
	}
	return last
}

// column returns the column of a field.
func (q *query) column(node ast.Node) string {
	path := pathOf(node)
	c, ok := q.columns(path)
	if !ok {
		q.fail(node, "%s is no column here", path)
	}
	return c
}

// pathOf returns the path of a field, "" if node is none.
func pathOf(node ast.Node) string {
	switch n := node.(type) {
	case *ast.ChainNode:
		return pathOf(n.Node)
	case *ast.IdentifierNode:
		return n.Value
	case *ast.MemberNode:
		if p, ok := n.Property.(*ast.StringNode); ok {
			if before := pathOf(n.Node); before != "" {
				return before + "." + p.Value
			}
		}
	}
	return ""
}

// kind returns what a field is: text, number or bool; "" if node is no field.
func (q *query) kind(node ast.Node) string {
	path := pathOf(node)
	if strings.HasPrefix(path, "request.headers.") || strings.HasPrefix(path, "response.headers.") {
		return "text"
	}
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case path == "" || slices.Contains([]string{"client", "server", "tunnel", "request", "response", "integrity", "headers", "marks"}, last):
		return ""
	case path == "tunnel.id" || slices.Contains([]string{"port", "vlan", "duration_ns", "status", "body_size", "body_wire_size", "lost"}, last):
		return "number"
	case slices.Contains([]string{"body_truncated", "complete", "start_missing", "truncated", "open"}, last):
		return "bool"
	}
	return "text"
}

// truth tells whether node is true or false, and no text or number.
func (q *query) truth(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.BoolNode, *ast.CallNode:
		return true
	case *ast.UnaryNode:
		return n.Operator == "not" || n.Operator == "!"
	case *ast.BinaryNode:
		return true
	}
	return q.kind(node) == "bool"
}

// describe names a part of a condition for people.
func describe(node ast.Node) string {
	switch n := node.(type) {
	case *ast.BuiltinNode:
		return "the function " + n.Name
	case *ast.CallNode:
		if f, ok := n.Callee.(*ast.IdentifierNode); ok {
			return "the function " + f.Value
		}
	case *ast.BinaryNode:
		return n.Operator
	}
	if p := pathOf(node); p != "" {
		return p
	}
	return strings.TrimSpace(node.String())
}
