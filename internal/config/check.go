package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Listen is a UDP address that mirrored traffic is sent to.
type Listen struct {
	Kind    string // vxlan, geneve
	Address string // host:port, the host may be empty
}

// ParseListen reads vxlan://ADDRESS:PORT. The address may be left out (all
// addresses), and the port (the one registered for the kind).
func ParseListen(s string) (Listen, error) {
	kinds := map[string]string{"vxlan": "4789", "geneve": "6081"}
	kind, at, ok := strings.Cut(s, "://")
	port := kinds[kind]
	if !ok || port == "" {
		return Listen{}, fmt.Errorf("%q is not vxlan://ADDRESS:4789 or geneve://ADDRESS:6081", s)
	}
	at = strings.TrimSuffix(at, "/")
	if at == "" {
		return Listen{kind, ":" + port}, nil
	}
	if a, err := netip.ParseAddr(strings.Trim(at, "[]")); err == nil {
		return Listen{kind, netip.AddrPortFrom(a, 0).String()}.withPort(port), nil
	}
	host, p, found := cutLast(at, ":")
	if !found || p == "" || strings.Trim(p, "0123456789") != "" || len(p) > 5 || len(p) == 5 && p > "65535" {
		return Listen{}, fmt.Errorf("%q: %q is not ADDRESS:PORT", s, at)
	}
	if host != "" {
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil {
			return Listen{}, fmt.Errorf("%q: %q is not an IP address", s, host)
		}
	}
	return Listen{kind, at}, nil
}

func (l Listen) withPort(port string) Listen {
	l.Address = strings.TrimSuffix(l.Address, "0") + port
	return l
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func testListen(s string) error {
	_, err := ParseListen(s)
	return err
}

// contradiction is a fault between settings, told at the first of its paths
// that was set.
type contradiction struct {
	paths []string
	err   error
}

// maxTunnelPorts bounds the ports of a kind of tunnel: the kernel's program has
// a step for each.
const maxTunnelPorts = 8

func count(all []Range) (n int) {
	for _, r := range all {
		n += int(r.To-r.From) + 1
	}
	return n
}

func overlap(a, b []Range) bool {
	for _, r := range a {
		for _, s := range b {
			if r.From <= s.To && s.From <= r.To {
				return true
			}
		}
	}
	return false
}

// contradictions lists what each value alone does not show.
func (c *Config) contradictions() []contradiction {
	var all []contradiction
	add := func(bad bool, problem string, paths ...string) {
		if bad {
			all = append(all, contradiction{paths, errors.New(problem)})
		}
	}
	in := &c.Capture
	add(len(in.Files) > 0 && len(in.Interfaces) > 0, "files and interfaces cannot be read together: run one capture for each", "capture.read", "capture.interface")
	add(len(in.Files) > 0 && len(in.Listen) > 0, "files and mirrored traffic cannot be read together: run one capture for each", "capture.read", "capture.listen")
	add(len(in.Interfaces) > 0 && len(in.Listen) > 0, "interfaces and mirrored traffic cannot be read together: run one capture for each", "capture.listen", "capture.interface")
	add(in.Follow && len(in.Files) == 0, "needs a file to read (capture.read, -r)", "capture.follow")
	add(in.Follow && len(in.Files) > 1, "follows one file only: the ones after it would never be reached", "capture.follow")
	add(in.VNIAllow != nil && len(in.Listen) == 0, "needs capture.listen", "capture.vni_allow")
	add(in.VNIDeny != nil && len(in.Listen) == 0, "needs capture.listen", "capture.vni_deny")
	add(in.Filter != "" && in.FilterFile != "", "the filter is given twice: as an expression and as a file", "capture.filter_file", "capture.filter")
	vxlan, geneve := count(in.VXLANPorts), count(in.GENEVEPorts)
	add(vxlan > maxTunnelPorts, fmt.Sprintf("%d ports are more than %d", vxlan, maxTunnelPorts), "capture.vxlan_ports")
	add(geneve > maxTunnelPorts, fmt.Sprintf("%d ports are more than %d", geneve, maxTunnelPorts), "capture.geneve_ports")
	add(overlap(in.VXLANPorts, in.GENEVEPorts), "a port cannot carry VXLAN and GENEVE", "capture.geneve_ports", "capture.vxlan_ports")
	stdin := 0
	for _, f := range in.Files {
		if f == "-" {
			stdin++
		}
	}
	add(stdin > 1, "standard input can be read once only", "capture.read")
	flows := c.Output.Unit == "flow" || slices.ContainsFunc(c.Sinks, func(s *Sink) bool { return s.Unit == "flow" })
	add(c.Output.Digest && !flows, "needs unit flow", "output.digest")
	add(c.Output.Write != "" && !c.Mask.RawUnmasked && !c.Mask.ShowSecrets,
		"packets are written as captured, with the credentials in them: allow it with --raw-unmasked (mask.raw_unmasked)", "output.write")
	add(c.Output.Write == "-" && (c.Output.Format == Line || c.Output.Format == JSON), "standard output cannot carry packets and records: use -q", "output.write")
	c.sinkFaults(add)
	return all
}
