package message

import "slices"

// Clone returns a copy of x whose halves and fields can be changed without
// changing x. What fields and bodies point to is shared and is to be replaced,
// not written into.
func (x *Exchange) Clone() *Exchange {
	c := *x
	c.Request, c.Response = x.Request.Clone(), x.Response.Clone()
	c.Interim = slices.Clone(x.Interim)
	for i, m := range c.Interim {
		c.Interim[i] = m.Clone()
	}
	return &c
}

// Clone returns a copy of m with fields of its own, as Exchange.Clone does; nil
// for nil.
func (m *Message) Clone() *Message {
	if m == nil {
		return nil
	}
	c := *m
	c.Fields = slices.Clone(m.Fields)
	return &c
}
