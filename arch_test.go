package passiflow_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/passiflow/passiflow"

// floors lists the packages from the ground up. A package imports only lower
// floors, never a neighbour. A name that ends in /* stands for the packages
// below that folder.
var floors = [][]string{
	{"packet", "source/filter", "web"},
	{"source", "flow"},
	{"message"},
	{"protocol", "rule", "format", "sink"},
	{"source/*", "protocol/*", "sink/*", "format/*"},
	{".", "mirror"},
	{"builtin", "internal/wasm"},
	{"internal/*"},
	{"cmd/*", "test/*"},
}

func floorOf(pkg string) int {
	best, length := -1, -1
	for i, names := range floors {
		for _, n := range names {
			base, open := strings.CutSuffix(n, "/*")
			switch {
			case n == pkg:
				return i
			case open && strings.HasPrefix(pkg, base+"/") && len(base) > length:
				best, length = i, len(base)
			}
		}
	}
	return best
}

func eachFile(t *testing.T, visit func(pkg, path string, src []byte)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); path != "." && (strings.HasPrefix(n, ".") || n == "testdata" || n == "node_modules" || n == "dist") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(filepath.Dir(path)), path, src)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// kit tells whether a package only serves tests; such a package may import its
// neighbours.
func kit(pkg string) bool { return strings.HasSuffix(pkg, "test") }

func TestImportOrderIsDataOrder(t *testing.T) {
	eachFile(t, func(pkg, path string, src []byte) {
		if strings.HasSuffix(path, "_test.go") || kit(pkg) {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		from := floorOf(pkg)
		if from < 0 {
			t.Errorf("%s: package %s stands on no floor", path, pkg)
		}
		for _, im := range f.Imports {
			name, _ := strconv.Unquote(im.Path.Value)
			if name == "C" && !strings.Contains(string(src), "//go:build") {
				t.Errorf("%s: cgo outside a build tag", path)
			}
			rel, ok := strings.CutPrefix(name, module)
			if !ok {
				continue
			}
			rel = strings.TrimPrefix(rel, "/")
			if rel == "" {
				rel = "."
			}
			if to := floorOf(rel); to >= from && !(from == len(floors)-2 && to == from) && !strings.HasPrefix(rel, pkg+"/") {
				t.Errorf("%s: %s (floor %d) imports %s (floor %d)", path, pkg, from, rel, to)
			}
		}
	})
}

func TestFilesStaySmall(t *testing.T) {
	eachFile(t, func(_, path string, src []byte) {
		if n := strings.Count(string(src), "\n"); n > 600 {
			t.Errorf("%s: %d lines, at most 600", path, n)
		}
	})
}

func TestNoInitAndNoPanic(t *testing.T) {
	eachFile(t, func(pkg, path string, src []byte) {
		if strings.HasSuffix(path, "_test.go") || kit(pkg) || strings.Contains("\n"+string(src), "\npackage main\n") {
			return
		}
		for i, line := range strings.Split(string(src), "\n") {
			for _, bad := range []string{"func init()", "\tpanic(", "log.Fatal", "os.Exit("} {
				if strings.HasPrefix(line, bad) || (bad[0] != 'f' && strings.Contains(line, bad)) {
					t.Errorf("%s:%d: %s", path, i+1, strings.TrimSpace(line))
				}
			}
		}
	})
}
