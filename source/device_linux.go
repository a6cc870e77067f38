package source

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
)

// Route attributes that package syscall does not name (linux/if_link.h).
const (
	iflaGSOMaxSize     = 41
	iflaGROMaxSize     = 58
	iflaGSOIPv4MaxSize = 63
	iflaGROIPv4MaxSize = 64
)

func devices() ([]Device, error) {
	var list []Device
	err := dump(syscall.RTM_GETLINK, func(m *syscall.NetlinkMessage) {
		if m.Header.Type != syscall.RTM_NEWLINK || len(m.Data) < syscall.SizeofIfInfomsg {
			return
		}
		hardware := binary.NativeEndian.Uint16(m.Data[2:])
		flags := binary.NativeEndian.Uint32(m.Data[8:])
		d := Device{
			Interface: Interface{Link: linkOf(hardware), Loopback: flags&syscall.IFF_LOOPBACK != 0},
			Index:     int(int32(binary.NativeEndian.Uint32(m.Data[4:]))),
			Up:        flags&syscall.IFF_UP != 0,
			Hardware:  hardware,
		}
		attributes(m, func(kind uint16, value []byte) {
			switch kind {
			case syscall.IFLA_IFNAME:
				d.Name = strings.TrimRight(string(value), "\x00")
			case iflaGSOMaxSize, iflaGROMaxSize, iflaGSOIPv4MaxSize, iflaGROIPv4MaxSize:
				if len(value) == 4 {
					// The size counts from the network header on.
					d.MaxFrame = max(d.MaxFrame, int(binary.NativeEndian.Uint32(value))+18)
				}
			}
		})
		list = append(list, d)
	})
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	err = dump(syscall.RTM_GETADDR, func(m *syscall.NetlinkMessage) {
		if m.Header.Type != syscall.RTM_NEWADDR || len(m.Data) < syscall.SizeofIfAddrmsg {
			return
		}
		bits, index := int(m.Data[1]), int(binary.NativeEndian.Uint32(m.Data[4:]))
		var addr netip.Addr
		attributes(m, func(kind uint16, value []byte) {
			// On a point-to-point link IFA_ADDRESS is the peer's and IFA_LOCAL ours.
			if kind == syscall.IFA_LOCAL || kind == syscall.IFA_ADDRESS && !addr.IsValid() {
				if a, ok := netip.AddrFromSlice(value); ok {
					addr = a
				}
			}
		})
		for i := range list {
			if list[i].Index == index && addr.IsValid() {
				list[i].Addresses = append(list[i].Addresses, netip.PrefixFrom(addr, bits))
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return list, nil
}

func dump(request int, visit func(*syscall.NetlinkMessage)) error {
	raw, err := syscall.NetlinkRIB(request, syscall.AF_UNSPEC)
	if err != nil {
		return os.NewSyscallError("netlink", err)
	}
	messages, err := syscall.ParseNetlinkMessage(raw)
	if err != nil {
		return os.NewSyscallError("netlink", err)
	}
	for i := range messages {
		visit(&messages[i])
	}
	return nil
}

func attributes(m *syscall.NetlinkMessage, visit func(kind uint16, value []byte)) {
	list, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return
	}
	for i := range list {
		visit(list[i].Attr.Type, list[i].Value)
	}
}
