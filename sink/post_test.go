package sink_test

import (
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/passiflow/passiflow/sink"
)

const planted = "s3cr3t-planted"

func poster(t *testing.T, change func(*sink.PostConfig)) *sink.Poster {
	t.Helper()
	c := sink.DefaultPostConfig()
	change(&c)
	p, err := sink.NewPoster(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestPost(t *testing.T) {
	var got *http.Request
	var body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		in := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			in, _ = gzip.NewReader(r.Body)
		}
		b, _ := io.ReadAll(in)
		body = string(b)
		fmt.Fprint(w, "taken")
	}))
	defer s.Close()
	for _, packed := range []bool{false, true} {
		p := poster(t, func(c *sink.PostConfig) {
			c.URL, c.Token, c.Gzip = s.URL+"/in?a=b", planted, packed
			c.Headers = map[string]string{"x-tenant": "t1", "Host": "elsewhere"}
		})
		for range 2 {
			answer, err := p.Post(t.Context(), "application/json", []byte(`{"a":1}`))
			if err != nil || string(answer) != "taken" {
				t.Fatalf("%q %v", answer, err)
			}
		}
		h := got.Header
		if body != `{"a":1}` || got.Method != http.MethodPost || got.RequestURI != "/in?a=b" || got.Host != "elsewhere" ||
			h.Get("Authorization") != "Bearer "+planted || h.Get("X-Tenant") != "t1" || h.Get("Content-Type") != "application/json" || h.Get("User-Agent") != "passiflow" {
			t.Errorf("%q %v", body, got)
		}
	}
}

func TestPostStatus(t *testing.T) {
	status, header := 0, ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if header != "" {
			w.Header().Set("Retry-After", header)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, planted)
	}))
	defer s.Close()
	p := poster(t, func(c *sink.PostConfig) { c.URL = s.URL })
	for _, c := range []struct {
		status    int
		after     string
		ok        bool
		permanent bool
		wait      time.Duration
	}{
		{status: 200, ok: true}, {status: 204, ok: true}, {status: 299, ok: true},
		{status: 304}, {status: 301},
		{status: 400, permanent: true}, {status: 401, permanent: true}, {status: 404, permanent: true}, {status: 413, permanent: true},
		{status: 408}, {status: 425}, {status: 429, after: "7", wait: 7 * time.Second},
		{status: 500}, {status: 503, after: "99999", wait: 5 * time.Minute}, {status: 503, after: "-4"}, {status: 503, after: "Wed, 21 Oct 2015 07:28:00 GMT"},
		{status: 599},
	} {
		status, header = c.status, c.after
		_, err := p.Post(t.Context(), "text/plain", []byte("x"))
		if (err == nil) != c.ok || sink.IsPermanent(err) != c.permanent || sink.RetryAfter(err) != c.wait {
			t.Errorf("%+v: %v, permanent %v, wait %v", c, err, sink.IsPermanent(err), sink.RetryAfter(err))
		}
		if err != nil && (strings.Contains(err.Error(), planted) || !strings.Contains(err.Error(), fmt.Sprint(c.status))) {
			t.Errorf("%v", err)
		}
	}
}

// A receiver that answers before it has read the body never gets bytes of what
// the sender does next with its room.
func TestPostEarlyAnswer(t *testing.T) {
	var all sync.WaitGroup
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all.Add(1)
		defer all.Done()
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(20 * time.Millisecond)
		b, _ := io.ReadAll(r.Body)
		for _, c := range b {
			if c != 'x' {
				t.Errorf("got %q", c)
				return
			}
		}
	}))
	defer s.Close()
	p := poster(t, func(c *sink.PostConfig) { c.URL = s.URL })
	room := make([]byte, 8<<20)
	for range 3 {
		for i := range room {
			room[i] = 'x'
		}
		_, _ = p.Post(t.Context(), "text/plain", room)
		for i := range room {
			room[i] = 'y'
		}
	}
	s.CloseClientConnections()
	all.Wait()
}

