package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/builtin"
	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/source"
)

func newRules(p *process) *cobra.Command {
	c := &cobra.Command{
		Use:   "rules",
		Short: "Try out rules that drop and mask",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,
	}
	var file string
	var with []string
	var lines bool
	test := &cobra.Command{
		Use:   "test --with FILE",
		Short: "Show what rules do to each record of a capture",
		Long: "Test reads captures and shows for each record which rules fired and what they\n" +
			"changed, then how often each did. It writes no record, and never shows what was\n" +
			"masked: records are shown as all masks together leave them, whether a condition\n" +
			"holds or not. Without --rules it shows what is masked by default.",
		Example: "  passiflow rules test --rules rules.yaml --with capture.pcap",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(with) == 0 {
				return fmt.Errorf("no capture: give one with --with FILE")
			}
			return p.interruptible(c.Context(), func(ctx context.Context) error { return testRules(ctx, p, file, with, lines) })
		},
	}
	test.Flags().StringVar(&file, "rules", "", "`FILE` of rules; default: the rules that hold without one")
	test.Flags().StringArrayVar(&with, "with", nil, "capture `FILE`, - is standard input; may be repeated")
	test.Flags().BoolVar(&lines, "json", false, "one JSON object a line")
	c.AddCommand(test)
	return c
}

// testRules shows what rules do to the records of captures.
func testRules(ctx context.Context, p *process, file string, with []string, lines bool) error {
	cfg := config.DefaultConfig()
	var sets [2]*rule.Set // one that is asked, and one that hides what is shown
	for i := range sets {
		r, err := loadRules(file, &cfg, p)
		if err != nil {
			return err
		}
		sets[i] = r.(*rule.Set)
	}
	src, err := builtin.Files(builtin.FileOptions{Paths: with, Stdin: p.stdin, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return &exit{exitRun, err}
	}
	out := bufio.NewWriter(p.stdout)
	t := &ruleTest{rules: sets[0], hide: sets[1], out: out, lines: lines}
	e := engine(&cfg, slog.New(slog.DiscardHandler))
	e.Sources, e.Workers = []source.Source{src}, 1
	e.Rules = t
	e.Outputs = []passiflow.Output{{Unit: passiflow.UnitExchange, Records: nowhere{}}}
	run, err := passiflow.New(e)
	if err != nil {
		return &exit{exitUsage, err}
	}
	if err = run.Run(ctx); err == nil {
		t.summary()
		err = out.Flush()
	}
	if err != nil {
		return &exit{exitRun, err}
	}
	return nil
}

// nowhere takes records and forgets them.
type nowhere struct{}

func (nowhere) Push(context.Context, []*message.Exchange) {}

// ruleTest is a rule that tells what others do.
type ruleTest struct {
	rules, hide *rule.Set
	out         io.Writer
	lines       bool
	records     int
	dropped     int
}

// Apply implements rule.Rule.
func (t *ruleTest) Apply(x *message.Exchange) bool {
	shown := *x
	for _, half := range []**message.Message{&shown.Request, &shown.Response} {
		if *half != nil {
			m := **half
			m.Fields = slices.Clone(m.Fields)
			*half = &m
		}
	}
	shown.Interim = nil
	t.hide.Hide(&shown)
	keep, did := t.rules.Explain(x)
	t.records++
	if !keep {
		t.dropped++
	}
	if t.lines {
		t.line(&shown, keep, did)
	} else {
		t.text(&shown, keep, did)
	}
	return keep
}

// seen is one thing that a rule did, and how often.
type seen struct {
	Rule  string `json:"rule"`
	What  string `json:"what"`
	Place string `json:"place,omitempty"`
	Text  string `json:"text,omitempty"`
	Times int    `json:"times"`
}

func collect(did []rule.Firing) []seen {
	all := []seen{}
	for _, d := range did {
		s := seen{d.Rule, d.What, d.Place, d.Text, 1}
		i := slices.IndexFunc(all, func(o seen) bool {
			return o.Rule == s.Rule && o.What == s.What && o.Place == s.Place && o.Text == s.Text
		})
		if i >= 0 {
			all[i].Times++
		} else {
			all = append(all, s)
		}
	}
	return all
}

// title names a record.
func title(x *message.Exchange) string {
	var b strings.Builder
	if m := x.Request; m != nil {
		fmt.Fprintf(&b, "%s %s", m.Op, m.Target)
	}
	if m := x.Response; m != nil {
		fmt.Fprintf(&b, " -> %s", m.Status)
	}
	fmt.Fprintf(&b, " (%v > %v)", x.Flow.Client, x.Flow.Server)
	return printable(strings.TrimSpace(b.String()))
}

func (t *ruleTest) text(x *message.Exchange, keep bool, did []rule.Firing) {
	fmt.Fprintf(t.out, "%d %s\n", t.records, title(x))
	for _, d := range collect(did) {
		fmt.Fprintf(t.out, "    %s %s", d.Rule, d.What)
		if d.Place != "" {
			fmt.Fprintf(t.out, " %s: %s", printable(d.Place), d.Text)
		}
		if d.Times > 1 {
			fmt.Fprintf(t.out, " x%d", d.Times)
		}
		fmt.Fprintln(t.out)
	}
	if !keep {
		fmt.Fprintln(t.out, "    dropped")
	}
}

func (t *ruleTest) line(x *message.Exchange, keep bool, did []rule.Firing) {
	b, _ := json.Marshal(struct { // of texts, numbers and truth, which cannot fail
		Record int    `json:"record"`
		Title  string `json:"title"`
		Keep   bool   `json:"keep"`
		Fired  []seen `json:"fired"`
	}{t.records, title(x), keep, collect(did)})
	fmt.Fprintf(t.out, "%s\n", b)
}

func (t *ruleTest) summary() {
	if t.lines {
		return
	}
	fmt.Fprintf(t.out, "\n%d records, %d dropped\n", t.records, t.dropped)
	for _, c := range t.rules.Counts() {
		fmt.Fprintf(t.out, "    %s %s: fired %d times", c.Rule, c.What, c.Fired)
		if c.Failed > 0 {
			fmt.Fprintf(t.out, ", condition failed %d times", c.Failed)
		}
		fmt.Fprintln(t.out)
	}
}
