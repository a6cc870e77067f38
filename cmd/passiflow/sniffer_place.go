package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"

	"github.com/passiflow/passiflow/internal/config"
)

// parseInput reads HOST:PORTS.
func parseInput(text, from string) (input, error) {
	if strings.HasPrefix(text, "k8s://") {
		return input{}, fmt.Errorf("%s %s: pods and services cannot be named yet: give interfaces and ports, such as :80", from, text)
	}
	host, ports := text, ""
	if strings.Trim(text, "0123456789,") == "" {
		host, ports = "", text
	} else if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		host, ports = text[:i], text[i+1:]
	}
	return input{value{unquote(host), from}, value{unquote(ports), from}}, nil
}

// unquote takes off quotes that an environment file has kept.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return strings.TrimSpace(s[1 : len(s)-1])
	}
	return s
}

// everywhere tells whether host stands for all interfaces.
func everywhere(host string) bool {
	host = strings.Trim(host, "[]")
	return host == "" || host == "0.0.0.0" || host == "::" || host == "any"
}

// place lays where to capture, and on which ports, into the configuration.
func (s *sniffer) place(l *config.Loader) error {
	first := s.inputs[0]
	for _, in := range s.inputs[1:] {
		if in.ports.text != first.ports.text {
			return fmt.Errorf("%s: inputs with different ports, %q and %q: start passiflow once for each", in.ports.from, first.ports.text, in.ports.text)
		}
	}
	if p := first.ports.text; p != "" && p != "0" {
		l.Flag("capture.ports", first.ports.from, p)
	}
	switch s.engine.text {
	case "vxlan":
		return s.listen(l)
	case "pcap_file":
		return s.read(l)
	case "", "libpcap", "raw_socket", "af_packet":
	default:
		return fmt.Errorf("%s %s: is not an engine: libpcap, vxlan, pcap_file", s.engine.from, s.engine.text)
	}
	if strings.HasSuffix(first.host.text, ".pcap") || strings.HasSuffix(first.host.text, ".pcapng") {
		return s.read(l)
	}
	names, err := s.interfaces(net.Interfaces)
	if err != nil {
		return err
	}
	l.Flag("capture.interface", first.host.from, names...)
	return nil
}

// listen takes mirrored traffic without an interface of its own.
func (s *sniffer) listen(l *config.Loader) error {
	port := s.vxlanPort
	if port.text == "" {
		port = value{"4789", s.engine.from}
	}
	l.Flag("capture.listen", port.from, "vxlan://0.0.0.0:"+port.text)
	var allow, deny []string
	for _, v := range s.vnis {
		if id, ok := strings.CutPrefix(v, "-"); ok {
			deny = append(deny, id)
		} else {
			allow = append(allow, v)
		}
	}
	if allow != nil {
		l.Flag("capture.vni_allow", s.vnisFrom, strings.Join(allow, ","))
	}
	if deny != nil {
		l.Flag("capture.vni_deny", s.vnisFrom, strings.Join(deny, ","))
	}
	return nil
}

func (s *sniffer) read(l *config.Loader) error {
	var files []string
	for _, in := range s.inputs {
		files = append(files, in.host.text)
	}
	l.Flag("capture.read", s.inputs[0].host.from, files...)
	return nil
}

// interfaces returns the names of the interfaces that are asked for.
func (s *sniffer) interfaces(list func() ([]net.Interface, error)) ([]string, error) {
	all := false
	for _, in := range s.inputs {
		all = all || everywhere(in.host.text)
	}
	if all && len(s.ignore) == 0 && runtime.GOOS == "linux" {
		return []string{"any"}, nil
	}
	have, err := list()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var names []string
	for _, in := range s.inputs {
		some, err := matching(in.host, have)
		if err != nil {
			return nil, err
		}
		for _, n := range some {
			if !slices.Contains(names, n) && !slices.Contains(s.ignore, n) {
				names = append(names, n)
			}
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no interface is left to capture on")
	}
	if all && len(s.ignore) > 0 {
		s.warn("--input-raw-ignore-interface", fmt.Sprintf("captures on %s; interfaces that come later are not captured on", strings.Join(names, ", ")))
	}
	return names, nil
}

// matching returns the interfaces that host means: all that are up, one by its
// name or address, or those whose names begin as it says.
func matching(host value, have []net.Interface) (names []string, err error) {
	prefix, pattern := strings.CutSuffix(host.text, "*")
	address, _ := netip.ParseAddr(strings.Trim(host.text, "[]"))
	for _, i := range have {
		up := i.Flags&net.FlagUp != 0
		switch {
		case everywhere(host.text):
			if up {
				names = append(names, i.Name)
			}
		case pattern:
			if up && strings.HasPrefix(i.Name, prefix) {
				names = append(names, i.Name)
			}
		case address.IsValid():
			if hasAddress(i, address) {
				names = append(names, i.Name)
			}
		}
	}
	switch {
	case names != nil:
	case pattern:
		return nil, fmt.Errorf("%s: no interface that is up has a name that begins with %q", host.from, prefix)
	case address.IsValid():
		return nil, fmt.Errorf("%s: no interface has the address %s", host.from, address)
	case !everywhere(host.text):
		names = []string{host.text} // whether there is one, its opening tells
	}
	return names, nil
}

func hasAddress(i net.Interface, a netip.Addr) bool {
	all, _ := i.Addrs() // an interface that went away has none
	for _, x := range all {
		if p, err := netip.ParsePrefix(x.String()); err == nil && p.Addr().Unmap() == a.Unmap() {
			return true
		}
	}
	return false
}
