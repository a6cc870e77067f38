package hostile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/klauspost/compress/zstd"
)

// blocks is a pcapng file in the making.
type blocks struct{ b []byte }

func (f *blocks) add(kind uint32, body []byte) {
	le := binary.LittleEndian
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	f.b = le.AppendUint32(f.b, kind)
	f.b = le.AppendUint32(f.b, uint32(12+len(body)))
	f.b = append(f.b, body...)
	f.b = le.AppendUint32(f.b, uint32(12+len(body)))
}

func (f *blocks) section() {
	f.add(0x0a0d0d0a, []byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255})
}

func option(code uint16, value string) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, code)
	b = le.AppendUint16(b, uint16(len(value)))
	for b = append(b, value...); len(b)%4 != 0; {
		b = append(b, 0)
	}
	return b
}

func (f *blocks) iface(options ...[]byte) {
	b := []byte{1, 0, 0, 0, 0, 0, 4, 0}
	f.add(1, append(b, bytes.Join(options, nil)...))
}

func (f *blocks) packet(iface uint32, stamp uint64, frame []byte) {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, iface)
	b = le.AppendUint32(b, uint32(stamp>>32))
	b = le.AppendUint32(b, uint32(stamp))
	b = le.AppendUint32(b, uint32(len(frame)))
	b = le.AppendUint32(b, uint32(len(frame)))
	f.add(6, append(b, frame...))
}

func (f *blocks) save(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "hostile.pcapng")
	if err := os.WriteFile(path, f.b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// chat is a file of exchanges of a hundred conversations, n packets in all, with
// what before puts in front of each. Nothing of it needs to be held for long.
func chat(t *testing.T, n int, before func(f *blocks, i int) (iface uint32)) string {
	f, c := &blocks{}, record(t)
	f.section()
	f.iface(option(2, "eth0"))
	var seq [100][2]uint32
	words := [2]string{get, empty}
	for k := range seq { // from their beginning: who comes later is on trial
		f.packet(0, 0, c.ether(c.segment(client(k), server, 0, 0, syn, "")))
		f.packet(0, 0, c.ether(c.segment(server, client(k), 0, 1, syn|ack, "")))
	}
	for i := range n {
		k, from := i/2%len(seq), i%2
		at := [2]end{client(k), server}
		iface := before(f, i)
		f.packet(iface, uint64(i), c.ether(c.segment(at[from], at[1-from], 1+seq[k][from], 1+seq[k][1-from], ack, words[from])))
		seq[k][from] += uint32(len(words[from]))
	}
	return f.save(t)
}

func plain(*blocks, int) uint32 { return 0 }

// An interface takes its name and a few words, and the rest of what a file says
// of it nothing.
func TestManyInterfaces(t *testing.T) {
	const n = 30_000
	one := run(t, bound{4 * time.Second, 100}, chat(t, n, plain))
	many := run(t, bound{4 * time.Second, one.rss + n>>10}, chat(t, n, func(f *blocks, i int) uint32 {
		f.iface(option(2, strings.Repeat("i", 200)+strconv.Itoa(i)), option(1, strings.Repeat("comment", 200)))
		return uint32(i + 1)
	}))
	if one.lines != n/2 || many.lines != n/2 {
		t.Errorf("%d and %d lines of %d", one.lines, many.lines, n/2)
	}
}

// What a section said is over with the next: a file of a million takes the memory
// of one that is a single section.
func TestManySections(t *testing.T) {
	const n, each = 50_000, 20
	one := run(t, bound{8 * time.Second, 100}, chat(t, n, plain))
	many := run(t, bound{8 * time.Second, one.rss*5/4 + 8}, chat(t, n, func(f *blocks, _ int) uint32 {
		for range each {
			f.section()
			f.iface(option(2, "eth0"))
		}
		return 0
	}))
	if one.lines != n/2 || many.lines != n/2 {
		t.Errorf("%d and %d lines of %d", one.lines, many.lines, n/2)
	}
}

// Time stamps that no clock has.
func TestImpossibleTimes(t *testing.T) {
	f, c := &blocks{}, record(t)
	f.section()
	offset := func(n uint64) []byte { return option(14, string(binary.LittleEndian.AppendUint64(nil, n))) }
	for _, resolution := range []string{"\x00", "\x06", "\x09", "\x13", "\x80", "\xbf"} {
		for _, n := range []uint64{0, 1, math.MaxInt64, 1 << 63, math.MaxUint64} {
			f.iface(option(9, resolution), offset(n))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		k, from := i%500, r.IntN(2)
		at := [2]end{client(k), server}
		words := []string{get, empty}[from]
		f.packet(r.Uint32N(30), r.Uint64()>>r.IntN(64), c.ether(c.segment(at[from], at[1-from], uint32(r.IntN(4)*len(words)), uint32(r.IntN(4)*40), []byte{ack, syn, fin | ack, rst}[r.IntN(8)&r.IntN(4)], words)))
	}
	run(t, bound{4 * time.Second, 200}, f.save(t))
}

// What is wrong with a file is said, with exit code 1, and what came before it
// is told.
func TestBrokenFiles(t *testing.T) {
	le := binary.LittleEndian
	for name, spoil := range map[string]func(b []byte) []byte{
		"endless block": func(b []byte) []byte {
			return append(le.AppendUint32(le.AppendUint32(b, 6), math.MaxUint32&^3), make([]byte, 100)...)
		},
		"no length":       func(b []byte) []byte { return le.AppendUint32(le.AppendUint32(le.AppendUint32(b, 6), 0), 0) },
		"other length":    func(b []byte) []byte { b[len(b)-2] ^= 1; return b },
		"other interface": func(b []byte) []byte { f := blocks{b}; f.packet(7, 1, nil); return f.b },
		"more than held": func(b []byte) []byte {
			f := blocks{b}
			f.add(6, append(make([]byte, 12), 255, 255, 0, 0, 255, 255, 0, 0))
			return f.b
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, c := &blocks{}, record(t)
			f.section()
			f.iface()
			f.packet(0, 1, c.ether(c.segment(client(0), server, 1, 1, ack, get)))
			f.b = spoil(f.b)
			cmd := exec.Command(program, "capture", "-r", f.save(t), "--json")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if x, ok := err.(*exec.ExitError); !ok || x.ExitCode() != 1 {
				t.Errorf("%v, want exit code 1: %s", err, stderr.String())
			}
			if bytes.Count(out, []byte("\n")) != 1 && name != "other length" {
				t.Errorf("%d lines, want the one before the damage:\n%s", bytes.Count(out, []byte("\n")), stderr.String())
			}
			if strings.Contains(stderr.String(), "do not add up") || strings.Contains(stderr.String(), "panic") {
				t.Error(stderr.String())
			}
		})
	}
}

// Captures that are small as long as nobody unpacks them.
func TestPackedFiles(t *testing.T) {
	for name, pack := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
	} {
		t.Run(name, func(t *testing.T) {
			c := record(t)
			begin, err := os.ReadFile(c.done())
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "bomb")
			file, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			z := pack(file)
			z.Write(begin)
			for range 64 { // packets without a byte, from 1970
				z.Write(make([]byte, 1<<20))
			}
			z.Close()
			file.Close()
			run(t, bound{6 * time.Second, 80}, path)
		})
	}
}

