package mask

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	pt "github.com/passiflow/passiflow/packet/packettest"
)

// pathSecret plants one where nobody can name it: between the slashes of a path.
func (g *garden) pathSecret() string {
	const lower, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
	core := ""
	switch g.r.IntN(6) {
	case 0:
		core = hex.EncodeToString([]byte(g.letters(alphabet, 16)))
	case 1:
		h := hex.EncodeToString([]byte(g.letters(alphabet, 16)))
		core = h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	case 2:
		core = strings.TrimRight(base64Of(g.letters(alphabet, 18)), "=")
	case 3:
		core = g.letters(alphabet, 16) + "7"
	case 4:
		core = g.letters(lower, 24)
	case 5:
		core = g.letters(digits, 12)
	}
	g.all = append(g.all, planted{kind: "path", core: core, place: "path"})
	return core
}

// routes is traffic whose secrets are in paths and hosts.
func (g *garden) routes(conversations int) []byte {
	tape := pt.NewTape()
	for i := range conversations {
		k := g.begin(tape, 20_000+i)
		for range 3 {
			host := "shop.example"
			path := pick(g, "/orders/%s/lines", "/hooks/%s", "/reset/%s?x=1", "http://shop.example/a/%s/b", "/files/%s.pdf", "/%s", "/x/"+strings.Repeat("y/", 3)+"%s", "/s/%s;v=1", "/v1/%s:cancel", "/"+strings.Repeat("long/", 37)+"%s")
			path = fmt.Sprintf(path, strings.ReplaceAll(g.pathSecret(), "/", "_"))
			if g.r.IntN(4) == 0 {
				s := g.letters("abcdefghijklmnopqrstuvwxyz0123456789", 20)
				g.all = append(g.all, planted{kind: "host", core: s, place: "host"})
				host = s + ".hooks.example"
			}
			if g.r.IntN(6) == 0 {
				s := g.letters(alphabet, 16)
				g.all = append(g.all, planted{kind: "user", core: s, place: "host"})
				host = "user:" + s + "@" + host
			}
			method := pick(g, http.MethodGet, http.MethodPut)
			k.say(0, method+" "+path+" HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 0\r\n\r\n", false)
			k.say(1, "HTTP/1.1 204 No Content\r\n\r\n", false)
		}
		k.close()
	}
	return tape.Bytes()
}

// TestNoSecretInRoutes: masks go by names, and a part of a path has none. That
// is told in records, which is known and documented; metrics, whose labels are
// kept for months and shown to many, tell words alone.
func TestNoSecretInRoutes(t *testing.T) {
	g := newGarden(11)
	in, dir, clear := t.TempDir(), t.TempDir(), t.TempDir()
	pcap := filepath.Join(in, "a.pcap")
	write(t, pcap, g.routes(60))
	metrics(t, dir, []string{"capture", "-r", pcap, "--follow", "-q", "--log-level", "debug"})
	s := newSearch(g.all)
	if n := s.folder(t, dir); n > 0 {
		t.Errorf("%d of %d secrets are in the metrics", n, len(g.all))
	}
	page := read(t, filepath.Join(dir, "metrics"))
	for _, want := range []string{`route="/orders/{id}/lines",service="shop.example"`, `route="/v1/{id}"`, `service="{id}.hooks.example"`, `route="/hooks/{id}"`} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	capture(t, clear, "json", 0, "capture", "-r", pcap, "--json")
	found, nameless, told := s.in(read(t, filepath.Join(clear, "json.out"))), 0, 0
	for i, p := range g.all {
		_, ok := found[i]
		switch {
		case p.kind != "user":
			if nameless++; ok {
				told++
			}
		case ok:
			t.Errorf("the password %s of a host is in the records", p.core)
		}
	}
	if told*10 < nameless*9 {
		t.Errorf("of %d secrets %d are in the records: the search finds little", nameless, told)
	}
}
