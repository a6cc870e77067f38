package filter

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// writer makes random expressions. Most of their terms are right; some are not,
// on purpose.
type writer struct {
	*rand.Rand
	link uint32
}

func (w writer) pick(s ...string) string { return s[w.IntN(len(s))] }

func (w writer) one(n int) bool { return w.IntN(n) == 0 }

func (w writer) expr(depth int) string {
	switch n := w.IntN(10); {
	case depth <= 0 || n < 3:
		return w.term()
	case n < 5:
		return w.expr(depth-1) + w.pick(" and ", " && ") + w.expr(depth-1)
	case n < 7:
		return w.expr(depth-1) + w.pick(" or ", " || ") + w.expr(depth-1)
	case n < 8:
		return w.pick("not ", "! ", "!") + w.term()
	case n < 9:
		return "(" + w.expr(depth-1) + ")"
	}
	s := w.list()
	if e, err := Parse(s); err == nil {
		if _, err = e.Compile(w.link, Options{}); err == nil || w.one(20) {
			return s
		}
	}
	return w.expr(depth)
}

// list is a primitive with several values, some of which inherit.
func (w writer) list() string {
	head, value := w.head()
	switch w.IntN(4) {
	case 0:
		return head + " (" + value() + w.pick(" or ", " and ") + value() + ")"
	case 1:
		return head + " " + value() + w.pick(" or ", " and ") + w.pick("", "not ", "! ") + value()
	case 2:
		return head + " not " + value()
	}
	return head + " (" + value() + " or (" + value() + " or " + value() + ")) and (" + w.term() + ") or " + value()
}

// head is a qualifier and what makes values for it.
func (w writer) head() (string, func() string) {
	dir := w.pick("", "", "src ", "dst ", "src or dst ", "src and dst ", "dst and src ")
	if w.one(60) {
		dir = w.pick("addr1 ", "ra ", "address3 ")
	}
	switch w.IntN(9) {
	case 0, 1:
		return w.pick("", "", "tcp ", "udp ", "sctp ", "ip ") + dir + "port", w.port
	case 2:
		return w.pick("", "tcp ", "udp ") + dir + "portrange", w.ports
	case 3, 4:
		return w.pick("", "", "ip ", "arp ", "rarp ", "tcp ", "decnet ") + dir + w.pick("host", "net"), w.ipv4
	case 5:
		return w.pick("", "ip6 ", "ip ") + dir + w.pick("host", "net"), w.ipv6
	case 6:
		return w.pick("ether ", "ether ", "link ", "ppp ") + w.pick("", "src ", "dst ", "src or dst ") + "host", w.mac
	case 7:
		return w.pick("ip ", "ip6 ", "", "ether ", "iso ", "isis ", "tcp ") + "proto", w.proto
	}
	return w.pick("", "ip ", "ip6 ", "arp ") + "protochain", w.proto
}

func (w writer) port() string {
	if w.one(5) {
		return w.pick("http", "https", "domain", "ssh", "ntp", "ftp-data", "snmp", "radius", "sip", "nosuchservice", "\\http")
	}
	return w.pick("80", "443", "53", "22", "6081", "0x50", "0120", "8080", "65535", "65536", "0", "(80)", fmt.Sprint(w.IntN(70000)))
}

func (w writer) ports() string {
	return w.pick("80-443", "0-65535", "53-22", "80", "http-https", "20-http", "70-65537", "22-23", "1024-8080", "443-https")
}

func (w writer) ipv4() string {
	return w.pick("10.0.0.1", "10.0.0.2", "192.168.1.7", "10.0", "10", "192.168.1", "255.255.255.255", "224.0.0.1", "10.0.0.0/8",
		"10.0.0.0/24", "192.168.1.7/32", "0.0.0.0/0", "10.0.0.1/8", "10.0.0.0 mask 255.0.0.0", "10.1.0.0 mask 255.0.0.0",
		"10.0 mask 255.255", "1.2.3.256", "10.0.0.0/33", "0xa000001", "167772161", "10.0.0.1.", "010.0.0.1")
}

func (w writer) ipv6() string {
	return w.pick("::1", "fe80::1", "2001:db8::1", "2001:db8::/32", "fe80::/10", "::/0", "2001:db8::1/128", "2001:db8::1/64",
		"::ffff:10.0.0.1", "1:2:3:4:5:6:7:8", "1::8/129", "2001:db8::/127", "ff02::1", "1:2:3::4:5:6:7", "::10.0.0.1", "fe80::")
}

func (w writer) mac() string {
	return w.pick("00:11:22:33:44:55", "0:11:22:33:44:55", "ff:ff:ff:ff:ff:ff", "00-11-22-33-44-55", "0011.2233.4455", "001122334455",
		"00.11.22.33.44.55", "01:00:5e:00:00:01", "2:0:0:0:0:1", "02:00:00:00:00:02", "1:2:3:4:5", "10.0.0.1", "5")
}

func (w writer) proto() string {
	return w.pick("6", "17", "1", "58", "44", "0", "51", "60", "132", "\\tcp", "\\udp", "\\icmp", "ospf", "gre", "ipv6-icmp", "\\ip",
		"\\ip6", "\\arp", "0x800", "0x86dd", "34525", "0x42", "\\stp", "\\iso", "\\netbeui", "255", "256", "loopback", "\\isis", "\\clnp", "nosuch")
}

