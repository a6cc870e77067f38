package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Target is where requests are sent to. It is used by any number of goroutines
// once it is resolved.
type Target struct {
	Host string      // as given, with the port
	TLS  *tls.Config // nil: in the clear
	// Dial opens connections. nil: a net.Dialer does
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	all  []netip.AddrPort
}

// ParseTarget reads HOST:PORT, http://HOST[:PORT] or https://HOST[:PORT].
func ParseTarget(s string) (*Target, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "http", s
	}
	if strings.Contains(rest, "@") { // never told: it is a password
		return nil, errors.New("the address has a user in it: set an Authorization header instead")
	}
	if scheme != "http" && scheme != "https" {
		return nil, fmt.Errorf("%q is not HOST:PORT, http://HOST or https://HOST", s)
	}
	u, err := url.Parse(scheme + "://" + rest)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not HOST:PORT, http://HOST or https://HOST", s)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the address at %s has a path: targets are sent as recorded, rewrite them instead", scheme+"://"+u.Host)
	}
	port := u.Port()
	if port == "" {
		if port = "80"; scheme == "https" {
			port = "443"
		}
		if !ok {
			return nil, fmt.Errorf("%q has no port: write HOST:PORT", s)
		}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return nil, fmt.Errorf("%q: the port is not from 1 to 65535", s)
	}
	t := &Target{Host: net.JoinHostPort(u.Hostname(), port)}
	if scheme == "https" {
		t.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}}
	}
	return t, nil
}

// String returns the target as a URL.
func (t *Target) String() string {
	if t.TLS != nil {
		return "https://" + t.Host
	}
	return "http://" + t.Host
}

// Resolve looks the host up, once: what is then dialled is what was looked at.
// It tells whether all its addresses are of this machine's loopback.
func (t *Target) Resolve(ctx context.Context) (loopback bool, err error) {
	host, port, err := net.SplitHostPort(t.Host)
	if err != nil {
		return false, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return false, err
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false, fmt.Errorf("look up %s: %w", host, err)
	}
	t.all, loopback = nil, len(all) > 0
	for _, a := range all {
		a = a.Unmap()
		t.all = append(t.all, netip.AddrPortFrom(a, uint16(n)))
		loopback = loopback && a.IsLoopback()
	}
	return loopback, nil
}

// Connect opens a connection to the first address that takes one, of a target
// that is resolved.
func (t *Target) Connect(ctx context.Context, timeout time.Duration) (*Conn, error) {
	all := t.all
	if len(all) == 0 {
		return nil, errors.New("not resolved")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dial := t.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	var first error
	for _, a := range all {
		c, err := dial(ctx, "tcp", a.String())
		if err == nil && t.TLS != nil {
			s := tls.Client(c, t.TLS)
			if err = s.HandshakeContext(ctx); err != nil {
				c.Close()
			}
			c = s
		}
		if err == nil {
			return newConn(c), nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}
