package wire

import "net"

// NewConn returns a connection over c.
func NewConn(c net.Conn) *Conn { return newConn(c) }
