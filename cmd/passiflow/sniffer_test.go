package main

import (
	"compress/zlib"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/packet/packettest"
)

func TestChooseProfile(t *testing.T) {
	for _, c := range []struct {
		args, environ string
		want          profile
		fault         bool
	}{
		{"", "", noProfile, false},
		{"", "USAGE_LOGGERS_URL=x", resurfaceProfile, false},
		{"", "USAGE_LOGGERS_URL=", noProfile, false},
		{"", "USAGE_LOGGERS_RULES=x APP_PORTS=80", noProfile, false},
		{"", "PORTS=80", containerProfile, false},
		{"", "PORTS=80 USAGE_LOGGERS_URL=x", noProfile, true},
		{"--input-raw :80", "", resurfaceProfile, false},
		{"-input-raw=:80", "", resurfaceProfile, false},
		{"--verbose 1 --output-resurface x", "", resurfaceProfile, false},
		{"--input-raw :80", "PORTS=80", noProfile, true},
		{"capture --input-raw :80", "PORTS=80 USAGE_LOGGERS_URL=x", noProfile, false},
		{"capture", "USAGE_LOGGERS_URL=x", noProfile, false},
		{"--help", "USAGE_LOGGERS_URL=x PORTS=80", noProfile, false},
		{"-D", "PORTS=80", noProfile, false},
	} {
		p := &process{environ: strings.Fields(c.environ)}
		got, err := p.chooseProfile(strings.Fields(c.args))
		if got != c.want || (err != nil) != c.fault {
			t.Errorf("%q with %q: %v, %v", c.args, c.environ, got, err)
		}
	}
}

// effective returns the settings that differ from the defaults, as the sniffer
// asks for them.
func effective(t *testing.T, args []string, environ map[string]string) (map[string]string, error) {
	t.Helper()
	getenv := func(name string) string { return environ[name] }
	s := &sniffer{}
	var err error
	if args != nil {
		err = s.flags(args)
	} else {
		err = s.variables(getenv)
	}
	if err == nil {
		err = s.logger(getenv)
	}
	if err != nil {
		return nil, err
	}
	c, def := config.DefaultConfig(), config.DefaultConfig()
	l := config.NewLoader(&c)
	if err := errors.Join(s.configure(l, &c), l.Done()); err != nil {
		return nil, err
	}
	got := map[string]string{}
	before := def.Settings()
	for i, k := range c.Settings() {
		if v := k.Value.String(); v != before[i].Value.String() {
			got[k.Path] = v
		}
	}
	for _, x := range c.Sinks {
		if x.Kind == "resurface" {
			for _, k := range x.Settings() {
				if k.Path == "logging_rules" || k.Path == "client_header" || k.Path == "disabled" || k.Path == "bundle" || k.Path == "queue.linger" {
					got[x.Name+"."+k.Path] = k.Value.String()
				}
			}
		}
	}
	for _, k := range slices.Collect(maps.Keys(got)) { // what is always so
		if got[k] == map[string]string{"resurface.disabled": "false", "resurface.bundle": "5MiB", "resurface.queue.linger": "1s"}[k] {
			delete(got, k)
		}
	}
	return got, nil
}

