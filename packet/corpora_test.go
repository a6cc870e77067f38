package packet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"github.com/passiflow/passiflow/source/pcapfile"
)

// tally is what a capture holds of one conversation.
type tally struct {
	proto string
	a, b  netip.AddrPort
}

type counts struct{ ab, ba int }

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// tallies reads a capture to its end and sums the captured payload bytes
// of each conversation.
func tallies(t *testing.T, path string) (map[tally]counts, [packet.Reasons]int) {
	t.Helper()
	var reasons [packet.Reasons]int
	out := make(map[tally]counts)
	src, err := pcapfile.Open(pcapfile.Config{Paths: []string{path}})
	if err != nil {
		t.Logf("%s: %v", path, err)
		return out, reasons
	}
	defer src.Close()
	ps := packet.NewParser(packet.DefaultConfig())
	var batch [source.Batch]packet.Packet
	for {
		n, err := src.Read(batch[:])
		for i := range batch[:n] {
			p := &batch[i]
			r := ps.Parse(p)
			reasons[r]++
			if r != packet.OK {
				if os.Getenv("PASSIFLOW_SHOW") != "" {
					t.Logf("%v link %d of %d: %x", r, p.Link, p.Length, p.Data[:min(len(p.Data), 90)])
				}
				continue
			}
			if os.Getenv("PASSIFLOW_SHOW") != "" {
				t.Logf("%v %v > %v %v %d+%d %s", p.Proto, p.Src, p.Dst, p.Tunnel, len(p.Payload), p.Missing, p.Time.Time().Format("05.000000"))
			}
			k, back := tally{p.Proto.String(), unmap(p.Src), unmap(p.Dst)}, false
			if c := k.a.Addr().Compare(k.b.Addr()); c > 0 || c == 0 && k.a.Port() > k.b.Port() {
				k.a, k.b, back = k.b, k.a, true
			}
			c := out[k]
			if back {
				c.ba += len(p.Payload)
			} else {
				c.ab += len(p.Payload)
			}
			out[k] = c
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Logf("%s: %v", path, err)
			}
			return out, reasons
		}
	}
}

// TestCorpora compares what decapsulation finds with what two oracles agree on,
// over the captures of other projects. PASSIFLOW_ONLY names a part of a path.
func TestCorpora(t *testing.T) {
	root := os.Getenv("PASSIFLOW_SHARED")
	if root == "" {
		t.Skip("PASSIFLOW_SHARED is not set")
	}
	root = filepath.Join(root, "corpora")
	var manifest struct {
		Entries []struct {
			File, Category, Truth string
			Counts                map[string]int
		}
	}
	b, err := os.ReadFile(filepath.Join(root, "MANIFEST.json"))
	if err == nil {
		err = json.Unmarshal(b, &manifest)
	}
	if err != nil {
		t.Fatal(err)
	}
	matched, required, extra := map[string]int{}, map[string]int{}, map[string]int{}
	for _, e := range manifest.Entries {
		if !strings.Contains(e.File, os.Getenv("PASSIFLOW_ONLY")) {
			continue
		}
		got, reasons := tallies(t, filepath.Join(root, e.File))
		if e.Category == "robust" {
			continue
		}
		var truth struct {
			Flows []struct {
				Proto, A, B, Confidence string
				Ab                      int `json:"bytes_ab"`
				Ba                      int `json:"bytes_ba"`
			}
			Other [][]any `json:"flows_only_pydecap"`
		}
		b, err := os.ReadFile(filepath.Join(root, e.Truth))
		if err == nil {
			err = json.Unmarshal(b, &truth)
		}
		if err != nil {
			t.Fatal(err)
		}
		var bad []string
		known := make(map[tally]bool)
		for _, f := range truth.Flows {
			k, back := tally{f.Proto, endpoint(f.A), endpoint(f.B)}, false
			if c := k.a.Addr().Compare(k.b.Addr()); c > 0 || c == 0 && k.a.Port() > k.b.Port() {
				k.a, k.b, back = k.b, k.a, true
			}
			want := counts{f.Ab, f.Ba}
			if back {
				want = counts{f.Ba, f.Ab}
			}
			known[k] = true
			if f.Confidence != "agreed" {
				continue
			}
			required[e.Category]++
			if have, ok := got[k]; ok && have == want {
				matched[e.Category]++
			} else {
				bad = append(bad, fmt.Sprintf("%v: have %v (%v) want %v", k, have, ok, want))
			}
		}
		for _, o := range truth.Other {
			known[other(o)] = true
		}
		for k, c := range got {
			if !known[k] && k.proto != "sctp" {
				extra[e.Category]++
				bad = append(bad, fmt.Sprintf("%v: extra %v", k, c))
			}
		}
		if len(bad) > 0 {
			slices.Sort(bad)
			t.Logf("%s [%s] %v\n\t%s", e.File, e.Category, reasons, strings.Join(bad[:min(len(bad), 8)], "\n\t"))
		}
	}
	var m, q int
	for c := range required {
		t.Logf("%-14s %4d of %4d, %d extra", c, matched[c], required[c], extra[c])
		m, q = m+matched[c], q+required[c]+extra[c]
	}
	if q > 0 && float64(m) < 0.97*float64(q) {
		t.Errorf("%d of %d", m, q)
	}
}

func endpoint(s string) netip.AddrPort {
	if i := strings.LastIndexByte(s, ':'); i > 0 && strings.Count(s, ":") > 1 && s[0] != '[' {
		s = "[" + s[:i] + "]" + s[i:]
	}
	a, _ := netip.ParseAddrPort(s)
	return unmap(a)
}

// other reads a conversation of one oracle alone: protocol, address, port,
// address, port.
func other(o []any) tally {
	a := endpoint(fmt.Sprintf("[%v]:%v", o[1], o[2]))
	b := endpoint(fmt.Sprintf("[%v]:%v", o[3], o[4]))
	if s := fmt.Sprint(o[1]); !strings.Contains(s, ":") {
		a, b = endpoint(fmt.Sprintf("%v:%v", o[1], o[2])), endpoint(fmt.Sprintf("%v:%v", o[3], o[4]))
	}
	if c := a.Addr().Compare(b.Addr()); c > 0 || c == 0 && a.Port() > b.Port() {
		a, b = b, a
	}
	return tally{fmt.Sprint(o[0]), a, b}
}
