package mask

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// window is how many bytes of a secret in a row are a leak.
const window = 8

// search finds secrets in whatever form they are written.
type search struct {
	windows map[string]int // → index of the secret
	begins  [1 << 16]bool  // of windows, two bytes
	all     []planted
	url     *strings.Replacer
}

func newSearch(all []planted) *search {
	s := &search{windows: map[string]int{}, all: all, url: strings.NewReplacer("-", "+", "_", "/")}
	for i, p := range all {
		for _, at := range []int{0, (len(p.core) - window) / 2, len(p.core) - window} {
			s.windows[p.core[at:at+window]] = i
			s.begins[int(p.core[at])<<8|int(p.core[at+1])] = true
		}
	}
	return s
}

// near tells whether what was found at data[i] is no coincidence: eight digits in
// a row may as well be a part of a time or a number.
func (p *planted) near(data []byte, i int) bool {
	if strings.Trim(p.core, "0123456789 -") != "" {
		return true
	}
	const more = window + 3
	around := data[max(i-more, 0):min(i+window+more, len(data))]
	for at := 0; at+more <= len(p.core); at++ {
		if bytes.Contains(around, []byte(p.core[at:at+more])) {
			return true
		}
	}
	return false
}

// in returns the secrets that data holds, each with how it was found.
func (s *search) in(data []byte) map[int]string {
	found := map[int]string{}
	s.look(data, "", 0, found)
	return found
}

// deepest bounds how many forms are undone one after the other.
const deepest = 4

func (s *search) look(data []byte, how string, depth int, found map[int]string) {
	for i := 0; i+window <= len(data); i++ {
		if !s.begins[int(data[i])<<8|int(data[i+1])] {
			continue
		}
		if k, ok := s.windows[string(data[i:i+window])]; ok && s.all[k].near(data, i) {
			if _, known := found[k]; !known {
				found[k] = how + " at " + strconv.Quote(string(data[max(0, i-60):min(len(data), i+30)]))
			}
		}
	}
	if depth == deepest || len(data) < window {
		return
	}
	for at := 0; ; at++ { // gzip anywhere in it
		k := bytes.Index(data[at:], []byte("\x1f\x8b\x08"))
		if k < 0 {
			break
		}
		at += k
		if r, err := gzip.NewReader(bytes.NewReader(data[at:])); err == nil {
			b, _ := io.ReadAll(io.LimitReader(r, 16<<20))
			s.look(b, how+" gunzip", depth+1, found)
		}
	}
	if k := bytes.Index(data, []byte("\x28\xb5\x2f\xfd")); k >= 0 {
		if r, err := zstd.NewReader(bytes.NewReader(data[k:])); err == nil {
			b, _ := io.ReadAll(io.LimitReader(r, 16<<20))
			r.Close()
			s.look(b, how+" unzstd", depth+1, found)
		}
	}
	if bytes.IndexByte(data, '%') >= 0 {
		if b := unpercent(data); !bytes.Equal(b, data) {
			s.look(b, how+" percent", depth+1, found)
		}
	}
	if bytes.IndexByte(data, '\\') >= 0 {
		if b := unescape(data); !bytes.Equal(b, data) {
			s.look(b, how+" unescape", depth+1, found)
		}
	}
	if bytes.IndexByte(data, 0) >= 0 {
		s.look(bytes.ReplaceAll(data, []byte{0}, nil), how+" narrow", depth+1, found)
	}
	for from, i := -1, 0; i <= len(data); i++ {
		if i < len(data) && base64Byte(data[i]) {
			if from < 0 {
				from = i
			}
			continue
		}
		if from < 0 || i-from < 12 {
			from = -1
			continue
		}
		text := s.url.Replace(string(data[from:i]))
		if from = -1; len(text)%4 == 1 {
			text = text[:len(text)-1]
		}
		if b, err := base64.RawStdEncoding.DecodeString(text); err == nil {
			s.look(b, how+" base64", depth+1, found)
		}
	}
}

func base64Byte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}

func unpercent(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		if data[i] == '%' && i+2 < len(data) {
			if n, err := strconv.ParseUint(string(data[i+1:i+3]), 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, data[i])
	}
	return out
}

func unescape(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		if data[i] == '\\' && i+1 < len(data) {
			i++
			if data[i] == 'u' && i+4 < len(data) {
				if n, err := strconv.ParseUint(string(data[i+1:i+5]), 16, 16); err == nil {
					out = append(out, string(rune(n))...)
					i += 4
					continue
				}
			}
		}
		out = append(out, data[i])
	}
	return out
}

// folder searches every file below dir. allowed tells which secrets a place may
// hold.
func (s *search) folder(t *testing.T, dir string) (leaks int) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for k, how := range s.in(data) {
			leaks++
			p := s.all[k]
			if leaks < 12 {
				t.Logf("%s holds the secret %s of %s %s (%s, damaged %v):%s", filepath.Base(path), p.core, p.kind, p.name, p.place, p.damaged, how)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Fatal("there is nothing to search")
	}
	return leaks
}

// TestSearchFinds: what finds nothing must be able to.
func TestSearchFinds(t *testing.T) {
	const core = "Abcdefgh23456789"
	s := newSearch([]planted{{kind: "header", core: core}})
	for name, text := range map[string]string{
		"raw": "x" + core, "first half": core[:8], "second half": core[8:], "base64": base64Of("some " + core), "url base64": strings.NewReplacer("+", "-", "/", "_").Replace(base64Of("??>>" + core)),
		"gzip": squeeze("gzip", core), "zstd": squeeze("zstd", core), "percent": "%41bcdefgh", "escape": `\u0041bcdefgh`, "escape in escape": `"{\"a\":\"\\u0041bcdefgh\"}"`,
		"gzip in base64": `"` + base64Of("ab"+squeeze("gzip", "{"+core)) + `"`, "utf-16": "A\x00b\x00c\x00d\x00e\x00f\x00g\x00h\x00", "base64 in gzip": squeeze("gzip", base64Of(core)),
	} {
		if len(s.in([]byte(text))) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
	if len(s.in([]byte("Abcdefg 23456 "+base64Of("something else")))) != 0 {
		t.Error("finds what is not there")
	}
}