// The seed's own environments and command lines, and what they mean here.
func TestSnifferConfiguration(t *testing.T) {
	const url = "http://localhost:7701/message"
	type m = map[string]string
	for _, c := range []struct {
		name    string
		args    string // separated by |
		environ m
		want    m
		fault   string
	}{
		{name: "the example", environ: m{"APP_PORTS": "80,8000,3000", "NET_DEVICE": `""`, "USAGE_LOGGERS_URL": url, "USAGE_LOGGERS_RULES": `include default\nallow_http_url\nskip_compression`},
			want: m{"capture.interface": "any", "capture.ports": "80,8000,3000", "sinks": "resurface=" + url}},
		{name: "one port, one device", environ: m{"APP_PORT": "80", "NET_DEVICE": "docker0", "VPC_MIRROR_DEVICE": "vx0", "USAGE_LOGGERS_URL": url},
			want: m{"capture.interface": "docker0", "capture.ports": "80", "sinks": "resurface=" + url}},
		{name: "vxlan device, lines", environ: m{"VPC_MIRROR_DEVICE": "vx0", "USAGE_LOGGERS_URL": url, "USAGE_LOGGERS_RULES": "include debug\n/a\\nb/ remove\n"},
			want: m{"capture.interface": "vx0", "sinks": "resurface=" + url}},
		{name: "vxlan listener", environ: m{"SNIFFER_ENGINE": "mirror", "SNIFFER_MIRROR_VNIS": "7, 8,-9", "APP_PORTS": "80", "USAGE_LOGGERS_URL": url, "SNIFFER_MIRROR_VXLANPORT": "4790"},
			want: m{"capture.listen": "vxlan://0.0.0.0:4790", "capture.vni_allow": "7,8", "capture.vni_deny": "9", "capture.ports": "80", "sinks": "resurface=" + url}},
		{name: "everything", environ: m{"NET_DEVICE": "eth0", "APP_PORTS": "80", "USAGE_LOGGERS_URL": url, "USAGE_LOGGERS_BUNDLE_SIZE": "1048576", "USAGE_LOGGERS_BODY_LIMIT": "1000", "SNIFFER_NOFILTER": "true",
			"SNIFFER_PCAP_BUFFER_SIZE": "10mb", "SNIFFER_PROMISC_ENABLED": "true", "SNIFFER_REALIP_HEADER": "X-Real-IP", "SNIFFER_DEBUG_ENABLED": "true", "SNIFFER_DEBUG_VERBOSITY": "2", "SNIFFER_DEBUG_EXPORT": "local"},
			want: m{"capture.interface": "eth0", "capture.ports": "80", "capture.buffer": "10MiB", "capture.promiscuous": "true", "http.body_limit": "1000B", "log.level": "debug",
				"sinks": "resurface=" + url + ",stdout=json,file=sniffer-debug.ndjson", "resurface.client_header": "X-Real-IP", "resurface.bundle": "1MiB"}},
		{name: "disabled", environ: m{"NET_DEVICE": "eth0", "USAGE_LOGGERS_URL": url, "USAGE_LOGGERS_DISABLE": "true"},
			want: m{"capture.interface": "eth0", "sinks": "resurface=" + url, "resurface.disabled": "true"}},
		{name: "not disabled", environ: m{"NET_DEVICE": "eth0", "USAGE_LOGGERS_URL": url, "USAGE_LOGGERS_DISABLE": "yes"},
			want: m{"capture.interface": "eth0", "sinks": "resurface=" + url}},
		{name: "kubernetes", environ: m{"SNIFFER_ENGINE": "k8s", "USAGE_LOGGERS_URL": url}, fault: "pods and services cannot be named yet"},
		{name: "bad port", environ: m{"APP_PORTS": "80,x", "USAGE_LOGGERS_URL": url}, fault: `APP_PORTS: "x" is not a number`},
		{name: "bad engine", environ: m{"SNIFFER_ENGINE": "x", "USAGE_LOGGERS_URL": url}, fault: "SNIFFER_ENGINE x: is not an engine"},
		{name: "bad bundle", environ: m{"USAGE_LOGGERS_BUNDLE_SIZE": "x", "USAGE_LOGGERS_URL": url}, fault: `USAGE_LOGGERS_BUNDLE_SIZE: "x" is not a size`},

		{name: "the direct command", args: "--input-raw|eth0:80,8000|--input-raw-track-response|--input-raw-bpf-filter|(dst port 80 or 8000) or (src port 80 or 8000)|--output-resurface|" + url + "|--output-resurface-rules|include debug",
			want: m{"capture.interface": "eth0", "capture.ports": "80,8000", "capture.filter": "(dst port 80 or 8000) or (src port 80 or 8000)", "sinks": "resurface=" + url, "resurface.logging_rules": "include debug"}},
		{name: "one dash, an empty variable at the end", args: "-input-raw=:80|-output-resurface=" + url + "|-output-resurface-rules",
			want: m{"capture.interface": "any", "capture.ports": "80", "sinks": "resurface=" + url}},
		{name: "rules without quotes", args: `--input-raw|lo:|--output-resurface|` + url + `|--output-resurface-rules|include|debug\nskip_compression`,
			want: m{"capture.interface": "lo", "sinks": "resurface=" + url, "resurface.logging_rules": "include debug\nskip_compression"}},
		{name: "the environment's address", args: "--input-raw|lo:0|--output-resurface|", environ: m{"USAGE_LOGGERS_URL": url, "USAGE_LOGGERS_RULES": "include standard"},
			want: m{"capture.interface": "lo", "sinks": "resurface=" + url}},
		{name: "vxlan flags", args: "--input-raw|:80|--input-raw-engine|vxlan|--input-raw-vxlan-port|4790|--input-raw-vxlan-vni|5|--input-raw-vxlan-vni|-6|--input-raw-realip-header|X-Real-IP|--output-resurface|" + url,
			want: m{"capture.listen": "vxlan://0.0.0.0:4790", "capture.vni_allow": "5", "capture.vni_deny": "6", "capture.ports": "80", "sinks": "resurface=" + url, "resurface.client_header": "X-Real-IP"}},
		{name: "a file", args: "--input-raw|/tmp/x.pcap:80|--output-stdout|--verbose|2|--input-raw-buffer-size|2097152",
			want: m{"capture.read": "/tmp/x.pcap", "capture.ports": "80", "capture.buffer": "2MiB", "sinks": "stdout=json", "log.level": "debug"}},
		{name: "two addresses", args: "--input-raw|lo:80|--output-resurface|https://a/|--output-resurface|https://b/",
			want: m{"capture.interface": "lo", "capture.ports": "80", "sinks": "resurface=https://a/,resurface=https://b/",
				"resurface-2.disabled": "false", "resurface-2.bundle": "5MiB", "resurface-2.queue.linger": "1s"}},
		{name: "an address", args: "--input-raw|127.0.0.1:80|--output-resurface|https://a/", want: m{"capture.interface": loopbackName(t), "capture.ports": "80", "sinks": "resurface=https://a/"}},
		{name: "no address", args: "--input-raw|:80", fault: "no capture URL"},
		{name: "no input", args: "--output-resurface|https://a/", fault: "nothing says where to capture"},
		{name: "unknown", args: "--input-raw|:80|--output-http|x", fault: "flag provided but not defined: -output-http"},
		{name: "pods", args: "--input-raw|k8s://default/pod/x:80|--output-resurface|https://a/", fault: "pods and services cannot be named yet"},
		{name: "two ports", args: "--input-raw|a:80|--input-raw|b:81|--output-resurface|https://a/", fault: "inputs with different ports"},
		{name: "binary", args: "--input-raw|a:80|--input-raw-protocol|binary|--output-resurface|https://a/", fault: "only http"},
		{name: "nobody has it", args: "--input-raw|192.0.2.77:80|--output-resurface|https://a/", fault: "no interface has the address 192.0.2.77"},
		{name: "no such prefix", args: "--input-raw|nosuch*:80|--output-resurface|https://a/", fault: "no interface that is up"},
		{name: "junk", args: "--input-raw|a:80|junk|--output-resurface|https://a/", fault: `unexpected "junk"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var args []string
			if c.args != "" {
				args = strings.Split(c.args, "|")
			}
			got, err := effective(t, args, c.environ)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func loopbackName(t *testing.T) string {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Name
		}
	}
	t.Skip("no loopback")
	return ""
}

func TestMatchingInterfaces(t *testing.T) {
	have := []net.Interface{{Name: "lo", Flags: net.FlagUp | net.FlagLoopback}, {Name: "veth0", Flags: net.FlagUp}, {Name: "veth1"}, {Name: "eth0", Flags: net.FlagUp}}
	list := func() ([]net.Interface, error) { return have, nil }
	for _, c := range []struct {
		hosts, ignore, want string
	}{
		{"*", "", "lo,veth0,eth0"}, {"veth*", "", "veth0"}, {"eth0,veth*", "", "eth0,veth0"}, {"", "lo", "veth0,eth0"}, {"[::]", "lo,eth0", "veth0"}, {"gone", "", "gone"}, {"eth0", "eth0", ""},
	} {
		s := &sniffer{ignore: strings.Split(c.ignore, ",")}
		for _, h := range strings.Split(c.hosts, ",") {
			s.inputs = append(s.inputs, input{host: value{h, "x"}})
		}
		got, err := s.interfaces(list)
		if strings.Join(got, ",") != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}

func TestDotenv(t *testing.T) {
	name := filepath.Join(t.TempDir(), ".env")
	text := "# USAGE_LOGGERS_URL=no\nexport USAGE_LOGGERS_URL = 'http://x/' # why\nUSAGE_LOGGERS_RULES=\"include debug\\nskip_compression\"\r\nPATH=/evil\nUSAGE_LOGGERS_DISABLE=true # why\nbroken\n=x\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environ, err := snifferEnviron([]string{"USAGE_LOGGERS_URL=http://y/", "HOME=/h"}, name)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{environ: environ}
	for name, want := range map[string]string{"USAGE_LOGGERS_URL": "http://x/", "USAGE_LOGGERS_RULES": `include debug\nskip_compression`, "USAGE_LOGGERS_DISABLE": "true", "PATH": "", "HOME": "/h"} {
		if got := p.getenv(name); got != want {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if got, err := snifferEnviron([]string{"A=b"}, filepath.Join(t.TempDir(), ".env")); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// receive is a Resurface database that is away for the first failures requests.
func receive(t *testing.T, failures int) (url string, lines func() string) {
	var mu sync.Mutex
	var all strings.Builder
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		failures--
		away := failures >= 0
		mu.Unlock()
		if away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "deflated" {
			z, err := zlib.NewReader(body)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			body = z
		}
		data, _ := io.ReadAll(body)
		mu.Lock()
		defer mu.Unlock()
		all.Write(data)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/message", func() string {
		mu.Lock()
		defer mu.Unlock()
		return all.String()
	}
}

// The whole program in the network sniffer's place, with flags and with
// variables; masks of our own do not run, its rules do.
func TestSnifferSubmits(t *testing.T) {
	file := write(t, "shop")
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		name    string
		rules   string
		has     string
		hasNot  string
		environ bool
	}{
		{"debug", `include debug\nskip_compression`, `["request_header:`, `[REDACTED]`, false},
		{"strict", `include strict\nallow_http_url`, `["request_url","http://`, `_body"`, false},
		{"by variables", `include strict\nallow_http_url`, `["request_url","http://`, `_body"`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, lines := receive(t, 0)
			args := []string{"--input-raw", file + ":0", "--input-raw-track-response", "--output-resurface", url, "--output-resurface-rules", c.rules}
			if c.environ {
				args = nil
				t.Setenv("USAGE_LOGGERS_URL", url)
				t.Setenv("USAGE_LOGGERS_RULES", c.rules)
				t.Setenv("NET_DEVICE", file)
			}
			p := start(t, "in the place of the Resurface", args...)
			if code := p.end(); code != exitOK {
				t.Fatalf("exit code %d\n%s", code, p.words.String())
			}
			got := lines()
			if !strings.Contains(got, c.has) || strings.Contains(got, c.hasNot) || p.out.String() != "" {
				t.Errorf("sent\n%s\nsaid\n%s%s", got, p.out.String(), p.words.String())
			}
		})
	}
}

// A database that is away for a while loses nothing, and gets nothing twice.
func TestSnifferOutlastsAnOutage(t *testing.T) {
	url, lines := receive(t, 3)
	p := start(t, "in the place", "--input-raw", write(t, "long")+":0", "--output-resurface", url, "--output-resurface-rules", "include debug")
	if code := p.end(); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.words.String())
	}
	seen := map[string]bool{}
	got := strings.Split(strings.TrimSpace(lines()), "\n")
	for _, l := range got {
		_, l, _ = strings.Cut(l, `["request_url",`)
		l, _, _ = strings.Cut(l, "]")
		seen[l] = true
	}
	if len(got) != 3000 || len(seen) != 3000 {
		t.Errorf("%d messages, %d of them different, of 3000\n%s", len(got), len(seen), p.words.String())
	}
}

