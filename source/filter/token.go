package filter

// kind says what a token is. Words that qualify, protocols and fields have one
// kind each group; the value tells them apart.
type kind uint8

const (
	kEnd kind = iota
	kBad
	kName // a word that is no keyword, or one after a backslash
	kNumber
	kIPv4 // two to four dotted numbers
	kIPv6
	kMAC
	kARCNET // $ and one or two hexadecimal digits
	kPunct  // value: the character, or one of the opX values
	kAnd
	kOr
	kNot
	kProtocol  // value: a proto
	kDirection // value: a direction
	kType      // value: an addrType that takes a direction
	kGateway
	kProto // proto and protochain, value: an addrType
	kMask
	kBroadcast
	kMulticast
	kLess
	kGreater
	kByte
	kLength
	kInbound
	kOutbound
	kIfindex
	kVLAN
	kMPLS
	kPPPoED
	kPPPoES
	kGeneve
	kLLC
	kForeign // a primitive of a link type that is not captured here
)

// The operators of two characters; one-character ones are themselves.
const (
	opGE = 0x100 + iota
	opLE
	opNE
	opShiftLeft
	opShiftRight
)

type proto uint8

const (
	pDefault proto = iota
	pLink
	pIP
	pARP
	pRARP
	pSCTP
	pTCP
	pUDP
	pICMP
	pIGMP
	pIGRP
	pPIM
	pVRRP
	pCARP
	pATALK
	pAARP
	pDECNET
	pLAT
	pSCA
	pMOPRC
	pMOPDL
	pIP6
	pICMP6
	pAH
	pESP
	pISO
	pESIS
	pISIS
	pL1
	pL2
	pIIH
	pLSP
	pSNP
	pCSNP
	pPSNP
	pCLNP
	pSTP
	pIPX
	pNETBEUI
	pRADIO
	pUndefined
)

type direction uint8

const (
	dDefault direction = iota
	dSrc
	dDst
	dOr
	dAnd
	dAddr1
	dAddr2
	dAddr3
	dAddr4
	dRA
	dTA
)

type addrType uint8

const (
	tDefault addrType = iota
	tHost
	tNet
	tPort
	tPortrange
	tGateway
	tProto
	tProtochain
	tUndefined // nothing before it tells what a lone name or number means
)

// qualifiers are what stands before a name or number: "tcp src port".
type qualifiers struct {
	proto proto
	dir   direction
	addr  addrType
}

type token struct {
	kind     kind
	value    uint32
	text     string // as written, without the backslash of an escaped name
	off, end int
}

type word struct {
	text  string
	kind  kind
	value uint32
}

