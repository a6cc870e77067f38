package hostile

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const (
	get   = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
)

// exchange records one conversation with these words.
func (c *capture) exchange(n int, request, answer string) *talk {
	k := c.open(n)
	k.say(0, request)
	k.say(1, answer)
	return k
}

func TestBombs(t *testing.T) {
	zeros := make([]byte, 100<<20)
	gz := func(b []byte) []byte {
		var out bytes.Buffer
		w, _ := gzip.NewWriterLevel(&out, 9)
		w.Write(b)
		w.Close()
		return out.Bytes()
	}
	squeeze := func(w func(io.Writer) io.WriteCloser) []byte {
		var out bytes.Buffer
		z := w(&out)
		z.Write(zeros)
		z.Close()
		return out.Bytes()
	}
	bodies := map[string][]byte{
		"gzip":             gz(zeros),
		"gzip, gzip":       gz(gz(zeros)),
		"gzip, gzip, gzip": gz(gz(gz(zeros))),
		"deflate":          squeeze(func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 9); return z }),
		"br":               squeeze(func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 5) }),
		"zstd":             squeeze(func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z }),
	}
	c := record(t)
	n := 0
	for range 15 {
		for coding, b := range bodies {
			for _, coding := range []string{coding, coding + ", " + coding} { // more is said than is true
				k := c.exchange(n, get, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n", coding, len(b))+string(b[:min(len(b), 20_000)]))
				if len(b) > 20_000 {
					k.close()
				}
				n++
			}
		}
	}
	// The windows of the codings take what is taken; a body held as a whole would
	// bring 100 MiB more.
	r := run(t, bound{10 * time.Second, 150}, c.done())
	if r.lines != n {
		t.Errorf("%d lines of %d", r.lines, n)
	}
}

// Bodies of a few bytes that become a MiB each, in one conversation after the
// other: what they cost is bounded by what was sent, and what others say
// compressed is still read.
func TestSmallBombs(t *testing.T) {
	text := ""
	for i := range 100 {
		text += fmt.Sprintf(`{"id":%d,"name":"user %d","good":true},`, i, i*7)
	}
	for name, w := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { z, _ := gzip.NewWriterLevel(w, 9); return z },
		"br":   func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 9) },
		"br, far": func(w io.Writer) io.WriteCloser {
			return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: 9, LGWin: 24})
		},
		"zstd": func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
	} {
		t.Run(name, func(t *testing.T) {
			squeeze := func(b []byte) string {
				var out bytes.Buffer
				z := w(&out)
				z.Write(b)
				z.Close()
				return out.String()
			}
			coding, far, _ := strings.Cut(name, ",")
			size := 1 << 20
			if far != "" {
				size = 64 << 20
			}
			bomb, honest := squeeze(make([]byte, size)), squeeze([]byte(text))
			c := record(t)
			for i := range 2_000 {
				said := bomb
				if i%100 == 0 {
					said = honest
				}
				c.exchange(i, get, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", coding, len(said), said)).close()
			}
			r := run(t, bound{8 * time.Second, 150}, c.done(), "--rules", rules(t, `keep: response.body contains "good"`))
			if r.lines != 20 {
				t.Errorf("%d honest answers of 20", r.lines)
			}
		})
	}
}

// rules writes a file with one rule.
func rules(t *testing.T, rule string) string {
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte("- "+rule+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHeads(t *testing.T) {
	for name, head := range map[string]string{
		"fields":        "GET / HTTP/1.1\r\n" + strings.Repeat("a: b\r\n", 100_000) + "\r\n",
		"empty fields":  "GET / HTTP/1.1\r\n" + strings.Repeat("a:\n", 300_000) + "\r\n",
		"folds":         "GET / HTTP/1.1\r\na: b\r\n" + strings.Repeat(" c\r\n", 100_000) + "\r\n",
		"bad lines":     "GET / HTTP/1.1\r\n" + strings.Repeat("=\r\n", 100_000) + "\r\n",
		"long line":     "GET / HTTP/1.1\r\na: " + strings.Repeat("b", 1<<20) + "\r\n\r\n",
		"long target":   "GET /" + strings.Repeat("b", 1<<20) + " HTTP/1.1\r\n\r\n",
		"empty lines":   strings.Repeat("\r\n", 500_000) + get,
		"no line":       "GET " + strings.Repeat("/", 1<<20),
		"lengths":       "POST / HTTP/1.1\r\n" + strings.Repeat("Content-Length: 1\r\n", 3000) + "\r\n",
		"many lengths":  "POST / HTTP/1.1\r\nContent-Length: 1" + strings.Repeat(",1", 20_000) + "\r\n\r\n",
		"many codings":  "POST / HTTP/1.1\r\nTransfer-Encoding: chunked" + strings.Repeat(",chunked", 5_000) + "\r\nContent-Encoding: gzip" + strings.Repeat(",gzip", 3_000) + "\r\n\r\n",
		"nuls":          "GET / HTTP/1.1\r\n" + strings.Repeat("\x00", 60_000) + "\r\n\r\n",
		"a big lie":     "POST / HTTP/1.1\r\nContent-Length: 9223372036854775807\r\n\r\nx",
		"a bigger lie":  "POST / HTTP/1.1\r\nContent-Length: 18446744073709551617\r\n\r\nx",
		"less than nil": "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\nx",
	} {
		t.Run(name, func(t *testing.T) {
			c := record(t)
			for i := range 4 {
				k := c.open(2 * i)
				k.say(0, head)
				k.close()
				k = c.exchange(2*i+1, get, strings.Replace(head, "GET / HTTP/1.1", "HTTP/1.1 200 OK", 1))
				k.close()
			}
			run(t, bound{4 * time.Second, 100}, c.done())
		})
	}
}

func TestChunks(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, body := range map[string]string{
		"extensions":      strings.Repeat("1;"+strings.Repeat("e", 3000)+"\r\nx\r\n", 500),
		"long extension":  "1;" + strings.Repeat("e", 2<<20),
		"tiny":            strings.Repeat("1\r\nx\r\n", 400_000) + "0\r\n\r\n",
		"below zero":      "-1\r\nx\r\n0\r\n\r\n",
		"over":            "ffffffffffffffffff\r\nx\r\n0\r\n\r\n",
		"nearly over":     "fffffffffffffff\r\nx",
		"zeros":           strings.Repeat("0", 1<<20) + "1\r\nx\r\n0\r\n\r\n",
		"trailers":        "0\r\n" + strings.Repeat("a: b\r\n", 200_000) + "\r\n",
		"folded trailers": "0\r\na: b\r\n" + strings.Repeat(" c\r\n", 200_000) + "\r\n",
		"long trailer":    "0\r\na: " + strings.Repeat("b", 2<<20),
		"empty lines":     strings.Repeat("\r\n", 500_000) + "1\r\nx\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := record(t)
			c.exchange(0, get, head+body).close()
			k := c.open(1) // the same in small pieces
			k.say(0, get)
			k.say(1, head)
			for i := 0; i < min(len(body), 200_000); i += 3 {
				k.send(1, ack, body[i:min(i+3, len(body))])
			}
			k.close()
			run(t, bound{6 * time.Second, 100}, c.done())
		})
	}
}