// What waits on disk for a database that is away is what the rules have left,
// and the next start delivers it.
func TestSnifferSpools(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PASSIFLOW_SPOOL", dir)
	t.Setenv("PASSIFLOW_SHUTDOWN_GRACE", "500ms")
	away, _ := receive(t, 1<<30)
	rules := "include strict\nallow_http_url"
	p := start(t, "in the place", "--input-raw", write(t, "shop"), "--output-resurface", away, "--output-resurface-rules", rules)
	p.end()
	found := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range []string{"s3cret", "welcome", "cup"} {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s holds %s", path, secret)
			}
		}
		found += strings.Count(string(data), "request_url")
		return err
	})
	if err != nil || found != 3 {
		t.Fatalf("%d records on disk, %v\n%s", found, err, p.words.String())
	}
	url, lines := receive(t, 0)
	p = start(t, "in the place", "--input-raw", write(t, "silent"), "--output-resurface", url, "--output-resurface-rules", rules)
	if code := p.end(); code != exitOK || strings.Count(lines(), "\n") != 3 {
		t.Errorf("exit code %d, sent\n%s\n%s", code, lines(), p.words.String())
	}
}

// An address without TLS is refused before anything is captured.
func TestSnifferRefusesHTTP(t *testing.T) {
	url, _ := receive(t, 0)
	p := start(t, "allow_http_url", "--input-raw", write(t, "shop"), "--output-resurface", url)
	if code := p.end(); code != exitUsage {
		t.Errorf("exit code %d\n%s", code, p.words.String())
	}
}

