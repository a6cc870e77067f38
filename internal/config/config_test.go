package config_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/internal/config"
)

var update = flag.Bool("update", false, "write the reference anew")

func load(t *testing.T, file string) (config.Config, *config.Loader, error) {
	t.Helper()
	c := config.DefaultConfig()
	l := config.NewLoader(&c)
	l.File("x.yaml", []byte(file))
	return c, l, l.Done()
}

func TestTheReferenceIsTheDefault(t *testing.T) {
	var b bytes.Buffer
	if err := config.WriteReference(&b); err != nil {
		t.Fatal(err)
	}
	got, l, err := load(t, b.String())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(config.DefaultConfig(), got); d != "" {
		t.Error(d)
	}
	for _, s := range got.Settings() {
		if l.Origin(s.Path).Name == "" {
			t.Errorf("%s is not in the reference", s.Path)
		}
		if s.Usage == "" || strings.HasSuffix(s.Usage, ".") {
			t.Errorf("%s: usage %q", s.Path, s.Usage)
		}
	}
	name := filepath.Join("..", "..", "docs", "reference", "config.yaml")
	if *update {
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(kept), b.String()); d != "" {
		t.Errorf("run make docs: %s", d)
	}
}

func TestTheEffectiveFileLoads(t *testing.T) {
	want, l, err := load(t, "capture:\n  listen: [\"vxlan://:4789\", geneve://]\n  vni_allow: [1, 5-9]\n  filter: 'a \"b\" tcp[13] & 2 != 0'\nflow: {sample: 0.125, memory: 100MB}\nhttp: {answer_wait: 90m}\n")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := l.WriteEffective(&b); err != nil {
		t.Fatal(err)
	}
	got, _, err := load(t, b.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if want.Flow.Sample != 0.125 || want.HTTP.AnswerWait != 90*time.Minute || want.Flow.Memory != 100e6 {
		t.Errorf("read %+v", want)
	}
}

func TestNamesAreUnique(t *testing.T) {
	c := config.DefaultConfig()
	seen := map[string]string{}
	for _, s := range c.Settings() {
		for _, n := range []string{s.Path, "--" + s.Flag, "-" + s.Short, s.Env()} {
			if n == "-" || n == "--" {
				continue
			}
			if seen[n] != "" {
				t.Errorf("%s stands for %s and %s", n, seen[n], s.Path)
			}
			seen[n] = s.Path
		}
	}
}

func TestSize(t *testing.T) {
	for _, c := range []struct {
		in   string
		unit int64
		want int64 // -1: an error
	}{
		{"0", 1, 0}, {"512", 1, 512}, {"4096", 1024, 4 << 20}, {"1MiB", 1, 1 << 20}, {"1mib", 1024, 1 << 20}, {"1.5k", 1, 1536},
		{"10MB", 1, 10e6}, {" 2 GiB ", 1, 2 << 30}, {"7B", 1024, 7}, {"3kB", 1, 3000},
		{"", 1, -1}, {"MiB", 1, -1}, {"-1", 1, -1}, {"1e400", 1, -1}, {"NaN", 1, -1}, {"Inf", 1, -1}, {"9223372036854775807KiB", 1, -1},
		{"99999999999999999999", 1, -1}, {"1 MiB x", 1, -1}, {"-0.5M", 1, -1},
	} {
		got, err := config.ParseSize(c.in, c.unit)
		if err != nil {
			got = -1
		}
		if got != c.want {
			t.Errorf("ParseSize(%q, %d) = %d, %v; want %d", c.in, c.unit, got, err, c.want)
		}
		if err == nil {
			if again, err := config.ParseSize(config.FormatSize(got), 1); err != nil || again != got {
				t.Errorf("%d is written %q and read %d, %v", got, config.FormatSize(got), again, err)
			}
		}
	}
}

func TestListen(t *testing.T) {
	for in, want := range map[string]string{
		"vxlan://:4789": ":4789", "vxlan://": ":4789", "geneve://": ":6081", "vxlan://0.0.0.0:99": "0.0.0.0:99",
		"vxlan://10.0.0.1": "10.0.0.1:4789", "geneve://[::1]:7": "[::1]:7", "geneve://[::1]": "[::1]:6081", "geneve://::1": "[::1]:6081", "vxlan://:4789/": ":4789",
	} {
		if l, err := config.ParseListen(in); err != nil || l.Address != want {
			t.Errorf("ParseListen(%q) = %v, %v; want %s", in, l, err, want)
		}
	}
	for _, in := range []string{"", "vxlan", ":4789", "gre://:1", "vxlan://:x", "vxlan://:99999", "vxlan://host:4789", "vxlan://:123456"} {
		if l, err := config.ParseListen(in); err == nil {
			t.Errorf("ParseListen(%q) = %v", in, l)
		}
	}
}

func TestHostileFiles(t *testing.T) {
	for _, file := range []string{
		"[]", "a", "- x", "capture: [1]", "capture: {ports: {a: b}}", "capture: {ports: [[1]]}", "? [a]\n: b", "<<: {capture: {count: 1}}",
		"capture: &a {count: 1}\nflow: *a", "a: &a [*a]", "capture: {workers: &x 99999999999999999999}", "capture: {snaplen: !!binary aGk=}",
		"capture: {follow: \"y\"}", "%TAG", "\x00", "capture: {count: 1.5}",
	} {
		if _, _, err := load(t, file); err == nil {
			t.Errorf("%q was taken", file)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add("capture:\n  ports: [80, 8000-8080]\nhttp: {body_limit: 1MiB}\n")
	f.Add("a: &a [*a, *a]")
	f.Add("capture: {interface: eth0, listen: ['vxlan://:4789']}\nflow: {sample: 10%}")
	f.Fuzz(func(t *testing.T, file string) {
		want, l, err := load(t, file)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a word")
			}
			return
		}
		var b bytes.Buffer
		if err := l.WriteEffective(&b); err != nil {
			t.Fatal(err)
		}
		got, _, err := load(t, b.String())
		if err != nil {
			t.Fatalf("written anew it does not load: %v\n%s", err, b.String())
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}