func (w writer) protocol() string {
	return w.pick("ip", "ip", "ip6", "ip6", "tcp", "tcp", "udp", "udp", "icmp", "icmp6", "arp", "rarp", "sctp", "igmp", "igrp", "pim", "vrrp", "carp", "ah",
		"esp", "atalk", "aarp", "decnet", "lat", "sca", "moprc", "mopdl", "iso", "esis", "isis", "l1", "l2", "iih", "lsp", "snp",
		"csnp", "psnp", "clnp", "stp", "ipx", "netbeui", "radio", "link", "es-is")
}

// term is a primitive, usually one that is right by itself.
func (w writer) term() string {
	for {
		s := w.anyTerm()
		if e, err := Parse(s); err == nil {
			if _, err = e.Compile(w.link, Options{}); err == nil {
				return s
			}
		}
		if w.one(30) {
			return s
		}
	}
}

func (w writer) anyTerm() string {
	switch w.IntN(20) {
	case 0, 1, 2:
		return w.protocol()
	case 3, 4, 5, 6, 7:
		head, value := w.head()
		if w.one(4) {
			head = strings.NewReplacer("host", "", "net", "").Replace(head)
		}
		return head + " " + value()
	case 8, 9, 10, 11:
		return w.number(2) + w.pick(" = ", "==", " != ", " > ", "<", " >= ", "<=") + w.number(2)
	case 12:
		return w.pick("vlan", "vlan 7", "vlan 4095", "vlan 4096", "vlan (7)", "vlan and vlan 9")
	case 13:
		return w.pick("mpls", "mpls 100", "mpls 1048576", "mpls and mpls 200", "pppoed", "pppoes", "pppoes 0x11", "pppoes 65536", "geneve", "geneve 42", "geneve 0xfffffff")
	case 14:
		return w.pick("", "ether ", "ip ", "ip6 ", "tcp ") + w.pick("broadcast", "multicast")
	case 15:
		return w.pick("less 64", "greater 100", "greater 0", "less 0x40", "len > 60", "length <= 128", "byte 12 = 8", "byte 23 > 6", "byte 0 < 0x80")
	case 16:
		return w.pick("inbound", "outbound", "ifindex 2", "llc", "llc i", "llc s", "llc u", "llc ui", "llc rnr", "llc XID", "llc nosuch", "llc rr", "llc test")
	case 17:
		return w.pick("tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[13] = 2", "icmp[icmptype] != icmp-echo", "icmp6[icmp6type]=icmp6-echo", "ip[6:2] & 0x1fff = 0",
			"tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", "ether[0] & 1 = 0", "ip[2:2] > 576", "ip[0] & 0xf != 5", "udp[4:2] >= 8")
	case 18:
		return w.pick("vlan 7 and ip", "vlan and tcp port 80", "mpls and ip", "mpls 100 and mpls and host 10.0.0.1", "pppoes and ip6", "pppoes 17 and tcp",
			"vlan and pppoes and host 10.0.0.1", "geneve and tcp port 80", "geneve 42 and vlan 7 and ip", "geneve and ether host 2:0:0:0:0:1", "vlan and mpls and tcp[13] & 2 != 0",
			"vlan and ip6 protochain 6", "geneve and ip[9] = 6", "geneve and icmp[0+0] = 8", "vlan and vlan and ip6", "pppoes and tcp[13] & 7 != 0", "geneve and pppoes and ip")
	}
	return w.pick("tcp and", "port", "ip host", "host http", "80", "10.0.0.1", "foo bar", "tcp[0:3] = 1", "tcp[", "vlan 5 6", "( tcp", "tcp )", "port 80 and tcp and 81",
		"ip proto tcp", "src proto 6", "ether proto 0x800 or 0x806", "ip6 host 10.0.0.1", "\\", "@", "type mgt", "lane", "on eth0", "tcp = 5", "len", "gateway foo", "net 300.1", "host ::g",
		"src", "tcp src 80", "dst host 10.0.0.1 and src", "src 10.0.0.1", "dst net 10", "src or src 10.0.0.1")
}

// number is a random arithmetic expression.
func (w writer) number(depth int) string {
	if depth > 0 && w.one(2) {
		switch w.IntN(4) {
		case 0:
			return "(" + w.number(depth-1) + w.operator() + w.number(depth-1) + ")"
		case 1:
			return "-" + w.number(depth-1)
		}
		return w.number(depth-1) + w.operator() + w.number(depth-1)
	}
	switch w.IntN(6) {
	case 0:
		return w.pick("len", "length")
	case 1, 2:
		return w.pick("0", "1", "2", "4", "6", "8", "0x1f", "20", "33", "40", "255", "0xffff", "4294967295", "tcp-syn", "017", "(5)", "(3)")
	}
	p := w.pick("ether", "ip", "ip", "ip6", "tcp", "tcp", "udp", "icmp", "icmp6", "arp", "sctp", "igmp", "link", "rarp", "decnet", "radio", "esp")
	index := fmt.Sprint(w.IntN(24))
	if depth > 0 && w.one(3) {
		index = w.number(depth - 1)
	}
	return p + "[" + index + w.pick("", "", ":1", ":2", ":4", ":2", ":3") + "]"
}

func (w writer) operator() string {
	return w.pick("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", " + ", " & ", " & ")
}