// Mirrored traffic by variables alone: only what came with the network id that
// was asked for is submitted.
func TestSnifferListens(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals on Windows")
	}
	url, lines := receive(t, 0)
	port := freePort(t)
	t.Setenv("USAGE_LOGGERS_URL", url)
	t.Setenv("USAGE_LOGGERS_RULES", "include debug")
	t.Setenv("SNIFFER_ENGINE", "mirror")
	t.Setenv("SNIFFER_MIRROR_VXLANPORT", port)
	t.Setenv("SNIFFER_MIRROR_VNIS", "42")
	p := start(t, "message=listening")
	conn, err := net.Dial("udp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, vni := range []uint32{42, 43} {
		for _, f := range frames(t) {
			if _, err := conn.Write(packettest.VXLAN(vni, packettest.Raw(f)).Bytes); err != nil {
				t.Fatal(err)
			}
		}
	}
	time.Sleep(time.Second) // it tells nothing before its bundle is full
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// What waits for its bundle is sent all the same.
	if code := p.end(); code != exitOK {
		t.Errorf("exit code %d\n%s", code, p.words.String())
	}
	if got := lines(); strings.Count(got, "\n") != 3 || !strings.Contains(got, `["request_url","http://`) {
		t.Errorf("sent\n%s\nsaid\n%s", got, p.words.String())
	}
}
