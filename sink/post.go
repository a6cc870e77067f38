package sink

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// PostConfig is what can be set of deliveries by HTTP.
type PostConfig struct {
	// URL takes the POST requests: http or https. A user and password in it are
	// sent as basic authorization. No default.
	URL string
	// Token is sent as "Authorization: Bearer". Default: none.
	Token Secret
	// Headers are sent with each request. Default: none.
	Headers map[string]string
	// Timeout bounds one request, answer included. Default 10 s.
	Timeout time.Duration
	// Gzip compresses the bodies. Default false.
	Gzip bool
	// TLS says whom to trust and who to be.
	TLS TLSConfig
	// Production refuses to send anything in the clear. Default false.
	Production bool
	// Agent is the User-Agent header. Default "passiflow".
	Agent string
	// Dial opens connections. nil: a net.Dialer does
	Dial Dial
	// Retry tells whether the same request may succeed later although it was
	// answered with this status. Default: 408, 425, 429 and every 5xx. It is not
	// asked about redirects: one that is not followed is always tried again, as it
	// may be the page of a proxy that tells of an outage or wants a login.
	Retry func(status int) bool
	// Taken tells whether an answer with this status says that the receiver has
	// what was sent. Default: every 2xx.
	Taken func(status int) bool
}

// DefaultPostConfig returns the defaults.
func DefaultPostConfig() PostConfig {
	return PostConfig{Timeout: 10 * time.Second, Agent: "passiflow", Retry: retryLater, Taken: success}
}

func success(status int) bool { return status/100 == 2 }

func retryLater(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// Secret is a text that does not show itself: not in a log, not in an error.
type Secret string

// String returns what stands for a secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[REDACTED]"
}

// GoString returns what stands for a secret.
func (s Secret) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

const (
	maxAnswer    = 64 << 10        // of an answer, in bytes; the rest is not read
	maxIdle      = 64              // connections that are kept
	maxRedirects = 3               // to the same place
	maxDelay     = 5 * time.Minute // that a receiver may ask for
)

// Poster sends bodies to one address. Several goroutines may use it.
type Poster struct {
	config PostConfig
	url    string
	place  string // scheme and host: all of the address that is ever told
	header http.Header
	client *http.Client
	packs  sync.Pool // of *pack
}

// pack is what one body is compressed in.
type pack struct {
	out  bytes.Buffer
	gzip *gzip.Writer
}

// NewPoster checks c and returns what sends. It reads the files that c.TLS
// names and opens no connection.
func NewPoster(c PostConfig) (*Poster, error) {
	u, err := parseAddress(c.URL)
	if err != nil {
		return nil, err
	}
	if c.Production && u.Scheme != "https" {
		return nil, fmt.Errorf("url %s: must use https in production", u.Scheme+"://"+u.Host)
	}
	if c.Timeout <= 0 {
		return nil, fmt.Errorf("timeout %v: must be more than 0", c.Timeout)
	}
	if c.Retry == nil {
		c.Retry = retryLater
	}
	if c.Taken == nil {
		c.Taken = success
	}
	header := http.Header{}
	for name, value := range c.Headers {
		if !validHeader(name, value) {
			return nil, fmt.Errorf("header %q: not the name of a header with a value of one line", name)
		}
		header.Set(name, value)
	}
	if c.Agent != "" && header.Get("User-Agent") == "" {
		header.Set("User-Agent", c.Agent)
	}
	if c.Token != "" {
		if !validHeader("Authorization", string(c.Token)) {
			return nil, errors.New("token: must be one line")
		}
		header.Set("Authorization", "Bearer "+string(c.Token))
	}
	config, err := c.TLS.Client()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:               quiet(http.ProxyFromEnvironment),
		DialContext:         c.Dial,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: c.Timeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        maxIdle,
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
		// A slow receiver must not make the answer's head grow.
		MaxResponseHeaderBytes: maxAnswer,
		// A connection of HTTP/2 outlives requests without an answer: one that
		// leads nowhere any more must be found out. Some servers take often asking
		// for an attack.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 3 * c.Timeout, PingTimeout: c.Timeout},
	}
	if password, _ := u.User.Password(); u.User != nil && header.Get("Authorization") == "" {
		// Not by the client, which leaves it out where a redirect leads.
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	u.User = nil
	p := &Poster{config: c, url: u.String(), place: u.Scheme + "://" + u.Host, header: header}
	p.client = &http.Client{Transport: transport, CheckRedirect: p.follow}
	return p, nil
}

// quiet keeps to itself what is wrong with the address of a proxy, which may hold a
// password.
func quiet(find func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		u, err := find(r)
		if err != nil {
			err = errors.New("the proxy that HTTP_PROXY or HTTPS_PROXY names is no address: set it right, or unset it")
		}
		return u, err
	}
}

// parseAddress reads the address to send to. Its errors do not repeat it: it
// may hold a password.
func parseAddress(text string) (*url.URL, error) {
	if text == "" {
		return nil, errors.New("url: none given: name an address such as https://host/path")
	}
	const scheme = "url: must begin with http:// or https://"
	u, err := url.Parse(text)
	if err != nil && !strings.Contains(text, "://") {
		return nil, errors.New(scheme)
	}
	if err != nil { // which repeats what it takes for a port, and may be a password
		return nil, errors.New("url: not an address such as https://host:port/path: in a user or password, write %XX for what is neither letter nor digit")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New(scheme)
	}
	if u.Hostname() == "" {
		return nil, errors.New("url: names no host")
	}
	if u.Fragment != "" { // or it is the rest of a password
		return nil, errors.New("url: what stands behind # is never sent: write %23 where that is meant")
	}
	return u, nil
}

