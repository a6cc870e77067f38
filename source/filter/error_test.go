package filter

import (
	"errors"
	"testing"
)

func TestErrorsSayWhere(t *testing.T) {
	for _, c := range []struct {
		expr   string
		offset int
		hint   string
	}{
		{"tcp prot 80", 4, `did you mean "port"?`},
		{"tcp port 80 and hots 10.0.0.1", 16, `did you mean "host"?`},
		{"tcp port 80 adn ip", 12, `did you mean "and"?`},
		{"port htttp", 5, `did you mean "http"?`},
		{"ip proto tpc", 9, `did you mean "tcp"?`},
		{"ip proto tcp", 9, `a name that is also a keyword needs a backslash: "\tcp"`},
		{"vxlan 42", 0, `tcpdump's filters have no VXLAN: "udp port 4789" is its packets, and the option -p chooses by the ports inside`},
		{"vxlan and tcp", 0, `tcpdump's filters have no VXLAN: "udp port 4789" is its packets, and the option -p chooses by the ports inside`},
		{"tcp port 80 and vxlan", 16, `tcpdump's filters have no VXLAN: "udp port 4789" is its packets, and the option -p chooses by the ports inside`},
		{"tcp port", 8, ""},
		{"", -1, ""},
		{"(tcp", 4, ""},
		{"tcp)", 3, ""},
		{"tcp[0:3] = 1", 6, ""},
		{"tcp[13", 6, ""},
		{"host 10.0.0.256", 5, ""},
		{"net 10.0.0.1/8", 4, ""},
		{"port 80 or port 70000", 16, ""},
		{"host www.example.com", 5, ""},
		{"ip and @", 7, ""},
		{"ip and ½", 7, ""},
		{"tcp[0] = 089", 9, ""},
		{"1:2:3:4:5", 0, ""},
		{"len", 3, ""},
		{"vlan 4096", 0, ""},
		{"tcp[1/0] = 1", 4, ""},
		{"ip and arp", 0, ""},
		{"type mgt", 0, ""},
		{"80", 0, ""},
	} {
		var err error
		e, err := Parse(c.expr)
		if err == nil {
			_, err = e.Compile(linkEthernet, Options{})
		}
		if c.offset < 0 {
			if err != nil {
				t.Errorf("%q: %v", c.expr, err)
			}
			continue
		}
		var f *Error
		if !errors.As(err, &f) {
			t.Errorf("%q: got %v, want an *Error", c.expr, err)
			continue
		}
		if f.Offset != c.offset || f.Hint != c.hint || f.Expr != c.expr {
			t.Errorf("%q: offset %d, hint %q; want %d, %q (%v)", c.expr, f.Offset, f.Hint, c.offset, c.hint, f)
		}
		t.Logf("%v\n%s", f, f.Point())
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	for _, s := range []string{"(", "!", "not ", "-", "ip[", "tcp[(", "host (", "port not "} {
		text := ""
		for len(text) < 20000 {
			text += s
		}
		if _, err := Parse(text); err == nil {
			t.Errorf("%q… was taken", s)
		}
	}
}
