package resurface

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/protocol/http1"
	"github.com/passiflow/passiflow/protocol/protocoltest"
)

// exchange decodes what two sides have said; it begins at 1700000000123 ms and
// its answer follows in the same millisecond.
func exchange(t testing.TB, request, response string) *message.Exchange {
	t.Helper()
	d := protocoltest.Run(http1.New(http1.DefaultConfig()), []protocoltest.Segment{
		{From: flow.Client, Data: request}, {From: flow.Server, Data: response, End: true},
	})
	if d.Err != nil || len(d.Messages) != 2 {
		t.Fatalf("%d messages, %v", len(d.Messages), d.Err)
	}
	x := &message.Exchange{Protocol: "http", Request: d.Messages[0], Response: d.Messages[1], Flow: &flow.Flow{ID: 1,
		Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:8080")}}
	x.Request.Start, x.Response.Start = 1700000000123e6, 1700000000123e6
	return x
}

func lines(all ...string) string { return strings.Join(all, "\r\n") + "\r\n\r\n" }

func open(t testing.TB, rules string) *encoder {
	t.Helper()
	f, err := New(Config{Rules: rules, Host: "myhost"})
	if err != nil {
		t.Fatal(err)
	}
	return f.(*encoder)
}

type pairs [][2]string

// read reads one line back, sorted by key: among headers the programs that made
// the golden lines have no order.
func read(t testing.TB, line string) pairs {
	t.Helper()
	if line == "" {
		return nil
	}
	var p pairs
	if err := json.Unmarshal([]byte(line), &p); err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	slices.SortStableFunc(p, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return p
}

// goldens reads the observed outputs of one part: by name what was sent, or what
// happened in its place.
func goldens(t *testing.T, part string) map[string]string {
	t.Helper()
	dir := os.Getenv("PASSIFLOW_SHARED")
	if dir == "" {
		t.Skip("PASSIFLOW_SHARED is not set")
	}
	data, err := os.ReadFile(filepath.Join(dir, "spec", "resurface-golden.txt"))
	if err != nil {
		t.Skip(err)
	}
	_, text, _ := strings.Cut(string(data), "\n## "+part+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	all := map[string]string{}
	for _, entry := range strings.Split("\n"+text, "\n== ") {
		name, rest, _ := strings.Cut(strings.TrimSpace(entry), "\n")
		switch {
		case name == "":
		case rest == "": // part B: all in one line
			if n, out, ok := strings.Cut(name, " -> "); ok {
				all[n] = out
			} else if n, out, ok := strings.Cut(name, " ERR "); ok {
				all[n] = "ERR " + out
			}
		default:
			if _, quoted, ok := strings.Cut(rest, "\n"); ok {
				var out string
				if err := json.Unmarshal([]byte(quoted), &out); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				rest = out
			}
			all[name] = rest
		}
	}
	return all
}

func packed(how func(io.Writer) io.WriteCloser, s string) string {
	var b bytes.Buffer
	w := how(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

const jsonOK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}"

// What was sent for known exchanges, but for the cases in which the programs
// that sent it do not what their documents say: those have the documented line.
func TestGoldenSubmissions(t *testing.T) {
	all := goldens(t, "A")
	get := lines("GET /json?a=1&b=x%20y&a=2 HTTP/1.1", "Host: example.com:8080", "User-Agent: curl/8", "Accept: */*", "Cookie: SID=abc; theme=dark")
	post := func(kind, body string) string {
		return lines("POST /u?x=1 HTTP/1.1", "Host: h", "Content-Type: "+kind, fmt.Sprint("Content-Length: ", len(body))) + body
	}
	gz := packed(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, "hello")
	zl := packed(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }, "hello")
	multipart := "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X--\r\n"
	cases := []struct {
		name, rules, request, response string
		documented                     string // why the golden line is not what is expected
		want                           pairs
	}{
		{name: "get debug", rules: "include debug", request: get, response: jsonOK},
		{name: "get debug skip_compression", rules: "include debug\nskip_compression", request: get, response: jsonOK},
		{name: "standard", rules: "include standard\nallow_http_url",
			request:  strings.Replace(post("text/plain", "mail john@example.com ssn 123-45-67890"), "?x=1", "", 1),
			response: lines("HTTP/1.1 200 OK", "Content-Length: 17", "Set-Cookie: a=b") + "john@example.com!"},
		{name: "strict", rules: "include strict\nallow_http_url", request: strings.Replace(post("application/x-www-form-urlencoded", "q=1&r=2"), "Content-T", "User-Agent: a\r\nContent-T", 1), response: jsonOK,
			documented: "strict keeps the URL, the user agent, type and length of the answer, and nothing else",
			want: pairs{{"host", "myhost"}, {"interval", "1"}, {"now", "1700000000123"}, {"request_header:user-agent", "a"}, {"request_method", "POST"}, {"request_url", "http://h/u"},
				{"response_code", "200"}, {"response_header:content-length", "11"}, {"response_header:content-type", "application/json"}}},
		{name: "form", rules: "include debug", request: post("application/x-www-form-urlencoded", "q=1&r=2"), response: jsonOK},
		{name: "gzip resp", rules: "include debug", request: get, response: lines("HTTP/1.1 200 OK", "Content-Encoding: gzip", "Content-Length: 29") + gz},
		{name: "deflate resp", rules: "include debug", request: get, response: lines("HTTP/1.1 200 OK", "Content-Encoding: deflate", "Content-Length: 17") + zl},
		{name: "zstd resp unknown", rules: "include debug", request: get, response: lines("HTTP/1.1 200 OK", "Content-Encoding: zstd", "Content-Length: 5") + "hello"},
		{name: "chunked", rules: "include debug", request: get, response: lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n"},
		{name: "truncated body", rules: "include debug", request: get, response: lines("HTTP/1.1 200 OK", "Content-Length: 50") + "hello"},
		{name: "no CL response to EOF", rules: "include debug", request: get, response: lines("HTTP/1.1 200 OK") + "hello"},
		{name: "head", rules: "include debug", request: lines("HEAD / HTTP/1.1", "Host: h"), response: lines("HTTP/1.1 200 OK", "Content-Length: 50")},
		{name: "absolute uri", rules: "include debug", request: lines("GET http://proxy.example/x?y=1 HTTP/1.1", "Host: proxy.example"), response: jsonOK},
		{name: "special chars", rules: "include debug", request: lines("GET /a%3Cb%3E&c HTTP/1.1", "Host: h", "X-A: <&>"),
			response: lines("HTTP/1.1 200 OK", "Content-Length: 12") + "<&>\"\\\n\xff\xfe\u00e9 \x80"},
		{name: "binary resp", rules: "include debug", request: lines("GET /b HTTP/1.1", "Host: h"), response: lines("HTTP/1.1 200 OK", "Content-Length: 4", "Content-Type: image/png") + "\x89PNG"},
		{name: "multi header", rules: "include debug", request: lines("GET /b HTTP/1.1", "Host: h", "X-A: 1", "X-A: 2"),
			response: lines("HTTP/1.1 404 Not Found", "Set-Cookie: a=1", "Set-Cookie: b=2", "Content-Length: 0")},
		{name: "multipart", rules: "include debug", request: lines("POST /m HTTP/1.1", "Host: h", "Content-Type: multipart/form-data; boundary=X", fmt.Sprint("Content-Length: ", len(multipart))) + multipart, response: jsonOK,
			documented: "the programs have read the body away before they look for it",
			want: pairs{{"host", "myhost"}, {"interval", "1"}, {"now", "1700000000123"}, {"request_body", multipart}, {"request_header:content-length", fmt.Sprint(len(multipart))},
				{"request_header:content-type", "multipart/form-data; boundary=X"}, {"request_method", "POST"}, {"request_url", "http://h/m"},
				{"response_body", `{"ok":true}`}, {"response_code", "200"}, {"response_header:content-length", "11"}, {"response_header:content-type", "application/json"}}},
		{name: "get body empty", rules: "include strict\nallow_http_url", request: lines("GET /e HTTP/1.1", "Host: h"), response: lines("HTTP/1.1 204 No Content"),
			documented: "strict keeps the URL",
			want:       pairs{{"host", "myhost"}, {"interval", "1"}, {"now", "1700000000123"}, {"request_method", "GET"}, {"request_url", "http://h/e"}, {"response_code", "204"}}},
		{name: "empty rules + allow", rules: "include strict\nallow_http_url", request: get, response: jsonOK,
			documented: "strict keeps the URL and the user agent, and no cookie",
			want: pairs{{"host", "myhost"}, {"interval", "1"}, {"now", "1700000000123"}, {"request_header:user-agent", "curl/8"}, {"request_method", "GET"},
				{"request_url", "http://example.com:8080/json"}, {"response_code", "200"}, {"response_header:content-length", "11"}, {"response_header:content-type", "application/json"}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			golden, ok := all[c.name]
			if !ok {
				t.Fatal("there is no such golden line")
			}
			delete(all, c.name)
			want := c.want
			if c.documented == "" {
				want = read(t, golden)
			}
			e := open(t, c.rules)
			line := string(e.Append(nil, exchange(t, c.request, c.response)))
			if d := cmp.Diff(want, read(t, line)); d != "" {
				t.Error(d)
			}
			x := exchange(t, c.request, c.response)
			if !e.Apply(x) || string(e.Append(nil, x)) != line {
				t.Error("the rule leaves something else than the format writes")
			}
		})
	}
	delete(all, "https-not http url") // a matter of the sink
	for name := range all {
		t.Errorf("%s: nobody compares this golden line", name)
	}
}

// What rules made of one exchange.
func TestGoldenRules(t *testing.T) {
	all := goldens(t, "B")
	get := lines("GET /p?email=a@b.com&x=1 HTTP/1.1", "Host: h", "Ab: 1")
	cookie := lines("GET / HTTP/1.1", "Host: h", "Cookie: SID=1")
	hello := lines("HTTP/1.1 200 OK", "Content-Length: 5") + "hello"
	world := lines("HTTP/1.1 200 OK", "Content-Length: 11") + "hello\nworld"
	const allow = "allow_http_url\n"
	strict := `[["request_method","GET"],["request_url","http://h/p"],["response_code","200"],["response_header:content-length","5"],["now","1"],["interval","5"],["host","H"]]`
	cases := []struct {
		name, rules, request, response string
		want                           string // where the documents differ from the golden line
	}{
		{name: "none rules (default)", want: strict},
		{name: "include strict", rules: "include strict", want: strict},
		{name: "include default", rules: "include default", want: strict},
		{name: "include standard params", rules: "include standard",
			want: `[["request_method","GET"],["request_url","http://h/p"],["response_code","200"],["request_header:ab","1"],["request_param:email","x@y.com"],["request_param:x","1"],["response_header:content-length","5"],["response_body","hello"],["now","1"],["interval","5"],["host","H"]]`},
		{name: "comment include", rules: "# include debug"},
		{name: "inline include", rules: "sample 99 include debug", want: "ERR invalid rule: sample 99 include debug"},
		{name: "include_debug", rules: "include_debug"},
		{name: "unknown", rules: "foo"},
		{name: "two samples", rules: "sample 10\nsample 20"},
		{name: "sample 0", rules: "sample 0"},
		{name: "lookahead", rules: "/request_header:(?!a).*/ remove", // the documents' own set has one
			want: `[["request_method","GET"],["request_url","http://h/p"],["response_code","200"],["request_header:ab","1"],["request_param:email","a@b.com"],["request_param:x","1"],["response_header:content-length","5"],["response_body","hello"],["now","1"],["interval","5"],["host","H"]]`},
		{name: "file missing", rules: "file://./nope.txt"},
		{name: "stop_unless one match", rules: "/request_url/ stop_unless /.*/"},
		{name: "stop_unless multi match", rules: "/request_param:.*/ stop_unless /.*/"},
		{name: "stop_unless_found multi", rules: "/request_param:.*/ stop_unless_found /.*/"},
		{name: "stop_if multi-line anchored", rules: "/response_body/ stop_if /.*world.*/", response: world},
		{name: "stop_if_found multi-line", rules: "/response_body/ stop_if_found /world/", response: world},
		{name: "remove alternation anchor", rules: "/request_header:a|zzz/ remove", // every alternative is compared with all of the key
			want: `[["request_method","GET"],["request_url","http://h/p"],["response_code","200"],["request_header:ab","1"],["request_param:email","a@b.com"],["request_param:x","1"],["response_header:content-length","5"],["response_body","hello"],["now","1"],["interval","5"],["host","H"]]`},
		{name: "replace alt-delims", rules: `~response_body~ replace !l+!, |L\|L|`},
		{name: "replace dollar", rules: "/response_body/ replace /(h)(.*)/, /$2-$1/"},
		{name: "replace dollar name", rules: "/response_body/ replace /(h).*/, /$1x/", // a number ends where its digits end
			want: `[["request_method","GET"],["request_url","http://h/p"],["response_code","200"],["request_header:ab","1"],["request_param:email","a@b.com"],["request_param:x","1"],["response_header:content-length","5"],["response_body","hx"],["now","1"],["interval","5"],["host","H"]]`},
		{name: "replace to empty drops", rules: "/response_body/ replace /.*/, //"},
		{name: "replace no space after comma", rules: "/response_body/ replace /l/,/L/"},
		{name: "remove everything", rules: "/.*/ remove"},
		{name: "remove no space", rules: "/response_body/remove"},
		{name: "copy_session case", rules: "copy_session_field /SID/", request: cookie},
		{name: "copy_session trailing junk", rules: "copy_session_field /sid/ junk", request: cookie},
		{name: "remove now,interval", rules: "/now|interval/ remove"},
		{name: "host rule", rules: "/host/ remove"},
		{name: "header value w/ rule on response_code", rules: "/response_code/ stop_if /2../"},
		{name: "100-continue resp", response: lines("HTTP/1.1 100 Continue"),
			want: `[["request_method","GET"],["request_url","http://h/p"],["response_code","100"],["now","1"],["interval","5"],["host","H"]]`},
		{name: "unescaped sep", rules: "/a/b/ remove"},
		{name: "star", rules: "/*/ remove"},
		{name: "percent path", rules: allow, request: lines("GET /a%20b/c%2Fd?q=%3B;z=1 HTTP/1.1", "Host: h"), response: hello},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			golden, ok := all[c.name]
			if !ok {
				t.Fatal("there is no such golden line")
			}
			delete(all, c.name)
			if c.want != "" {
				golden = c.want
			}
			f, err := New(Config{Rules: c.rules, Host: "H"})
			if want, failed := strings.CutPrefix(golden, "ERR "); failed {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("got %v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.request == "" {
				c.request = get
			}
			if c.response == "" {
				c.response = hello
			}
			x := exchange(t, c.request, c.response)
			x.Request.Start, x.Response.Start = 1e6-5e6, 1e6
			var want pairs
			if golden != "dropped" {
				want = read(t, golden)
			}
			if d := cmp.Diff(want, read(t, string(f.Append(nil, x)))); d != "" {
				t.Error(d)
			}
		})
	}
	large := all["1MiB+ body"]
	delete(all, "1MiB+ body")
	line := string(open(t, allow).Append(nil, exchange(t, get, lines("HTTP/1.1 200 OK", "Content-Length: 1500000")+strings.Repeat("x", 1500000))))
	// the golden line is one of another host, time and interval
	if n := len(line) - len(`"1700000000123"`) + len(`"1"`) - len("myhost") + len("H"); !strings.HasSuffix(large, fmt.Sprint("len=", n)) && !strings.HasSuffix(large, fmt.Sprint("len=", n-1)) {
		t.Errorf("a long body makes a line of %d bytes, not as in %s", n, large[len(large)-20:])
	}
	delete(all, "skip_submission") // a matter of the sink
	for name := range all {
		t.Errorf("%s: nobody compares this golden line", name)
	}
}
