package builtin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/builtin"
)

// TestOptions holds that a setting has one name and one type wherever it is
// found, and that the sink's README knows it.
func TestOptions(t *testing.T) {
	types := map[string]string{}
	for _, k := range builtin.Sinks() {
		readme, err := os.ReadFile(filepath.Join("..", "sink", k.Name, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range k.New().Options {
			kind := fmt.Sprintf("%T", o.To)
			if was := types[o.Name]; was != "" && was != kind {
				t.Errorf("%s: %s is a %s here and a %s elsewhere", k.Name, o.Name, kind, was)
			}
			types[o.Name] = kind
			if o.Usage == "" || strings.HasSuffix(o.Usage, ".") {
				t.Errorf("%s: %s: usage %q", k.Name, o.Name, o.Usage)
			}
			if !strings.Contains(string(readme), "`"+o.Name+"`") {
				t.Errorf("the README of %s does not tell %s", k.Name, o.Name)
			}
		}
	}
}
