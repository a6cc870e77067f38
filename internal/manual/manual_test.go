package manual_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/passiflow/passiflow/internal/manual"
)

func tree() *cobra.Command {
	root := &cobra.Command{Use: "top", Short: "Do things"}
	sub := &cobra.Command{
		Use: "sub [flags]", Short: "Do a thing", Run: func(*cobra.Command, []string) {},
		Long:    "First line.\n.TH is no request here\n'nor this\n\n  indented \\ text\n\nLast.",
		Example: "  top sub --level 3\n  .hidden",
	}
	sub.Flags().StringP("level", "l", "low", "how much")
	sub.Flags().Bool("quick", false, "be quick")
	sub.Flags().Bool("secret", false, "not to be told")
	_ = sub.Flags().MarkHidden("secret")
	root.AddCommand(sub, &cobra.Command{Use: "gone", Hidden: true, Run: func(*cobra.Command, []string) {}})
	return root
}

func TestPages(t *testing.T) {
	pages := manual.Pages(tree())
	if len(pages) != 2 {
		t.Errorf("%d pages", len(pages))
	}
	got := string(pages["top-sub.1"])
	for _, want := range []string{
		".TH TOP\\-SUB 1", "top\\-sub \\- do a thing", "\\&.TH is no request here\n\\&'nor this", ".nf\n  indented \\e text\n.fi",
		"\\fB\\-l\\fR, \\fB\\-\\-level\\fR \\fIstring\\fR\nHow much. Default: low.", "\\fB\\-\\-quick\\fR\nBe quick.", "\\&.hidden", ".BR top (1)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret") || !strings.Contains(string(pages["top.1"]), ".BR top\\-sub (1)") {
		t.Error("hidden flag told, or command not")
	}
}

// TestMandoc lets a real formatter read the pages, where the machine has one.
func TestMandoc(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("no groff")
	}
	for name, p := range manual.Pages(tree()) {
		cmd := exec.Command(groff, "-man", "-Tascii", "-ww", "-z")
		cmd.Stdin = strings.NewReader(string(p))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
