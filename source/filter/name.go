package filter

import (
	"strconv"
	"strings"
)

// named is a word that is no keyword: a service, a protocol, or a host, which is
// refused, because nothing here asks a name server.
func (g *generator) named(n *valueNode) condition {
	switch n.q.addr {
	case tPort:
		p, ok := g.transport(n.q.proto)
		if !ok {
			return g.fail("ports belong to tcp, udp and sctp, not to %s", protoName(n.q.proto))
		}
		port, kinds, ok := service(n.text)
		return g.service(n, p, port, port, kinds, ok)
	case tPortrange:
		p, ok := g.transport(n.q.proto)
		if !ok {
			return g.fail("ports belong to tcp, udp and sctp, not to %s", protoName(n.q.proto))
		}
		from, to, found := strings.Cut(n.text, "-")
		if !found {
			return g.fail("%q is no range of ports, such as 80-90", n.text)
		}
		lo, kinds, ok1 := service(from)
		hi, kinds2, ok2 := service(to)
		if kinds != kinds2 {
			kinds = anyKind
		}
		return g.service(n, p, lo, hi, kinds, ok1 && ok2)
	case tProto, tProtochain:
		v, ok := g.protocolName(n)
		if !ok {
			g.fail("%q is no protocol that is known by name; write its number", n.text)
			g.hint(n.text, protocolNames())
			return fixed(false)
		}
		if n.q.addr == tProtochain {
			return g.chain(v, n.q.proto)
		}
		return g.ipProto(v, n.q.proto)
	case tGateway:
		return g.fail("\"gateway\" is not supported: it needs host names and hardware addresses for them")
	case tUndefined:
		g.fail("nothing says what %q is", n.text)
		g.hint(n.text, keywordNames())
		return fixed(false)
	}
	g.fail("%q is a name, and names are not looked up; write the address", n.text)
	g.hint(n.text, keywordNames())
	return fixed(false)
}

func (g *generator) hint(text string, known []string) {
	if g.err != nil && g.err.Hint == "" && g.err.Offset == g.at.off {
		g.err.Hint = meant(text, known)
	}
}

func (g *generator) service(n *valueNode, transport, lo, hi, kinds uint32, ok bool) condition {
	switch {
	case !ok:
		g.fail("%q is no port that is known by name; write its number", n.text)
		var names []string
		for _, s := range services() {
			names = append(names, s.name)
		}
		g.hint(n.text, names)
		return fixed(false)
	case transport != 0 && kinds != anyKind && kinds != transport:
		return g.fail("port %q belongs to %s", n.text, map[uint32]string{numTCP: "tcp", numUDP: "udp"}[kinds])
	case lo > 65535 || hi > 65535:
		return g.fail("no port is above 65535")
	case transport == 0:
		transport = kinds
	}
	return g.ports(min(lo, hi), max(lo, hi), transport, n.q.dir)
}

func (g *generator) protocolName(n *valueNode) (uint32, bool) {
	switch n.q.proto {
	case pDefault, pIP, pIP6:
		for _, s := range protocols() {
			if n.text == s.name || n.text == strings.ToUpper(s.name) {
				return s.number, true
			}
		}
	case pLink:
		for _, s := range []assignment{{"aarp", typeAARP, 0}, {"arp", typeARP, 0}, {"atalk", typeATALK, 0}, {"decnet", typeDECnet, 0},
			{"ip", typeIPv4, 0}, {"ip6", typeIPv6, 0}, {"lat", typeLAT, 0}, {"loopback", typeLoop, 0}, {"mopdl", typeMOPDL, 0},
			{"moprc", typeMOPRC, 0}, {"rarp", typeRARP, 0}, {"sca", typeSCA, 0}, {"iso", sapISO, 0}, {"stp", sapSTP, 0},
			{"ipx", sapIPX, 0}, {"netbeui", sapNetBEUI, 0}} {
			if n.text == s.name {
				return s.number, true
			}
		}
	case pISO:
		switch n.text {
		case "esis":
			return 0x82, true
		case "isis":
			return 0x83, true
		case "clnp":
			return 0x81, true
		}
	}
	return 0, false
}

type assignment struct {
	name   string
	number uint32
	kinds  uint32 // anyKind, or the one transport that it has
}

const anyKind = 0

// service looks up the port of a service; a number in a name's place is one too.
func service(name string) (port, kinds uint32, ok bool) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), anyKind, true
	}
	for _, s := range services() {
		if s.name == name {
			return s.number, s.kinds, true
		}
	}
	return 0, 0, false
}

func protocolNames() []string {
	var names []string
	for _, p := range protocols() {
		names = append(names, p.name)
	}
	return names
}