func TestPostRedirects(t *testing.T) {
	reached := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer other.Close()
	var at string
	taken := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/taken":
			if b, _ := io.ReadAll(r.Body); r.Method == http.MethodPost && string(b) == "x" {
				taken++
			}
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusTemporaryRedirect)
		case "/302":
			http.Redirect(w, r, "/taken", http.StatusFound) // would become a GET
		default:
			http.Redirect(w, r, at, http.StatusPermanentRedirect)
		}
	}))
	defer s.Close()
	for _, c := range []struct {
		path, to string
		taken    int
		says     string
	}{
		{"/", "/taken", 1, ""},
		{"/", other.URL + "/" + planted, 0, "answered 308 Permanent Redirect, to " + other.URL + ": records are not sent to another place"},
		{"/", strings.Replace(s.URL, "http://", "https://user:"+planted+"@", 1), 0, ", to " + strings.Replace(s.URL, "http://", "https://", 1) + ": "},
		{"/302", "", 0, "answered 302 Found, to another path, where the same records could not be sent: set url"},
		{"/loop", "", 0, "answered 307 Temporary Redirect, more than 3 times: set url"},
	} {
		taken, at = 0, c.to
		p := poster(t, func(pc *sink.PostConfig) { pc.URL, pc.Token = s.URL+c.path, planted })
		_, err := p.Post(t.Context(), "text/plain", []byte("x"))
		if taken != c.taken || (err == nil) != (c.taken == 1) || err != nil && (sink.IsPermanent(err) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), planted)) {
			t.Errorf("%+v: %d, %v", c, taken, err)
		}
	}
	if reached != 0 {
		t.Error("a redirect led elsewhere")
	}
}

// A proxy that shows a page while the receiver is away costs no record: what it
// answers with a redirect waits, and the log says where that leads and what to do.
func TestRedirectIsAnOutage(t *testing.T) {
	var mu sync.Mutex
	away, got := true, 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if away {
			http.Redirect(w, r, "https://maintenance.example/"+planted, http.StatusFound)
			return
		}
		b, _ := io.ReadAll(r.Body)
		got += len(b)
	}))
	defer s.Close()
	log := &lockedText{}
	c := sink.DefaultQueueConfig()
	c.Retry.Min, c.Retry.Max, c.Retry.Failures = time.Millisecond, 5*time.Millisecond, 3
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	// Whatever a sink takes for an answer that is worth another try.
	p := poster(t, func(pc *sink.PostConfig) { pc.URL, pc.Retry = s.URL, func(int) bool { return false } })
	q := sink.NewQueue[int](posts{p}, c, ten, nil)
	q.Push(t.Context(), []int{1, 2, 3})
	const says = "answered 302 Found, to https://maintenance.example: records are not sent to another place than they are meant for: set url to where it leads"
	for end := time.Now().Add(time.Minute); !strings.Contains(log.String(), says) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	mu.Lock()
	away = false
	mu.Unlock()
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); got != 3 || !strings.Contains(text, says) || strings.Contains(text, planted) {
		t.Errorf("%d records delivered; logged: %s", got, text)
	}
	if d := q.Stats().Dropped; d[sink.Refused].Records != 0 {
		t.Errorf("%d records refused", d[sink.Refused].Records)
	}
}

// lockedText is a log that is read while it is written.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// posts posts a byte for each value.
type posts struct{ *sink.Poster }

func (p posts) Write(ctx context.Context, batch []int) error {
	_, err := p.Post(ctx, "text/plain", make([]byte, len(batch)))
	return err
}

func (p posts) Close(context.Context) error {
	p.Poster.Close()
	return nil
}

