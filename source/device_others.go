//go:build !linux

package source

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"

	"github.com/passiflow/passiflow/packet"
)

func devices() ([]Device, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var list []Device
	for _, n := range all {
		d := Device{
			Interface: Interface{Name: n.Name, Link: packet.LinkEthernet, Loopback: n.Flags&net.FlagLoopback != 0},
			Index:     n.Index,
			Up:        n.Flags&net.FlagUp != 0,
		}
		if (d.Loopback || n.Flags&net.FlagPointToPoint != 0) && runtime.GOOS != "windows" {
			d.Link = packet.LinkNull
		}
		addrs, err := n.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list addresses of %s: %w", n.Name, err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				d.Addresses = append(d.Addresses, p)
			}
		}
		list = append(list, d)
	}
	return list, nil
}
