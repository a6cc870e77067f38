package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/source/netnstest"
)

// The only user there is in a namespace of one's own is root.
const nginxConfig = `daemon off; user root; master_process off; worker_processes 1; error_log stderr warn; pid %[1]s/pid;
events { worker_connections 256; }
http {
	access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	default_type text/plain; gzip on; gzip_min_length 1; gzip_types text/plain; client_max_body_size 8m;
	server {
		listen %[2]s:8080; root %[1]s/root; keepalive_requests 100000000; keepalive_timeout 600s;
		location /v1/ { return 200 "%[3]s"; }
		location = /created { return 201 "made\n"; }
		location /proxy/ { proxy_pass http://127.0.0.1:8081/; proxy_buffering off; }
	}
	server { listen 127.0.0.1:8081; root %[1]s/root; }
}`

// serve runs nginx, in s or here, and returns when it listens.
func serve(t testing.TB, s *netnstest.Space, address string) (root string) {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		if nginx = "/usr/sbin/nginx"; !exists(nginx) {
			t.Skip("nginx is not installed")
		}
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	dir := t.TempDir()
	root = filepath.Join(dir, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, address, strings.Repeat("0123456789abcde ", 94)), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(nginx, "-e", "stderr", "-p", dir, "-c", config)
	if s != nil {
		c = s.Command(nginx, "-e", "stderr", "-p", dir, "-c", config)
	}
	var words bytes.Buffer
	c.Stderr = &words
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	for range 600 {
		if conn, err := net.DialTimeout("tcp", address+":8080", time.Second); err == nil {
			conn.Close()
			return root
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nginx does not listen: %s", words.String())
	return ""
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func curl(t *testing.T, args ...string) {
	t.Helper()
	c := exec.Command("curl", append([]string{"-sS", "--noproxy", "*", "--max-time", "60"}, args...)...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("curl %s: %v\n%.300s", strings.Join(args, " "), err, out)
	}
}

// TestNginx watches curl and nginx on two machines from the client's card.
func TestNginx(t *testing.T) {
	s := netnstest.New(t)
	netnstest.Veth(t, "c0", "10.9.0.1/24", s, "s0", "10.9.0.2/24")
	root := serve(t, s, "10.9.0.2")
	small, large := "hello world\n", strings.Repeat("0123456789abcdef", 1<<15) // 512 KiB
	for name, text := range map[string]string{"small.txt": small, "large.txt": large, "large.bin": large} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	upload := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(upload, []byte(large), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, "-i", "c0", "-p", "8080", "--json")
	const at = "http://10.9.0.2:8080"
	curl(t, at+"/small.txt", at+"/small.txt", at+"/missing", "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null")
	curl(t, "-I", at+"/large.bin")
	curl(t, "-u", "user:word", "-b", "session=s3cret", at+"/created")
	curl(t, "--compressed", "-o", "/dev/null", at+"/large.txt")
	curl(t, "-o", "/dev/null", "-r", "10-19", at+"/large.bin")
	curl(t, "-H", "Expect: 100-continue", "--data-binary", "@"+upload, "-o", "/dev/null", at+"/proxy/upload")
	curl(t, "-H", "Transfer-Encoding: chunked", "--data-binary", "@"+upload, "-o", "/dev/null", at+"/proxy/chunked")
	curl(t, "-o", "/dev/null", at+"/proxy/large.txt")
	got := c.stop()

	var names []string
	for _, r := range got {
		names = append(names, r.String())
		if !r.Integrity.Complete {
			t.Errorf("not whole: %v", r)
		}
	}
	n := len(large)
	page := func(status int) int { // the size of nginx's own pages differs by version
		i := slices.IndexFunc(got, func(r record) bool { return r.Response != nil && r.Response.Status == status })
		if i < 0 {
			return -1
		}
		return got[i].Response.BodySize
	}
	want := []string{
		"GET /small.txt 0: 200 12", "GET /small.txt 0: 200 12", fmt.Sprintf("GET /missing 0: 404 %d", page(404)),
		"HEAD /large.bin 0: 200 0", "GET /created 0: 201 5",
		fmt.Sprintf("GET /large.txt 0: 200 %d", n), "GET /large.bin 0: 206 10",
		fmt.Sprintf("POST /proxy/upload %d: 404 %d", n, page(404)), fmt.Sprintf("POST /proxy/chunked %d: 404 %d", n, page(404)),
		fmt.Sprintf("GET /proxy/large.txt 0: 200 %d", n),
	}
	if d := cmp.Diff(want, names); d != "" {
		t.Fatalf("%s\n%s", d, c.words.String())
	}
	if got[0].Response.Body != small || got[5].Response.Body != large || got[7].Request.Body != large || got[8].Request.Body != large || got[9].Response.Body != large {
		t.Error("a body differs")
	}
	if w := got[5].Response.BodyWireSize; w == 0 || w >= n {
		t.Errorf("%d bytes compressed", w)
	}
	if h := got[4].Request.Headers; h["authorization"][0] != "[REDACTED]" || h["cookie"][0] != "[REDACTED]" || strings.Contains(c.out.String(), "s3cret") {
		t.Errorf("not masked: %v", h)
	}
	if got[0].Source != "c0" || got[0].Server.IP != "10.9.0.2" || got[0].Server.Port != 8080 {
		t.Errorf("%+v", got[0])
	}
}

// TestLoopbackOnce sees what stays on the machine once, by name and with any.
func TestLoopbackOnce(t *testing.T) {
	netnstest.Need(t)
	root := serve(t, nil, "127.0.0.1")
	if err := os.WriteFile(filepath.Join(root, "x"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lo", "any"} {
		t.Run(name, func(t *testing.T) {
			c := start(t, "-i", name, "-p", "8080", "--json", "tcp")
			for range 10 {
				curl(t, "-o", "/dev/null", "http://127.0.0.1:8080/x")
			}
			if got := c.stop(); len(got) != 10 {
				t.Errorf("%d records\n%s", len(got), c.words.String())
			}
		})
	}
}

// TestNoRight is refused with the cure, and an own exit code.
func TestNoRight(t *testing.T) {
	netnstest.Need(t)
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("setpriv is not installed")
	}
	out, err := exec.Command("setpriv", "--bounding-set=-net_raw", "--inh-caps=-all", program, "capture", "-i", "lo").CombinedOutput()
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 3 {
		t.Errorf("%v", err)
	}
	if !strings.Contains(string(out), "setcap cap_net_raw+ep") {
		t.Errorf("%s", out)
	}
}