// Nothing that came from the network, or from a file, moves the cursor.
func TestTerminal(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;owned\x07\u202e\u009b31m\x9b\b\x7f"
	f, c := &blocks{}, record(t)
	f.section()
	f.iface(option(2, "eth\x1b[31m\u202e\n0"))
	seq := [2]uint32{1, 1}
	say := func(from int, words string) {
		at := [2]end{client(0), server}
		f.packet(0, uint64(len(f.b)), c.ether(c.segment(at[from], at[1-from], seq[from], seq[1-from], ack, words)))
		seq[from] += uint32(len(words))
	}
	f.packet(0, 1, c.ether(c.segment(client(0), server, 0, 0, syn, "")))
	f.packet(0, 2, c.ether(c.segment(server, client(0), 0, 1, syn|ack, "")))
	for range 3 {
		say(0, "GET /\u202e\u009b31m\x9b?a=\u009b HTTP/1.1\r\nHost: "+evil+"\r\nX"+evil+": y\r\nAuthorization: Basic c2VjcmV0OnNlY3JldA==\r\nContent-Length: 40\r\n\r\n")
		say(0, (evil + strings.Repeat("b", 40))[:40])
		say(1, "HTTP/1.1 200 "+evil+"\r\nContent-Type: "+evil+"\r\nContent-Length: 40\r\n\r\n")
		say(1, (evil + strings.Repeat("b", 40))[:40])
	}
	say(0, "\x1b[31mG "+evil+"password=hunter2\r\n")
	seq[0] += 1000
	say(0, evil)
	// a ClientHello whose server name is not nice
	name := "a\x1b[31m.b\x07\u202e"
	u16 := func(s string) string { return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s }
	hello := "\x03\x03" + strings.Repeat("r", 32) + "\x00" + u16("\x13\x01") + "\x01\x00" + u16("\x00\x00"+u16(u16("\x00"+u16(name))))
	tls := "\x16\x03\x01" + u16("\x01\x00"+u16(hello))
	f.packet(0, 1<<30, c.ether(c.segment(client(1), end{server.ip, 443}, 1, 1, ack, tls)))
	dir := t.TempDir()
	path := filepath.Join(dir, "a\x1b[31m\u202e.pcapng")
	if err := os.WriteFile(path, append(f.b, 1, 2, 3), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--format", "line"}, {"--format", "line", "-v"}, {"--format", "line", "--unit", "message"}, {"--format", "line", "--unit", "flow"},
		{"--json"}, {"--json", "--log-format", "json"}, {"-r", path + "none"}} {
		cmd := exec.Command(program, append([]string{"capture", "-r", path, "--color", "never", "--log-level", "debug"}, args...)...)
		var out, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &stderr
		cmd.Run()
		for where, text := range map[string]string{"output": out.String(), "messages": stderr.String()} {
			if strings.ContainsFunc(text, func(r rune) bool {
				return r != '\n' && unicode.IsControl(r) && (r != 0x7f || args[0] != "--json") || r == '\u202e' && args[0] != "--json"
			}) {
				t.Errorf("%v: the %s hold what a terminal obeys:\n%.600q", args, where, text)
			}
			if strings.Contains(text, "c2VjcmV0") || where == "messages" && strings.Contains(text, "hunter2") {
				t.Errorf("%v: the %s hold a secret:\n%.600q", args, where, text)
			}
		}
		if n := strings.Count(out.String(), "GET"); args[0] != "-r" && args[len(args)-1] != "flow" && n < 3 {
			t.Errorf("%v: %d requests, want 3:\n%.600s%.600s", args, n, out.String(), stderr.String())
		}
	}
}