func TestStorms(t *testing.T) {
	for name, words := range map[string][2]string{
		"requests without an answer":    {strings.Repeat(get, 100_000), ""},
		"answers without a request":     {"", strings.Repeat(empty, 100_000)},
		"interim answers":               {get, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100_000) + empty},
		"interim answers to nobody":     {"", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100_000)},
		"pipelined":                     {strings.Repeat(get, 100_000), strings.Repeat(empty, 100_000)},
		"HTTP/0.9":                      {strings.Repeat("GET /\r\n", 200_000), ""},
		"an endless answer":             {get, "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 60<<20)},
		"an endless answer in chunks":   {get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("400\r\n"+strings.Repeat("x", 1024)+"\r\n", 40_000)},
		"an endless compressed answer":  {get, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("x", 30<<20)},
		"nonsense":                      {strings.Repeat("\x01\x02\x03 nonsense", 400_000), ""},
		"nonsense behind a good answer": {get, empty + strings.Repeat("x\n", 2_000_000)},
		"methods":                       {strings.Repeat("GET ", 400_000), ""},
		"CONNECT":                       {"CONNECT a:1 HTTP/1.1\r\n\r\n" + strings.Repeat("\x16\x03\x01\x40\x00", 200_000), "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("\x16\x03\x01\x40\x00", 200_000)},
	} {
		t.Run(name, func(t *testing.T) {
			c := record(t)
			c.exchange(0, words[0], words[1]).close()
			run(t, bound{8 * time.Second, 110}, c.done())
		})
	}
}

// Pairs that stay on trial behind a gap, with bodies.
func TestTrials(t *testing.T) {
	c := record(t)
	for i := range 100 {
		k := c.open(i)
		k.say(0, get)
		k.next[0] += 100 // the capture missed something here
		for range 60 {
			k.say(0, get)
			k.say(1, "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n"+strings.Repeat("x", 20_000))
		}
	}
	run(t, bound{10 * time.Second, within(64)}, c.done(), "--memory", "64MiB")
}

// What has no end is looked at once and not again with each packet.
func TestDribbleWithoutEnd(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, words := range map[string][2]string{
		"target":      {"GET /", "b"},
		"method":      {"GET", "T"},
		"spaces":      {"GET ", " "},
		"field name":  {"GET / HTTP/1.1\r\n", "b"},
		"field value": {"GET / HTTP/1.1\r\na:", "b"},
		"fold":        {"GET / HTTP/1.1\r\na: b\r\n", " c\r\n"},
		"fields":      {"GET / HTTP/1.1\r\n", "a:\n"},
		"blank":       {"", "\r\n"},
		"CR":          {"", "\r"},
		"line of CR":  {"GET / HTTP/1.1", "\r"},
		"nothing":     {"", "x"},
		"lost":        {strings.Repeat("GET /b", 20_000), "GET /"},
		"status":      {"\x00HTTP/1.1 200", " "},
		"reason":      {"\x00HTTP/1.1 200 O", "K"},
		"blank head":  {"\x00", " "},
		"blank chunk": {"\x00" + chunked, "\r\n"},
		"chunk size":  {"\x00" + chunked, "0"},
		"extension":   {"\x00" + chunked + "1;", "e"},
		"next chunk":  {"\x00" + chunked + "1\r\nx\r\n", "\r\n"},
		"trailer":     {"\x00" + chunked + "0\r\na:", "b"},
		"no head":     {"\x00", "x"},
		"no length":   {"\x00HTTP/1.1 200 OK\r\n\r\n", "x"},
		"not chunked": {"\x00" + chunked + "x", "x"},
		"unasked":     {"\x01HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 ", " "},
	} {
		t.Run(name, func(t *testing.T) {
			c := record(t)
			k := c.open(0)
			from := 0
			begin := words[0]
			if strings.HasPrefix(begin, "\x00") {
				k.say(0, get)
			}
			if begin != "" && begin[0] < 2 {
				from, begin = 1, begin[1:]
			}
			k.say(from, begin)
			for i := range 100_000 {
				at := i % len(words[1])
				k.send(from, ack, words[1][at:at+1])
			}
			k.close()
			run(t, bound{3 * time.Second, 80}, c.done())
		})
	}
}
