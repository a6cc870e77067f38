package rule

import (
	"strings"

	"github.com/passiflow/passiflow/message"
)

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
		"Sec-Websocket-Protocol", "X-Csrf-Token", "X-Csrftoken", "X-Xsrf-Token", "Access-Token", "Auth-Token", "Token", "X-Token", "X-Secret", "X-Password",
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
	fields names
	urls   *with // stands for fields that hold a URL
	hosts  *with // stands for those that hold the authority of one
}

// urlFields are the header fields that hold URLs, or what proxies write of one.
func urlFields() []string {
	return []string{"Location", "Content-Location", "Referer", "Destination", "Origin", "Refresh", "Link",
		"X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Forwarded-Uri", "X-Forwarded-Url", "X-Request-Uri", "X-Envoy-Original-Path", "X-Accel-Redirect",
		"X-Auth-Request-Redirect", "X-Waws-Unencoded-Url", "Hx-Current-Url", "Hx-Redirect", "Hx-Push-Url", "Hx-Replace-Url"}
}

// NewSecrets returns a mask for the header fields with these names.
func NewSecrets(headers []string) *Secrets {
	return newSecrets(headers, &with{text: Redacted})
}

func newSecrets(headers []string, w *with) *Secrets {
	s := &Secrets{urls: &with{text: Redacted, rule: w.rule}, hosts: &with{text: Redacted, rule: w.rule}}
	for _, n := range headers {
		s.add(n, w)
	}
	for _, n := range urlFields() {
		s.add(n, s.urls)
	}
	for _, n := range []string{"Host", "X-Forwarded-Host", "X-Original-Host"} {
		s.add(n, s.hosts)
	}
	return s
}

func (s *Secrets) add(name string, w *with) {
	if name = strings.TrimSpace(name); name != "" {
		_ = s.fields.add(name, w) // a plain name is never refused
	}
}

// Apply implements Rule: it masks both halves and keeps the exchange.
func (s *Secrets) Apply(x *message.Exchange) bool {
	eachHalf(x, nil, func(m *message.Message, _ *trace) { s.Mask(m) })
	return true
}

// eachHalf calls f with each message of x.
func eachHalf(x *message.Exchange, t *trace, f func(*message.Message, *trace)) {
	if x.Request != nil {
		t.at("request")
		f(x.Request, t)
	}
	if x.Response != nil {
		t.at("response")
		f(x.Response, t)
	}
	for _, m := range x.Interim {
		t.at("interim")
		f(m, t)
	}
}

// Mask replaces the values in m.
func (s *Secrets) Mask(m *message.Message) { s.mask(m, nil) }

func (s *Secrets) mask(m *message.Message, t *trace) {
	if v := m.Target; mayHoldUser(v) {
		if m.Target = target(m.Op, v); m.Target != v {
			m.Hold(len(m.Target))
			s.urls.note(t, "target", Redacted)
		}
	}
	for i := range m.Fields {
		f := &m.Fields[i]
		w := s.fields.find(f.Name)
		if w == nil {
			if m.Marks&message.BadHeader == 0 {
				continue
			}
			if w = s.fields.odd(m, f, s.secret, t); w == nil {
				continue
			}
		}
		if s.secret(w) {
			w.field(m, f, t)
			continue
		}
		v := f.Value
		if w == s.urls {
			v = locators(v)
		} else if strings.IndexByte(v, '@') >= 0 {
			v = authority(v)
		}
		if v != f.Value {
			f.Value = v
			m.Hold(len(v))
			w.note(t, t.header(f.Name), Redacted)
		}
	}
	if m.Marks&message.FoldedHeader != 0 {
		s.fields.swallowed(m, s.secret, t)
	}
}

// secret tells whether w is about values that are a secret as a whole.
func (s *Secrets) secret(w *with) bool { return w != s.urls && w != s.hosts }

// swallowed masks a line that was taken for the continuation of another, as some
// clients indent all they send: what stands in a value behind one of our names
// and a colon.
func (n *names) swallowed(m *message.Message, whole func(*with) bool, t *trace) {
	for i := range m.Fields {
		f := &m.Fields[i]
		for at := 0; ; at++ {
			k := strings.IndexByte(f.Value[at:], ':')
			if k < 0 {
				break
			}
			at += k
			from := at
			for from > 0 && token(rune(f.Value[from-1])) {
				from--
			}
			w := n.find(f.Value[from:at])
			rest := strings.TrimSpace(f.Value[at+1:])
			if w != nil && whole(w) && rest != "" && !w.done(rest) {
				f.Value = f.Value[:at+1] + " " + w.hit(t, t.header(f.Name), kindString, rest)
				m.Hold(len(f.Value))
				break
			}
		}
	}
}

// field masks the value of f, which is one of m's.
func (w *with) field(m *message.Message, f *message.Field, t *trace) {
	if f.Value != "" && !w.done(f.Value) {
		f.Replace(w.hit(t, t.header(f.Name), kindString, f.Value))
		if w.style != fixed { // all share that text
			m.Hold(len(f.Value))
		}
	}
}

// odd is find for a line that breaks the grammar, as an attacker or a broken
// client writes them: bytes in the name that do not belong there, or a name and
// its value without a colon between them, which then are all name, and are
// masked at once where what is found is about whole values.
func (n *names) odd(m *message.Message, f *message.Field, whole func(*with) bool, t *trace) *with {
	plain := strings.Map(func(r rune) rune {
		if token(r) {
			return r
		}
		return -1
	}, f.Name)
	if plain == "" {
		return nil
	}
	if w := n.find(plain); w != nil {
		return w
	}
	start := strings.IndexFunc(f.Name, token)
	end := strings.IndexFunc(f.Name[start:], func(r rune) bool { return !token(r) })
	if end < 0 {
		return nil
	}
	w := n.find(f.Name[start : start+end])
	if w != nil && whole(w) {
		value := f.Name[start+end+1:] + f.Value
		f.Name = f.Name[start : start+end]
		f.Replace(w.hit(t, t.header(f.Name), kindString, value))
		m.Hold(len(f.Value))
	}
	return w
}

// token tells whether r may stand in one of our names.
func token(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}
