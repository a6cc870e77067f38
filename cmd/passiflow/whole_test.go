package main

import (
	"os"
	"testing"
)

// BenchmarkWhole is the program over the capture that PASSIFLOW_CAPTURE names,
// from its arguments to its records. Its profile is what the compiler is told
// of where the time goes: `make profile`.
func BenchmarkWhole(b *testing.B) {
	path := os.Getenv("PASSIFLOW_CAPTURE")
	if path == "" {
		b.Skip("PASSIFLOW_CAPTURE names no capture")
	}
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer nowhere.Close()
	for _, c := range []struct{ name, bodies string }{{"heads", "0"}, {"bodies", "1MiB"}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				root := newRoot(&process{stdin: os.Stdin, stdout: nowhere, stderr: nowhere})
				root.SetArgs([]string{"capture", "-r", path, "--json", "--body-limit", c.bodies})
				if err := root.ExecuteContext(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