// words returns the keywords.
func words() []word {
	return []word{
		{"src", kDirection, uint32(dSrc)}, {"dst", kDirection, uint32(dDst)},
		{"addr1", kDirection, uint32(dAddr1)}, {"address1", kDirection, uint32(dAddr1)},
		{"addr2", kDirection, uint32(dAddr2)}, {"address2", kDirection, uint32(dAddr2)},
		{"addr3", kDirection, uint32(dAddr3)}, {"address3", kDirection, uint32(dAddr3)},
		{"addr4", kDirection, uint32(dAddr4)}, {"address4", kDirection, uint32(dAddr4)},
		{"ra", kDirection, uint32(dRA)}, {"ta", kDirection, uint32(dTA)},

		{"link", kProtocol, uint32(pLink)}, {"ether", kProtocol, uint32(pLink)}, {"ppp", kProtocol, uint32(pLink)},
		{"slip", kProtocol, uint32(pLink)}, {"fddi", kProtocol, uint32(pLink)}, {"tr", kProtocol, uint32(pLink)},
		{"wlan", kProtocol, uint32(pLink)},
		{"arp", kProtocol, uint32(pARP)}, {"rarp", kProtocol, uint32(pRARP)}, {"ip", kProtocol, uint32(pIP)},
		{"ip6", kProtocol, uint32(pIP6)}, {"sctp", kProtocol, uint32(pSCTP)}, {"tcp", kProtocol, uint32(pTCP)},
		{"udp", kProtocol, uint32(pUDP)}, {"icmp", kProtocol, uint32(pICMP)}, {"icmp6", kProtocol, uint32(pICMP6)},
		{"igmp", kProtocol, uint32(pIGMP)}, {"igrp", kProtocol, uint32(pIGRP)}, {"pim", kProtocol, uint32(pPIM)},
		{"vrrp", kProtocol, uint32(pVRRP)}, {"carp", kProtocol, uint32(pCARP)}, {"radio", kProtocol, uint32(pRADIO)},
		{"ah", kProtocol, uint32(pAH)}, {"esp", kProtocol, uint32(pESP)}, {"atalk", kProtocol, uint32(pATALK)},
		{"aarp", kProtocol, uint32(pAARP)}, {"decnet", kProtocol, uint32(pDECNET)}, {"lat", kProtocol, uint32(pLAT)},
		{"sca", kProtocol, uint32(pSCA)}, {"moprc", kProtocol, uint32(pMOPRC)}, {"mopdl", kProtocol, uint32(pMOPDL)},
		{"iso", kProtocol, uint32(pISO)}, {"esis", kProtocol, uint32(pESIS)}, {"es-is", kProtocol, uint32(pESIS)},
		{"isis", kProtocol, uint32(pISIS)}, {"is-is", kProtocol, uint32(pISIS)}, {"l1", kProtocol, uint32(pL1)},
		{"l2", kProtocol, uint32(pL2)}, {"iih", kProtocol, uint32(pIIH)}, {"lsp", kProtocol, uint32(pLSP)},
		{"snp", kProtocol, uint32(pSNP)}, {"csnp", kProtocol, uint32(pCSNP)}, {"psnp", kProtocol, uint32(pPSNP)},
		{"clnp", kProtocol, uint32(pCLNP)}, {"stp", kProtocol, uint32(pSTP)}, {"ipx", kProtocol, uint32(pIPX)},
		{"netbeui", kProtocol, uint32(pNETBEUI)},

		{"host", kType, uint32(tHost)}, {"net", kType, uint32(tNet)}, {"port", kType, uint32(tPort)},
		{"portrange", kType, uint32(tPortrange)}, {"gateway", kGateway, uint32(tGateway)}, {"mask", kMask, 0},
		{"proto", kProto, uint32(tProto)}, {"protochain", kProto, uint32(tProtochain)},

		{"and", kAnd, 0}, {"or", kOr, 0}, {"not", kNot, 0},
		{"less", kLess, 0}, {"greater", kGreater, 0}, {"byte", kByte, 0}, {"len", kLength, 0}, {"length", kLength, 0},
		{"broadcast", kBroadcast, 0}, {"multicast", kMulticast, 0}, {"inbound", kInbound, 0}, {"outbound", kOutbound, 0},
		{"ifindex", kIfindex, 0}, {"vlan", kVLAN, 0}, {"mpls", kMPLS, 0}, {"pppoed", kPPPoED, 0}, {"pppoes", kPPPoES, 0},
		{"geneve", kGeneve, 0}, {"llc", kLLC, 0},

		{"icmptype", kNumber, 0}, {"icmpcode", kNumber, 1}, {"icmp-echoreply", kNumber, 0}, {"icmp-unreach", kNumber, 3},
		{"icmp-sourcequench", kNumber, 4}, {"icmp-redirect", kNumber, 5}, {"icmp-echo", kNumber, 8},
		{"icmp-routeradvert", kNumber, 9}, {"icmp-routersolicit", kNumber, 10}, {"icmp-timxceed", kNumber, 11},
		{"icmp-paramprob", kNumber, 12}, {"icmp-tstamp", kNumber, 13}, {"icmp-tstampreply", kNumber, 14},
		{"icmp-ireq", kNumber, 15}, {"icmp-ireqreply", kNumber, 16}, {"icmp-maskreq", kNumber, 17},
		{"icmp-maskreply", kNumber, 18},
		{"icmp6type", kNumber, 0}, {"icmp6code", kNumber, 1}, {"icmp6-destinationunreach", kNumber, 1},
		{"icmp6-packettoobig", kNumber, 2}, {"icmp6-timeexceeded", kNumber, 3}, {"icmp6-parameterproblem", kNumber, 4},
		{"icmp6-echo", kNumber, 128}, {"icmp6-echoreply", kNumber, 129}, {"icmp6-multicastlistenerquery", kNumber, 130},
		{"icmp6-multicastlistenerreportv1", kNumber, 131}, {"icmp6-multicastlistenerdone", kNumber, 132},
		{"icmp6-routersolicit", kNumber, 133}, {"icmp6-routeradvert", kNumber, 134},
		{"icmp6-neighborsolicit", kNumber, 135}, {"icmp6-neighboradvert", kNumber, 136}, {"icmp6-redirect", kNumber, 137},
		{"icmp6-routerrenum", kNumber, 138}, {"icmp6-nodeinformationquery", kNumber, 139},
		{"icmp6-nodeinformationresponse", kNumber, 140}, {"icmp6-ineighbordiscoverysolicit", kNumber, 141},
		{"icmp6-ineighbordiscoveryadvert", kNumber, 142}, {"icmp6-multicastlistenerreportv2", kNumber, 143},
		{"icmp6-homeagentdiscoveryrequest", kNumber, 144}, {"icmp6-homeagentdiscoveryreply", kNumber, 145},
		{"icmp6-mobileprefixsolicit", kNumber, 146}, {"icmp6-mobileprefixadvert", kNumber, 147},
		{"icmp6-certpathsolicit", kNumber, 148}, {"icmp6-certpathadvert", kNumber, 149},
		{"icmp6-multicastrouteradvert", kNumber, 151}, {"icmp6-multicastroutersolicit", kNumber, 152},
		{"icmp6-multicastrouterterm", kNumber, 153},
		{"tcpflags", kNumber, 13}, {"tcp-fin", kNumber, 1}, {"tcp-syn", kNumber, 2}, {"tcp-rst", kNumber, 4},
		{"tcp-push", kNumber, 8}, {"tcp-ack", kNumber, 16}, {"tcp-urg", kNumber, 32}, {"tcp-ece", kNumber, 64},
		{"tcp-cwr", kNumber, 128},

		// 802.11
		{"type", kForeign, 0}, {"subtype", kForeign, 0}, {"direction", kForeign, 0}, {"dir", kForeign, 0},
		// ATM
		{"lane", kForeign, 0}, {"metac", kForeign, 0}, {"bcc", kForeign, 0}, {"oam", kForeign, 0}, {"oamf4", kForeign, 0},
		{"oamf4ec", kForeign, 0}, {"oamf4sc", kForeign, 0}, {"sc", kForeign, 0}, {"ilmic", kForeign, 0},
		{"vpi", kForeign, 0}, {"vci", kForeign, 0}, {"connectmsg", kForeign, 0}, {"metaconnect", kForeign, 0},
		// pflog
		{"on", kForeign, 0}, {"ifname", kForeign, 0}, {"rset", kForeign, 0}, {"ruleset", kForeign, 0},
		{"rnr", kForeign, 0}, {"rulenum", kForeign, 0}, {"srnr", kForeign, 0}, {"subrulenum", kForeign, 0},
		{"reason", kForeign, 0}, {"action", kForeign, 0},
		// SS7
		{"fisu", kForeign, 0}, {"lssu", kForeign, 0}, {"lsu", kForeign, 0}, {"msu", kForeign, 0}, {"hfisu", kForeign, 0},
		{"hlssu", kForeign, 0}, {"hmsu", kForeign, 0}, {"sio", kForeign, 0}, {"opc", kForeign, 0}, {"dpc", kForeign, 0},
		{"sls", kForeign, 0}, {"hsio", kForeign, 0}, {"hopc", kForeign, 0}, {"hdpc", kForeign, 0}, {"hsls", kForeign, 0},
	}
}

// keywordNames returns the keywords that a misspelled word may have meant.
func keywordNames() []string {
	var names []string
	for _, w := range words() {
		if w.kind != kForeign {
			names = append(names, w.text)
		}
	}
	return names
}

// protoName returns how p is written in an expression.
func protoName(p proto) string {
	for _, w := range words() {
		if w.kind == kProtocol && w.value == uint32(p) {
			return w.text
		}
	}
	return "this"
}
