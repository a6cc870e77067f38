package source

import (
	"net/netip"

	"github.com/passiflow/passiflow/packet"
)

// Device is a network interface of this machine.
type Device struct {
	Interface
	Index     int            // the system's number of it
	Up        bool           // administratively up
	Addresses []netip.Prefix // in the order of the system
	Hardware  uint16         // ARPHRD_ value on Linux, 0 elsewhere
	MaxFrame  int            // bytes of the largest super-segment (GSO, GRO) it may show, 0: unknown
}

// Devices lists the network interfaces of this machine, by index.
func Devices() ([]Device, error) { return devices() }

// Values of the kernel's ARPHRD_ numbers (linux/if_arp.h) whose frames need
// no cooked header.
const (
	arphrdEther    = 1
	arphrdRawIP    = 519
	arphrdTunnel   = 768
	arphrdTunnel6  = 769
	arphrdLoopback = 772
	arphrdSIT      = 776
	arphrdNone     = 65534
)

// linkOf returns how frames of a Linux device begin. What is neither Ethernet
// nor bare IP is taken as a cooked capture, because a packet socket shows the
// network header in the same place for every device.
func linkOf(hardware uint16) packet.Link {
	switch hardware {
	case arphrdEther, arphrdLoopback:
		return packet.LinkEthernet
	case arphrdRawIP, arphrdTunnel, arphrdTunnel6, arphrdSIT, arphrdNone:
		return packet.LinkRaw
	}
	return packet.LinkSLL2
}
