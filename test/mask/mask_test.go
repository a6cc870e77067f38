package mask

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/rule"
)

var program string

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() { // under the race detector the program is what takes time, and it is not watched
		fmt.Println("mask: left out, it takes half a minute")
		os.Exit(0)
	}
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mask")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "passiflow")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/passiflow/passiflow/cmd/passiflow").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// receiver takes whatever is sent to it over TCP as HTTP and keeps it.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	file string
}

func receive(t *testing.T, file string, status int) *receiver {
	r := &receiver{file: file}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		f, err := os.OpenFile(r.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			fmt.Fprintf(f, "%s %s %v\n%s\n", q.Method, q.URL, q.Header, body)
			f.Close()
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

// everySink returns a configuration with each kind of sink that there is, which
// write below dir or to receivers that keep what they get there.
func everySink(t *testing.T, dir, rules string) string {
	var b strings.Builder
	b.WriteString("sinks:\n")
	ok := receive(t, filepath.Join(dir, "received"), 204)
	down := receive(t, filepath.Join(dir, "refused"), 503)
	for i, kind := range builtin.Sinks() {
		s := kind.New()
		if s.Raw || kind.Name == "stdout" || len(s.Options) == 0 {
			continue
		}
		name := s.Options[0].Name
		entry := func(value, more string) {
			fmt.Fprintf(&b, "  - {kind: %s, %s: %q%s}\n", kind.Name, name, value, more)
		}
		switch {
		case kind.Name == "resurface":
			entry(ok.URL+"/resurface", `, rules: "`+rules+`", logging_rules: "include debug\nskip_compression"`)
		case kind.Name == "shadow": // sends what it sees as it was sent
			entry(ok.URL, ", unsafe_methods: true, as_is: true, rate: 10000")
		case name == "url" || name == "endpoint":
			entry(ok.URL+"/"+kind.Name, "")
			entry(down.URL+"/"+kind.Name, fmt.Sprintf(", spool: {directory: %q}", filepath.Join(dir, "spool", fmt.Sprint(i))))
		case name == "path":
			for _, ending := range []string{"", ".gz", ".zst"} {
				if ending != "" && kind.Name != "file" {
					continue
				}
				entry(filepath.Join(dir, kind.Name+ending), "")
			}
		default:
			t.Logf("the sink %s is not searched: its first setting is %s", kind.Name, name)
		}
	}
	fmt.Fprintf(&b, "  - {kind: file, path: %q, format: line}\n", filepath.Join(dir, "lines"))
	return b.String()
}

// capture runs the program; what it says stands in files below dir.
func capture(t *testing.T, dir, name string, code int, args ...string) {
	t.Helper()
	c := exec.Command(program, args...)
	var out, words bytes.Buffer
	c.Stdout, c.Stderr = &out, &words
	c.Env = environment()
	err := c.Run()
	if got := c.ProcessState.ExitCode(); got != code {
		t.Fatalf("%s: exit code %d, want %d: %v\n%s", name, got, code, err, words.String())
	}
	write(t, filepath.Join(dir, name+".out"), out.Bytes())
	write(t, filepath.Join(dir, name+".err"), words.Bytes())
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// rules are those that mask what g planted.
func rules(g *garden, with string) string {
	return fmt.Sprintf(`defaults: {except: [cookie, set-cookie]}
rules:
- mask:
    headers: [%s]
    query: [%s]
    form: [%s]
    cookies: [%s]
    json: [%s]
    xml: [%s, %s]
  with: %s
- {detect: [card, email, jwt, bearer, key], with: %s}
`, g.of("header"), g.of("query"), g.of("form"), g.of("cookie"), paths(g, "$.."), paths(g, "//"), paths(g, "//@"), with, with)
}

func paths(g *garden, before string) string {
	kind := map[string]string{"$..": "json", "//": "xml", "//@": "attribute"}[before]
	var all []string
	for _, n := range strings.Split(g.of(kind), ", ") {
		all = append(all, `"`+before+n+`"`)
	}
	return strings.Join(all, ", ")
}

// TestNothingMaskedLeaves runs the program over planted traffic with every
// output there is and searches whatever came of it.
func TestNothingMaskedLeaves(t *testing.T) {
	for seed, with := range []string{"fixed", "type", "pseudonym"} {
		t.Run(with, func(t *testing.T) {
			g := newGarden(uint64(seed + 1))
			in := t.TempDir()
			pcap, file := filepath.Join(in, "a.pcap"), filepath.Join(in, "rules.yaml")
			write(t, pcap, g.traffic(100))
			write(t, file, []byte(rules(g, with)))

			dir := t.TempDir()
			conf := filepath.Join(in, "conf.yaml")
			write(t, conf, []byte(everySink(t, dir, file)))
			base := []string{"capture", "-r", pcap, "--rules", file, "--log-level", "debug"}
			capture(t, dir, "json", 0, append(base, "--json")...)
			capture(t, dir, "line", 0, append(base, "--format", "line", "-v")...)
			capture(t, dir, "message", 0, append(base, "--json", "--unit", "message")...)
			capture(t, dir, "flow", 0, append(base, "--json", "--unit", "flow")...)
			capture(t, dir, "small", 0, append(base, "--json", "--body-limit", "100")...)
			capture(t, dir, "proven", 0, append(base, "--json", "--pairing", "proven")...)
			capture(t, dir, "test", 0, "rules", "test", "--rules", file, "--with", pcap)
			sinks(t, dir, append(base, "-q", "--follow", "--config", conf, "--shutdown-grace", "1s"))
			metrics(t, dir, append(base, "-q", "--follow"))

			s := newSearch(g.all)
			if n := s.folder(t, dir); n > 0 {
				t.Errorf("%d of %d secrets leaked", n, len(g.all))
			}
			// What was not to be masked is there, so there was something to search.
			clear := t.TempDir()
			capture(t, clear, "json", 0, "capture", "-r", pcap, "--json", "--show-secrets")
			all, left := 0, 0
			was, is := read(t, filepath.Join(clear, "json.out")), read(t, filepath.Join(dir, "json.out"))
			for _, v := range g.open {
				if bytes.Contains(was, []byte(v)) {
					if all++; bytes.Contains(is, []byte(v)) {
						left++
					}
				}
			}
			if all < 500 || left*100 < all*95 {
				t.Errorf("of %d values that are not masked %d are in the records", all, left)
			}
		})
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDefaultsHold plants secrets under the names that are masked without any
// rules, and card numbers.
func TestDefaultsHold(t *testing.T) {
	g := newGarden(5)
	g.names["header"] = rule.SecretHeaders()
	g.names["query"], g.names["form"] = rule.SecretParameters(), rule.SecretParameters()
	g.names["json"], g.names["xml"], g.names["attribute"] = rule.SecretMembers(), rule.SecretMembers(), rule.SecretMembers()
	in, dir := t.TempDir(), t.TempDir()
	pcap := filepath.Join(in, "a.pcap")
	write(t, pcap, g.traffic(100))
	capture(t, dir, "json", 0, "capture", "-r", pcap, "--json", "--log-level", "debug")
	capture(t, dir, "line", 0, "capture", "-r", pcap, "--format", "line", "-v")
	capture(t, dir, "test", 0, "rules", "test", "--with", pcap)
	s := newSearch(slices.DeleteFunc(g.all, func(p planted) bool {
		return (p.kind == "xml" || p.kind == "attribute") && p.place != "xml" || p.name == "" && p.kind != "card"
	}))
	if n := s.folder(t, dir); n > 0 {
		t.Errorf("%d of %d secrets leaked", n, len(s.all))
	}
}

// until waits for what should come soon: for long, as the machine may be busy.
func until(what func() bool) {
	for range 600 {
		if what() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// spooled returns how many bytes lie in the spools below dir.
func spooled(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if fi, e := os.Stat(path); err == nil && e == nil && !d.IsDir() {
			n += fi.Size()
		}
		return nil
	})
	return n
}

// silent returns the sinks of which nothing was received.
func silent(dir string) (names []string) {
	received, _ := os.ReadFile(filepath.Join(dir, "received")) // nothing may have come yet
	for _, kind := range builtin.Sinks() {
		sign := " /" + kind.Name
		if kind.Name == "shadow" {
			sign = "PATCH /open"
		}
		if s := kind.New(); !s.Raw && len(s.Options) > 0 && (s.Options[0].Name == "url" || kind.Name == "shadow") && !bytes.Contains(received, []byte(sign)) {
			names = append(names, kind.Name)
		}
	}
	return names
}

// sinks runs the program with outputs of which some take nothing, so that it
// does not end well, until all that do take something have got it.
func sinks(t *testing.T, dir string, args []string) {
	t.Helper()
	c := exec.Command(program, args...)
	c.Env = environment()
	var words bytes.Buffer
	c.Stderr = &words
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	size, same := int64(0), 0 // looks at what was received, and how many found no more
	until(func() bool {
		if fi, err := os.Stat(filepath.Join(dir, "received")); err == nil {
			if same++; fi.Size() != size {
				size, same = fi.Size(), 0
			}
		}
		return same > 30 && len(silent(dir)) == 0 || len(done) > 0
	})
	_ = c.Process.Signal(syscall.SIGTERM)
	<-done
	if code := c.ProcessState.ExitCode(); code != 0 && code != 1 {
		t.Fatalf("sinks: exit code %d\n%s", code, words.String())
	}
	write(t, filepath.Join(dir, "sinks.err"), words.Bytes())
	if names := silent(dir); len(names) > 0 {
		t.Errorf("the sinks %v sent nothing: what they send was not searched\n%s", names, words.String())
	}
	if n := spooled(filepath.Join(dir, "spool")); n < 10_000 {
		t.Errorf("%d bytes in the spool: it was not searched\n%s", n, words.String())
	}
	for _, name := range []string{"received", "file", "file.gz", "file.zst", "lines", "har"} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Size() < 1000 {
			t.Errorf("nothing came to %s: %v\n%s", name, err, words.String())
		}
	}
}

// metrics runs the program until its page of metrics was read.
func metrics(t *testing.T, dir string, args []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	c := exec.Command(program, append(args, "--metrics", at)...)
	c.Env = environment()
	var words bytes.Buffer
	c.Stderr = &words
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var page []byte
	until(func() bool {
		q, err := http.Get("http://" + at + "/metrics")
		if err != nil {
			return false
		}
		page, _ = io.ReadAll(q.Body)
		q.Body.Close()
		return bytes.Contains(page, []byte("/")) && len(page) > 5000
	})
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Wait()
	if len(page) == 0 {
		t.Fatalf("no metrics:\n%s", words.String())
	}
	write(t, filepath.Join(dir, "metrics"), page)
	write(t, filepath.Join(dir, "metrics.err"), words.Bytes())
}

// TestWithoutMasksItLeaks: the same traffic and the same search find most of what
// was planted where nothing is masked.
func TestWithoutMasksItLeaks(t *testing.T) {
	g := newGarden(1)
	in, dir := t.TempDir(), t.TempDir()
	pcap := filepath.Join(in, "a.pcap")
	write(t, pcap, g.traffic(60))
	capture(t, dir, "json", 0, "capture", "-r", pcap, "--json", "--show-secrets")
	s := newSearch(g.all)
	out := read(t, filepath.Join(dir, "json.out"))
	found, whole := s.in(out), 0
	missing := map[string]int{}
	for i, p := range g.all {
		if p.damaged {
			continue
		}
		whole++
		if _, ok := found[i]; !ok {
			missing[p.place+" "+p.kind]++
		}
	}
	if n := whole - len(found); n*100 > whole*5 {
		t.Errorf("of %d secrets %d are not found where nothing is masked: %v", whole, n, missing)
	}
}

// TestRawOutputsRefuse: bytes as they were captured are not masked.
func TestRawOutputsRefuse(t *testing.T) {
	g := newGarden(1)
	dir := t.TempDir()
	pcap := filepath.Join(dir, "a.pcap")
	write(t, pcap, g.traffic(2))
	capture(t, dir, "w", 2, "capture", "-r", pcap, "-q", "-w", filepath.Join(dir, "out"))
	for _, kind := range builtin.Sinks() {
		if s := kind.New(); s.Raw {
			capture(t, dir, kind.Name, 2, "capture", "-r", pcap, "-q", "--sink", kind.Name+"="+filepath.Join(dir, "out"))
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("something was written")
	}
}

func environment() []string {
	return append(os.Environ(), "PASSIFLOW_PSEUDONYM_KEY=a key that nobody else has")
}
