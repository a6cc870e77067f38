package rule

import (
	"strings"

	"github.com/passiflow/passiflow/message"
)

// Redacted stands in place of a value that was masked.
const Redacted = "[REDACTED]"

// SecretHeaders returns the names of the header fields whose values are
// credentials, and which are masked unless the user asks to see them.
func SecretHeaders() []string {
	return []string{
		// RFC 9110 section 11, RFC 6265, RFC 2965, RFC 9449
		"Authorization", "Proxy-Authorization", "Authentication-Info", "Proxy-Authentication-Info",
		"Cookie", "Cookie2", "Set-Cookie", "Set-Cookie2", "DPoP",
		// what is widely used without a standard
		"Api-Key", "Apikey", "X-Api-Key", "X-Apikey", "X-Api-Token", "X-Api-Secret",
		"X-Auth", "X-Auth-Key", "X-Auth-Token", "X-Access-Token", "X-Id-Token", "X-Refresh-Token", "X-Session-Token", "X-User-Token",
		"X-Authorization", "X-Forwarded-Authorization", "X-Original-Authorization", "X-Forwarded-Access-Token",
		"X-Csrf-Token", "X-Csrftoken", "X-Xsrf-Token", "Access-Token", "Auth-Token", "Token", "X-Token", "X-Secret", "X-Password",
		// clouds and products
		"X-Amz-Security-Token", "X-Aws-Ec2-Metadata-Token", "X-Amzn-Oidc-Accesstoken", "X-Amzn-Oidc-Data",
		"X-Amz-Server-Side-Encryption-Customer-Key", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key",
		"X-Goog-Api-Key", "X-Goog-Iam-Authorization-Token", "X-Goog-Iap-Jwt-Assertion", "X-Goog-Encryption-Key",
		"Ocp-Apim-Subscription-Key", "X-Functions-Key", "X-Ms-Encryption-Key", "X-Ms-Token-Aad-Access-Token",
		"X-Vault-Token", "X-Consul-Token", "X-Nomad-Token", "X-Subject-Token",
		"Private-Token", "Job-Token", "Deploy-Token", "X-Gitlab-Token", "X-Github-Token", "X-Figma-Token",
		"X-Shopify-Access-Token", "X-Rapidapi-Key", "X-Registry-Auth", "X-Plex-Token", "X-Parse-Session-Token", "Cf-Access-Jwt-Assertion", "Cf-Access-Client-Secret",
	}
}

// Secrets masks credentials in messages: the values of the header fields (and
// trailers) it was told the names of, and user and password in a URL that is
// the target of a request or the value of a field that holds one. Names are
// compared without regard to case, and '_' counts as '-', as it does for a
// server that hands headers on as variables. It may be used by many
// goroutines.
type Secrets struct {
	names   []string // lower case
	buckets [256][]uint8
	urls    int // from here on the names are of fields that hold a URL
}

// NewSecrets returns a mask for the header fields with these names, at most 200.
func NewSecrets(names []string) *Secrets {
	s := &Secrets{}
	if len(names) > 200 {
		names = names[:200]
	}
	for _, n := range names {
		s.add(n)
	}
	s.urls = len(s.names)
	for _, n := range []string{"Location", "Content-Location", "Referer", "Destination", "Origin", "Refresh", "Link"} {
		s.add(n)
	}
	return s
}

func (s *Secrets) add(name string) {
	name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
	if name == "" {
		return
	}
	b := bucket(name)
	s.buckets[b] = append(s.buckets[b], uint8(len(s.names)))
	s.names = append(s.names, name)
}

// bucket tells names apart well enough that a name that is not a secret is
// mostly known by an empty bucket. Of the byte in the middle it takes the bits
// that '-' and '_' share.
func bucket(name string) uint8 {
	n := len(name)
	return uint8(n)*11 ^ (name[0]|0x20)*3 ^ (name[n-1]|0x20)*5 ^ (name[n>>1]&0x0d)<<2
}

// Apply implements Rule: it masks all halves of x and keeps it.
func (s *Secrets) Apply(x *message.Exchange) bool {
	if x.Request != nil {
		s.Mask(x.Request)
	}
	if x.Response != nil {
		s.Mask(x.Response)
	}
	for _, m := range x.Interim {
		s.Mask(m)
	}
	return true
}

// Mask replaces the values in m.
func (s *Secrets) Mask(m *message.Message) {
	if t := m.Target; t != "" && t[0] != '/' {
		m.Target = target(m.Op, t)
	}
	for i := range m.Fields {
		name := m.Fields[i].Name
		if name == "" {
			continue
		}
		k := s.find(name)
		if k < 0 {
			if m.Marks&message.BadHeader == 0 {
				continue
			}
			if k = s.odd(&m.Fields[i]); k < 0 {
				continue
			}
		}
		f := &m.Fields[i]
		if k >= s.urls {
			f.Value = urls(f.Value)
		} else if f.Value != "" {
			f.Value, f.Children = Redacted, nil
		}
	}
}

// find returns which of our names this is, -1 for none.
func (s *Secrets) find(name string) int {
	for _, k := range s.buckets[bucket(name)] {
		if same(name, s.names[k]) {
			return int(k)
		}
	}
	return -1
}

// odd is find for a line that breaks the grammar, as an attacker or a broken
// client writes them: bytes in the name that do not belong there, or a name and
// its value without a colon between them, which then are all name.
func (s *Secrets) odd(f *message.Field) int {
	plain := strings.Map(func(r rune) rune {
		if token(r) {
			return r
		}
		return -1
	}, f.Name)
	if plain == "" {
		return -1
	}
	if k := s.find(plain); k >= 0 {
		return k
	}
	start := strings.IndexFunc(f.Name, token)
	end := strings.IndexFunc(f.Name[start:], func(r rune) bool { return !token(r) })
	if end < 0 {
		return -1
	}
	k := s.find(f.Name[start : start+end])
	if k >= 0 && k < s.urls {
		f.Name, f.Value = f.Name[start:start+end], Redacted
	}
	return k
}

// token tells whether r may stand in one of our names.
func token(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

// same compares a name as sent with one of ours.
func same(sent, ours string) bool {
	if len(sent) != len(ours) {
		return false
	}
	for i := range len(ours) {
		c := sent[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c == '_':
			c = '-'
		}
		if c != ours[i] {
			return false
		}
	}
	return true
}

func target(op, t string) string {
	if op == "CONNECT" && !strings.Contains(t, "://") {
		return authority(t, 0)
	}
	return urls(t)
}

// urls masks user and password in each URL in s.
func urls(s string) string {
	for from := 0; ; {
		at := strings.Index(s[from:], "://")
		if at < 0 {
			return s
		}
		from += at + len("://")
		s = authority(s, from)
	}
}

// authority masks the userinfo of the authority (RFC 3986 section 3.2) that
// begins at from.
func authority(s string, from int) string {
	end := len(s)
	if n := strings.IndexAny(s[from:], "/?# \t,;<>\""); n >= 0 {
		end = from + n
	}
	at := strings.LastIndexByte(s[from:end], '@')
	if at < 0 {
		return s
	}
	return s[:from] + Redacted + s[from+at:]
}
