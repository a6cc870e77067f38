package mask

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestResurfaceRulesHold has no rules of ours, but Resurface's own set strict,
// which leaves the path, and one that takes it away: of what was planted,
// nothing is sent, logged or put on disk for a database that is away.
func TestResurfaceRulesHold(t *testing.T) {
	g := newGarden(11)
	in, dir := t.TempDir(), t.TempDir()
	pcap := filepath.Join(in, "a.pcap")
	write(t, pcap, g.traffic(100))
	ok := receive(t, filepath.Join(dir, "received"), 204)
	down := receive(t, filepath.Join(dir, "refused"), 503)
	conf := filepath.Join(in, "conf.yaml")
	const strict = `, logging_rules: "include strict\n%request_url% replace !(http://[^/]*).*!, !$1!\nallow_http_url\nskip_compression"`
	write(t, conf, fmt.Appendf(nil, "sinks:\n  - {kind: resurface, url: %q%s}\n  - {kind: resurface, url: %q%s, spool: {directory: %q}}\n", ok.URL+"/message", strict, down.URL+"/message", strict, filepath.Join(dir, "spool")))
	c := exec.Command(program, "capture", "-r", pcap, "--config", conf, "--log-level", "debug", "--shutdown-grace", "1s")
	c.Env = environment()
	var words bytes.Buffer
	c.Stderr = &words
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(time.Minute, func() { _ = c.Process.Signal(syscall.SIGTERM) })
	_ = c.Wait() // with one of them away it need not end well
	stop.Stop()
	write(t, filepath.Join(dir, "words"), words.Bytes())

	s := newSearch(g.all)
	if n := s.folder(t, dir); n > 0 {
		t.Errorf("%d of %d secrets leaked", n, len(g.all))
	}
	kept := 0
	segments, err := filepath.Glob(filepath.Join(dir, "spool", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range segments {
		kept += bytes.Count(read(t, name), []byte("request_url"))
	}
	sent := bytes.Count(read(t, filepath.Join(dir, "received")), []byte("request_url"))
	if sent < 50 || kept != sent {
		t.Errorf("%d messages sent, %d kept on disk\n%s", sent, kept, words.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "refused")); err != nil {
		t.Errorf("the database that is away was never asked: %v", err)
	}
}
