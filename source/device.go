package source

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

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

// Choose returns the devices of these names; without names the first that is
// up and not loopback. An error names those that exist.
func Choose(names []string) ([]Device, error) {
	found, err := Devices()
	if err != nil {
		return nil, err
	}
	return choose(found, names)
}

func choose(found []Device, names []string) ([]Device, error) {
	var chosen []Device
	if len(names) == 0 {
		for _, d := range found {
			if d.Up && !d.Loopback {
				return []Device{d}, nil
			}
		}
	}
	var all []string
	for _, d := range found {
		all = append(all, d.Name)
	}
	there := strings.Join(all, ", ")
	if len(names) == 0 {
		return nil, fmt.Errorf("no interface is up, but loopback: name one of %s", there)
	}
	for i, name := range names {
		at := slices.IndexFunc(found, func(d Device) bool { return d.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("open %s: there is no such interface, but %s", name, there)
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("open %s: is named twice", name)
		}
		chosen = append(chosen, found[at])
	}
	return chosen, nil
}

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