// protocols are the IP protocols with a name (IANA).
func protocols() []assignment {
	return []assignment{{"ip", 0, 0}, {"hopopt", 0, 0}, {"icmp", 1, 0}, {"igmp", 2, 0}, {"ggp", 3, 0}, {"ipencap", 4, 0},
		{"st", 5, 0}, {"tcp", 6, 0}, {"egp", 8, 0}, {"igp", 9, 0}, {"pup", 12, 0}, {"udp", 17, 0}, {"hmp", 20, 0},
		{"xns-idp", 22, 0}, {"rdp", 27, 0}, {"iso-tp4", 29, 0}, {"dccp", 33, 0}, {"xtp", 36, 0}, {"ddp", 37, 0},
		{"idpr-cmtp", 38, 0}, {"ipv6", 41, 0}, {"ipv6-route", 43, 0}, {"ipv6-frag", 44, 0}, {"idrp", 45, 0}, {"rsvp", 46, 0},
		{"gre", 47, 0}, {"esp", 50, 0}, {"ah", 51, 0}, {"skip", 57, 0}, {"ipv6-icmp", 58, 0}, {"ipv6-nonxt", 59, 0},
		{"ipv6-opts", 60, 0}, {"rspf", 73, 0}, {"vmtp", 81, 0}, {"eigrp", 88, 0}, {"ospf", 89, 0}, {"ax.25", 93, 0},
		{"ipip", 94, 0}, {"etherip", 97, 0}, {"encap", 98, 0}, {"pim", 103, 0}, {"ipcomp", 108, 0}, {"vrrp", 112, 0},
		{"l2tp", 115, 0}, {"isis", 124, 0}, {"sctp", 132, 0}, {"fc", 133, 0}, {"mobility-header", 135, 0},
		{"udplite", 136, 0}, {"mpls-in-ip", 137, 0}, {"manet", 138, 0}, {"hip", 139, 0}, {"shim6", 140, 0},
		{"wesp", 141, 0}, {"rohc", 142, 0}, {"ethernet", 143, 0}}
}

// services are well-known ports by the names of IANA's registry that Debian
// gives them too, with the transport where they have only one.
func services() []assignment {
	const t, u = numTCP, numUDP
	return []assignment{{"echo", 7, 0}, {"discard", 9, 0}, {"daytime", 13, 0}, {"chargen", 19, 0}, {"ftp-data", 20, t},
		{"ftp", 21, t}, {"ssh", 22, t}, {"telnet", 23, t}, {"smtp", 25, t}, {"mail", 25, t}, {"time", 37, 0}, {"whois", 43, t},
		{"tacacs", 49, 0}, {"domain", 53, 0}, {"bootps", 67, u}, {"bootpc", 68, u}, {"tftp", 69, u}, {"gopher", 70, t},
		{"finger", 79, t}, {"http", 80, t}, {"www", 80, t}, {"kerberos", 88, 0}, {"pop3", 110, t}, {"sunrpc", 111, 0},
		{"portmapper", 111, 0}, {"auth", 113, t}, {"nntp", 119, t}, {"ntp", 123, u}, {"epmap", 135, t}, {"netbios-ns", 137, u},
		{"netbios-dgm", 138, u}, {"netbios-ssn", 139, t}, {"imap2", 143, t}, {"imap", 143, t}, {"snmp", 161, 0},
		{"snmp-trap", 162, 0}, {"snmptrap", 162, 0}, {"xdmcp", 177, u}, {"bgp", 179, t}, {"ldap", 389, 0}, {"svrloc", 427, 0},
		{"https", 443, 0}, {"microsoft-ds", 445, t}, {"kpasswd", 464, 0}, {"submissions", 465, t}, {"isakmp", 500, u},
		{"exec", 512, t}, {"login", 513, t}, {"shell", 514, t}, {"syslog", 514, u}, {"printer", 515, t}, {"route", 520, u},
		{"dhcpv6-client", 546, u}, {"dhcpv6-server", 547, u}, {"rtsp", 554, 0}, {"submission", 587, t}, {"ipp", 631, t},
		{"ldaps", 636, 0}, {"ldp", 646, 0}, {"domain-s", 853, 0}, {"rsync", 873, t}, {"ftps-data", 989, t}, {"ftps", 990, t},
		{"imaps", 993, t}, {"pop3s", 995, t}, {"socks", 1080, t}, {"openvpn", 1194, 0}, {"ms-sql-s", 1433, t},
		{"ms-sql-m", 1434, u}, {"l2tp", 1701, u}, {"radius", 1812, 0}, {"radius-acct", 1813, 0}, {"nfs", 2049, 0},
		{"mysql", 3306, t}, {"ms-wbt-server", 3389, t}, {"svn", 3690, t}, {"epmd", 4369, t}, {"ipsec-nat-t", 4500, u},
		{"sip", 5060, 0}, {"sip-tls", 5061, 0}, {"xmpp-client", 5222, t}, {"xmpp-server", 5269, t}, {"mdns", 5353, u},
		{"postgresql", 5432, t}, {"postgres", 5432, t}, {"amqps", 5671, t}, {"amqp", 5672, t}, {"x11", 6000, t},
		{"redis", 6379, t}, {"syslog-tls", 6514, t}, {"ircd", 6667, t}, {"http-alt", 8080, t}, {"webcache", 8080, t},
		{"git", 9418, t}, {"zabbix-agent", 10050, t}, {"zabbix-trapper", 10051, t}}
}
