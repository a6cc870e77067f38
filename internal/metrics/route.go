package metrics

import (
	"net/netip"
	"strings"
)

// hidden stands in place of what is not told.
const hidden = "{id}"

// Route returns the path of a request target with everything replaced that may
// be an identifier or a secret, so that /users/17/cart and /users/18/cart are one
// route: only words stay.
func Route(target string) string {
	if _, rest, ok := strings.Cut(target, "://"); ok && target[0] != '/' {
		target = "/"
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			target = rest[i:]
		}
	}
	if target == "*" {
		return target
	}
	if i := strings.IndexAny(target, "?#;"); i >= 0 {
		target = target[:i]
	}
	more := false
	if len(target) > maxLabel { // what is left of the part that is cut may look harmless
		target, more = target[:strings.LastIndexByte(target[:maxLabel+1], '/')+1], true
	}
	parts := strings.Split(target, "/")
	if more {
		parts[len(parts)-1] = "…"
	}
	if len(parts) > maxParts+1 {
		parts = append(parts[:maxParts:maxParts], "…")
	}
	for i, p := range parts {
		if p != "" && p != "…" && !told(p) {
			parts[i] = hidden
		}
	}
	return strings.Join(parts, "/")
}

// maxParts bounds the parts of a path that are told apart.
const maxParts = 8

// told tells whether a part of a path names what is done, and not to which of
// many. A verb may stand behind a colon.
func told(part string) bool {
	noun, verb, ok := strings.Cut(part, ":")
	return tellable(noun) && (!ok || tellable(verb)) && len(part) <= wordBytes
}

// hostBytes is how long a name between two dots of a host is at least that is not
// told unless it is made of words: shorter ones are numbered machines.
const hostBytes = 12

// mixed tells whether s changes between letters and digits as no machine's name
// does.
func mixed(s string) bool {
	changes, last := 0, 0
	for i := range len(s) {
		kind := 1
		switch {
		case divides(s[i]):
			continue
		case isDigit(s[i]):
			kind = 2
		}
		if last != 0 && kind != last {
			changes++
		}
		last = kind
	}
	return changes > 2
}

// hostOf returns a host as it may be told, "" for what is none.
func hostOf(host string) string {
	if host == "" || len(host) > maxLabel {
		return ""
	}
	if _, err := netip.ParseAddrPort(host); err == nil {
		return host
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return host
	}
	host = strings.ToLower(host)
	name, port, ok := strings.Cut(host, ":")
	if ok && (len(port) > 5 || !isDigits(port)) {
		return ""
	}
	labels := strings.Split(name, ".")
	for i, l := range labels {
		if strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return ""
		}
		if (len(l) >= hostBytes || mixed(l)) && !tellable(l) {
			labels[i] = hidden
		}
	}
	if name = strings.Join(labels, "."); ok {
		name += ":" + port
	}
	return name
}