// Who is let in by a password is let in where a redirect leads at the same place,
// whether that is told with the host or without.
func TestRedirectKeepsPassword(t *testing.T) {
	taken := 0
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case user != "us er" || password != planted+"%":
			http.Error(w, "who?", http.StatusUnauthorized)
		case r.URL.Path == "/absolute":
			http.Redirect(w, r, s.URL+"/taken", http.StatusPermanentRedirect)
		case r.URL.Path == "/spelled":
			http.Redirect(w, r, strings.Replace(s.URL, "127.0.0.1", "LocalHost", 1)+"/taken", http.StatusPermanentRedirect)
		case r.URL.Path == "/relative":
			http.Redirect(w, r, "/taken", http.StatusPermanentRedirect)
		default:
			taken++
		}
	}))
	defer s.Close()
	for i, path := range []string{"/taken", "/relative", "/absolute", "/spelled"} {
		p := poster(t, func(c *sink.PostConfig) {
			c.URL = strings.Replace(s.URL, "http://", "http://us%20er:"+planted+"%25@", 1) + path
			if path == "/spelled" {
				c.URL = strings.Replace(c.URL, "127.0.0.1", "localhost", 1)
			}
		})
		if _, err := p.Post(t.Context(), "text/plain", []byte("x")); err != nil || taken != i+1 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPostFaults(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // takes connections and never answers
	p := poster(t, func(c *sink.PostConfig) {
		c.URL, c.Timeout, c.Token = "http://user:"+planted+"@"+l.Addr().String()+"/"+planted+"?k="+planted, 50*time.Millisecond, planted
	})
	_, err = p.Post(t.Context(), "text/plain", []byte(planted))
	if err == nil || sink.IsPermanent(err) || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("timeout: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	patient := poster(t, func(c *sink.PostConfig) {
		c.URL, c.Timeout, c.Token = "http://user:"+planted+"@"+l.Addr().String()+"/"+planted+"?k="+planted, time.Minute, planted
	})
	_, ended := patient.Post(ctx, "text/plain", []byte(planted))
	if !errors.Is(ended, context.Canceled) {
		t.Errorf("ended: %v", ended)
	}
	l.Close()
	_, refused := p.Post(t.Context(), "text/plain", []byte(planted))
	if refused == nil || sink.IsPermanent(refused) {
		t.Errorf("refused: %v", refused)
	}
	for _, err := range []error{err, ended, refused} {
		if strings.Contains(err.Error(), planted) {
			t.Errorf("a secret in %q", err)
		}
	}
	for _, c := range []struct {
		change func(*sink.PostConfig)
		want   string
	}{
		{func(*sink.PostConfig) {}, "none given"},
		{func(c *sink.PostConfig) { c.URL = "http://" + planted + ":x y@h" }, "not an address"},
		{func(c *sink.PostConfig) { c.URL = "http://user:" + planted + "/x@h" }, "not an address"},
		{func(c *sink.PostConfig) { c.URL = "http://user:12#" + planted + "@h" }, "behind #"},
		{func(c *sink.PostConfig) { c.URL = "http://user:a%" + planted + "@h" }, "not an address"},
		{func(c *sink.PostConfig) { c.URL = "http://h:" + planted }, "not an address"},
		{func(c *sink.PostConfig) { c.URL = "ftp://" + planted }, "must begin with http"},
		{func(c *sink.PostConfig) { c.URL = "127.0.0.1:9000/" + planted }, "must begin with http"},
		{func(c *sink.PostConfig) { c.URL = "http:///" + planted }, "names no host"},
		{func(c *sink.PostConfig) { c.URL, c.Production = "http://u:"+planted+"@h/"+planted, true }, "url http://h: must use https in production"},
		{func(c *sink.PostConfig) { c.URL, c.Timeout = "http://h", 0 }, "timeout 0s"},
		{func(c *sink.PostConfig) { c.URL, c.Token = "http://h", planted+"\r\nX: y" }, "token: must be one line"},
		{func(c *sink.PostConfig) { c.URL, c.Headers = "http://h", map[string]string{"a b": planted} }, `header "a b"`},
		{func(c *sink.PostConfig) { c.URL, c.Headers = "http://h", map[string]string{"a": planted + "\n"} }, `header "a"`},
		{func(c *sink.PostConfig) { c.URL, c.TLS.CA = "https://h", "/none" }, "tls ca"},
		{func(c *sink.PostConfig) { c.URL, c.TLS.CA = "https://h", os.DevNull }, "holds no certificate"},
		{func(c *sink.PostConfig) { c.URL, c.TLS.Key = "https://h", "/none" }, "belong together"},
		{func(c *sink.PostConfig) { c.URL, c.TLS.Key, c.TLS.Certificate = "https://h", "/none", "/none" }, "tls certificate"},
	} {
		pc := sink.DefaultPostConfig()
		c.change(&pc)
		_, err := sink.NewPoster(pc)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), planted) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

func TestSecretDoesNotShow(t *testing.T) {
	s := sink.Secret(planted)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", s)
	c := sink.DefaultPostConfig()
	c.Token = s
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %q", s, s, s, s), fmt.Sprintf("%+v", c), log.String()} {
		if strings.Contains(text, planted) {
			t.Error(text)
		}
	}
}

func TestPostTLS(t *testing.T) {
	dir := t.TempDir()
	certificate, key := identity(t, dir, "client")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {}))
	pool := x509.NewCertPool()
	b, _ := os.ReadFile(certificate)
	pool.AppendCertsFromPEM(b)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	defer s.Close()
	ca := filepath.Join(dir, "ca.pem")
	writePEM(t, ca, "CERTIFICATE", s.Certificate().Raw)
	for _, c := range []struct {
		name string
		tls  sink.TLSConfig
		ok   bool
	}{
		{"all", sink.TLSConfig{CA: ca, Certificate: certificate, Key: key}, true},
		{"insecure", sink.TLSConfig{Insecure: true, Certificate: certificate, Key: key}, true},
		{"unknown authority", sink.TLSConfig{Certificate: certificate, Key: key}, false},
		{"another name", sink.TLSConfig{CA: ca, Certificate: certificate, Key: key, Name: "else"}, false},
		{"no certificate", sink.TLSConfig{CA: ca}, false},
	} {
		p := poster(t, func(pc *sink.PostConfig) { pc.URL, pc.TLS, pc.Production = s.URL, c.tls, true })
		if _, err := p.Post(t.Context(), "text/plain", []byte("x")); (err == nil) != c.ok || sink.IsPermanent(err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func identity(t *testing.T, dir, name string) (certificate, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	writePEM(t, certificate, "CERTIFICATE", der)
	writePEM(t, key, "EC PRIVATE KEY", private)
	return certificate, key
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
