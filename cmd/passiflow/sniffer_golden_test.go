package main

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/packet/packettest"
)

// TestSnifferSendsGoldens captures known exchanges from packets and compares
// what a database gets with what Resurface's own programs have sent it, but for
// the time, which is that of the packets, and the name of the machine.
func TestSnifferSendsGoldens(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(os.Getenv("PASSIFLOW_SHARED"), "spec", "resurface-golden.txt"))
	if err != nil {
		t.Skip("PASSIFLOW_SHARED names no golden lines")
	}
	var gz, zl bytes.Buffer
	g, z := gzip.NewWriter(&gz), zlib.NewWriter(&zl)
	fmt.Fprint(g, "hello")
	fmt.Fprint(z, "hello")
	g.Close()
	z.Close()
	head := func(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }
	get := head("GET /json?a=1&b=x%20y&a=2 HTTP/1.1", "Host: example.com:8080", "User-Agent: curl/8", "Accept: */*", "Cookie: SID=abc; theme=dark")
	ok := head("HTTP/1.1 200 OK", "Content-Type: application/json", "Content-Length: 11") + `{"ok":true}`
	cases := []struct{ name, request, response string }{
		{"get debug", get, ok},
		{"form", head("POST /u?x=1 HTTP/1.1", "Host: h", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 7") + "q=1&r=2", ok},
		{"gzip resp", get, head("HTTP/1.1 200 OK", "Content-Encoding: gzip", fmt.Sprint("Content-Length: ", gz.Len())) + gz.String()},
		{"deflate resp", get, head("HTTP/1.1 200 OK", "Content-Encoding: deflate", fmt.Sprint("Content-Length: ", zl.Len())) + zl.String()},
		{"zstd resp unknown", get, head("HTTP/1.1 200 OK", "Content-Encoding: zstd", "Content-Length: 5") + "hello"},
		{"chunked", get, head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n"},
		{"truncated body", get, head("HTTP/1.1 200 OK", "Content-Length: 50") + "hello"},
		{"no CL response to EOF", get, head("HTTP/1.1 200 OK") + "hello"},
		{"head", head("HEAD / HTTP/1.1", "Host: h"), head("HTTP/1.1 200 OK", "Content-Length: 50")},
		{"absolute uri", head("GET http://proxy.example/x?y=1 HTTP/1.1", "Host: proxy.example"), ok},
		{"special chars", head("GET /a%3Cb%3E&c HTTP/1.1", "Host: h", "X-A: <&>"), head("HTTP/1.1 200 OK", "Content-Length: 12") + "<&>\"\\\n\xff\xfe\u00e9 \x80"},
		{"binary resp", head("GET /b HTTP/1.1", "Host: h"), head("HTTP/1.1 200 OK", "Content-Length: 4", "Content-Type: image/png") + "\x89PNG"},
		{"multi header", head("GET /b HTTP/1.1", "Host: h", "X-A: 1", "X-A: 2"), head("HTTP/1.1 404 Not Found", "Set-Cookie: a=1", "Set-Cookie: b=2", "Content-Length: 0")},
	}
	var want []string
	tape := packettest.NewTape()
	for i, c := range cases {
		conn := tape.Open(fmt.Sprintf("10.0.0.1:%d", 40000+i), "10.0.0.2:80", nil)
		conn.Client(c.request)
		conn.Server(c.response)
		conn.Close()
		_, rest, found := strings.Cut(string(data), "\n== "+c.name+"\n")
		lines := strings.SplitN(rest, "\n", 3)
		var line string
		if !found || json.Unmarshal([]byte(lines[1]), &line) != nil {
			t.Fatalf("no golden line for %s", c.name)
		}
		want = append(want, timeless(t, line))
	}
	file := filepath.Join(t.TempDir(), "golden.pcap")
	if err := os.WriteFile(file, tape.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	url, lines := receive(t, 0)
	p := start(t, "in the place", "--input-raw", file+":80", "--output-resurface", url, "--output-resurface-rules", "include debug")
	if code := p.end(); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.words.String())
	}
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(lines()), "\n") {
		got = append(got, timeless(t, line))
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s\n%s", d, p.words.String())
	}
}

// timeless writes a message with its pairs in the order of their keys, without
// those that depend on time and place.
func timeless(t *testing.T, line string) string {
	t.Helper()
	var all, kept [][2]string
	if err := json.Unmarshal([]byte(line), &all); err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	for _, p := range all {
		if p[0] != "now" && p[0] != "interval" && p[0] != "host" {
			kept = append(kept, p)
		}
	}
	slices.SortStableFunc(kept, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return fmt.Sprint(kept)
}
