package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker for a release; otherwise the build information
// tells it.
var version string

func newVersion(p *process) *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Print version, commit and platform",
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(*cobra.Command, []string) error { return tellVersion(p.stdout) },
	}
}

func tellVersion(w io.Writer) error {
	name, commit := versionOf(debug.ReadBuildInfo())
	if commit != "" {
		name += " (" + commit + ")"
	}
	_, err := fmt.Fprintf(w, "passiflow %s %s/%s %s\n", name, runtime.GOOS, runtime.GOARCH, runtime.Version())
	if err != nil {
		return &exit{exitRun, err}
	}
	return nil
}

// versionText returns the version alone.
func versionText() string {
	name, _ := versionOf(debug.ReadBuildInfo())
	return name
}

// versionOf returns the version and, if the build knows it, the commit.
func versionOf(b *debug.BuildInfo, ok bool) (name, commit string) {
	name = version
	if !ok {
		return cmp.Or(name, "unknown"), ""
	}
	if name == "" {
		name = b.Main.Version
	}
	dirty := ""
	for _, s := range b.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = ", modified"
		}
	}
	if commit != "" {
		commit += dirty
	}
	return name, commit
}