func validHeader(name, value string) bool {
	if name == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}

// follow lets a redirect pass that repeats the request at the same place. To
// any other the records, and what they are sent with, do not go.
func (p *Poster) follow(r *http.Request, via []*http.Request) error {
	if r.Method != http.MethodPost || len(via) > maxRedirects || origin(r.URL) != origin(via[0].URL) {
		return http.ErrUseLastResponse
	}
	for name, values := range p.header { // the client leaves some out where a host is spelled otherwise
		if r.Header[name] == nil {
			r.Header[name] = values
		}
	}
	return nil
}

// origin returns scheme, host and port in the one form in which they can be
// compared (RFC 6454 section 4).
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" && u.Scheme == "https" {
		port = "443"
	} else if port == "" {
		port = "80"
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// Place returns scheme and host of the address, which may be told to anybody.
func (p *Poster) Place() string { return p.place }

// Post sends body once and returns the beginning of the answer. What is
// answered with a status of success was taken. An error is Permanent where
// trying again is of no use; it says nothing of body, token and headers, and
// where the receiver asked to wait, RetryAfter knows how long.
func (p *Poster) Post(ctx context.Context, contentType string, body []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	packed := p.config.Gzip
	if packed {
		z, _ := p.packs.Get().(*pack)
		if z == nil {
			z = &pack{}
		}
		body = z.pack(body)
		defer func() {
			if z.out.Cap() <= keep {
				p.packs.Put(z)
			}
		}()
	}
	l := &loan{bytes: body}
	defer l.end()
	r, err := http.NewRequestWithContext(within, http.MethodPost, p.url, l.reader())
	if err != nil {
		return nil, Permanent(fmt.Errorf("post to %s: %w", p.place, bare(err)))
	}
	r.ContentLength = int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return l.reader(), nil }
	for name, values := range p.header {
		r.Header[name] = values
	}
	if host := p.header.Get("Host"); host != "" {
		r.Host = host
	}
	r.Header.Set("Content-Type", contentType)
	if packed {
		r.Header.Set("Content-Encoding", "gzip")
	}
	a, err := p.client.Do(r)
	if err != nil {
		return nil, p.fault(ctx, err)
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(a.Body, maxAnswer))
	if p.config.Taken(a.StatusCode) {
		return answer, nil // it was taken, whatever became of the answer's rest
	}
	if err != nil {
		return nil, p.fault(ctx, err)
	}
	return answer, p.refusal(a)
}

func (p *Poster) fault(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("post to %s: no answer within %v", p.place, p.config.Timeout)
	}
	return fmt.Errorf("post to %s: %w", p.place, bare(err))
}

// bare takes away the address, which may hold secrets, from an error.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// refusal makes an error of an answer that is no success.
func (p *Poster) refusal(a *http.Response) error {
	err := &StatusError{Place: p.place, Status: a.StatusCode}
	if to, fault := a.Location(); fault == nil && a.StatusCode/100 == 3 {
		err.To = to.Scheme + "://" + to.Host
	}
	if a.StatusCode/100 != 3 && !p.config.Retry(a.StatusCode) {
		return Permanent(err)
	}
	err.After = delay(a.Header.Get("Retry-After"), time.Now())
	return err
}

// delay reads a Retry-After header: seconds or a date (RFC 9110 section 10.2.3).
func delay(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, maxDelay)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxDelay)
	}
	return 0
}

// StatusError is an answer that is no success.
type StatusError struct {
	Place  string        // scheme and host of who answered
	Status int           // of the answer
	To     string        // scheme and host that a redirect leads to
	After  time.Duration // that it wants to be left alone; 0: nothing was said
}

// Error tells the status.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("post to %s: answered %d %s", e.Place, e.Status, http.StatusText(e.Status))
	switch e.Status / 100 {
	case 2:
		text += ", which is not how this receiver says that it has taken something: is it the right address?"
	case 3:
		switch {
		case e.To == "":
		case e.To != e.Place:
			text += ", to " + e.To + ": records are not sent to another place than they are meant for: set url to where it leads"
		case e.Status == http.StatusTemporaryRedirect || e.Status == http.StatusPermanentRedirect:
			text += fmt.Sprintf(", more than %d times: set url to where it leads in the end", maxRedirects)
		default:
			text += ", to another path, where the same records could not be sent: set url to where it leads"
		}
	}
	return text
}

// RetryAfter returns how long whoever answered with err wants to be left alone,
// 0 where nothing was said.
func RetryAfter(err error) time.Duration {
	var e *StatusError
	if errors.As(err, &e) {
		return e.After
	}
	return 0
}

// pack compresses body into room that is kept.
func (z *pack) pack(body []byte) []byte {
	z.out.Reset()
	if z.gzip == nil {
		z.gzip = gzip.NewWriter(&z.out)
	} else {
		z.gzip.Reset(&z.out)
	}
	_, _ = z.gzip.Write(body) // into memory
	_ = z.gzip.Close()
	return z.out.Bytes()
}

// Close closes the connections that are kept.
func (p *Poster) Close() { p.client.CloseIdleConnections() }
