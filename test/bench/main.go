// Command bench runs passiflow over generated captures beside a floor: a
// program that does the least the work can cost on this machine, in the same
// run. It prints the table of docs/performance.md.
//
// The generator and the floor are not part of this project; -shared names the
// folder with bench/gen and bench/floor.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	var b bench
	flag.StringVar(&b.program, "program", "bin/passiflow", "program to measure")
	flag.StringVar(&b.shared, "shared", os.Getenv("PASSIFLOW_SHARED"), "folder that holds bench/gen and bench/floor")
	flag.StringVar(&b.dir, "dir", ".cache/bench", "folder for captures, kept between runs")
	flag.StringVar(&b.scale, "scale", "1", "size of the captures; 1 is about 4 GB")
	flag.StringVar(&b.seed, "seed", "1", "seed of the captures")
	flag.IntVar(&b.runs, "n", 3, "runs; the median is told")
	only := flag.String("only", "api,bulk,churn,lossy,mixed,vxlan", "workloads")
	flag.Parse()
	if err := b.run(strings.Split(*only, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	program, shared, dir, scale, seed string
	runs                              int
}

// cost is what one run took.
type cost struct {
	cpu, wall time.Duration
	resident  int64 // bytes, 0: the system does not tell
}

func (b *bench) run(workloads []string) error {
	if b.shared == "" {
		fmt.Println("bench: PASSIFLOW_SHARED is not set: no captures to measure with")
		return nil
	}
	dir, err := filepath.Abs(filepath.Join(b.dir, b.seed+"x"+b.scale))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, tool := range []string{"gen", "floor"} {
		c := exec.Command("go", "build", "-o", filepath.Join(dir, tool), ".")
		c.Dir = filepath.Join(b.shared, "bench", tool)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", tool, err, out)
		}
	}
	suricata, _ := exec.LookPath("suricata")
	fmt.Printf("CPU is user and system time, the median of %d runs, output to a file.\n\n", b.runs)
	fmt.Println("| workload | floor http | floor ndjson | passiflow | ratio | headers only | ratio | resident | MB/s | exact | suricata | ratio |")
	fmt.Println("|---|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|--:|")
	for _, w := range workloads {
		if err := b.workload(dir, w, suricata); err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
	}
	return nil
}

func (b *bench) workload(dir, w, suricata string) error {
	file, truth := filepath.Join(dir, w+".pcap"), filepath.Join(dir, w+".tsv")
	if _, err := os.Stat(truth); errors.Is(err, os.ErrNotExist) {
		c := exec.Command(filepath.Join(dir, "gen"), "-w", w, "-seed", b.seed, "-scale", b.scale, "-o", file, "-msgs", truth)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("generate: %w\n%s", err, out)
		}
	}
	size, err := touch(file)
	if err != nil {
		return err
	}
	floor, records := filepath.Join(dir, "floor"), filepath.Join(dir, "out.ndjson")
	defer os.Remove(records)
	head, err := b.median(os.DevNull, floor, "-n", "1", "-r", file, "http")
	if err != nil {
		return err
	}
	least, err := b.median(os.DevNull, floor, "-n", "1", "-r", file, "-o", records, "ndjson")
	if err != nil {
		return err
	}
	short, err := b.median(records, b.program, "capture", "-r", file, "--json", "--body-limit", "0", "--log-level", "error")
	if err != nil {
		return err
	}
	full, err := b.median(records, b.program, "capture", "-r", file, "--json", "--body-limit", "16MiB", "--log-level", "error")
	if err != nil {
		return err
	}
	peer, ratio := "–", "–"
	if suricata != "" {
		p, err := b.median(os.DevNull, suricata, "-r", file, "--runmode", "single", "-l", dir, "-k", "none")
		if err == nil {
			peer, ratio = seconds(p.cpu), times(full.cpu, p.cpu)
		}
	}
	fmt.Printf("| %s | %s | %s | %s | %s | %s | %s | %d MB | %.0f | %s | %s | %s |\n", w, seconds(head.cpu), seconds(least.cpu),
		seconds(full.cpu), times(full.cpu, least.cpu), seconds(short.cpu), times(short.cpu, least.cpu),
		max(full.resident, short.resident)>>20, float64(size)/1e6/full.cpu.Seconds(), b.exact(records, truth), peer, ratio)
	return nil
}

// touch reads the file once, so that it lies in memory for every run.
func touch(name string) (int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return io.Copy(io.Discard, f)
}

// median runs a program and returns the run whose CPU time is in the middle.
func (b *bench) median(stdout, program string, args ...string) (cost, error) {
	var all []cost
	for range b.runs {
		out, err := os.Create(stdout)
		if err != nil {
			return cost{}, err
		}
		var words strings.Builder
		c := exec.Command(program, args...)
		c.Stdout, c.Stderr = out, &words
		start := time.Now()
		err = c.Run()
		took := time.Since(start)
		out.Close()
		if err != nil {
			return cost{}, fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, words.String())
		}
		all = append(all, cost{c.ProcessState.UserTime() + c.ProcessState.SystemTime(), took, resident(c.ProcessState)})
	}
	slices.SortFunc(all, func(a, b cost) int { return cmp.Compare(a.cpu, b.cpu) })
	return all[len(all)/2], nil
}

// exact asks the checker that comes with the generator.
func (b *bench) exact(records, truth string) string {
	out, err := exec.Command("python3", filepath.Join(b.shared, "bench", "verify.py"), "passiflow", records, truth).CombinedOutput()
	line := strings.TrimSpace(string(out))
	if i := strings.LastIndexByte(line, '\n'); i >= 0 {
		line = line[i+1:]
	}
	line = strings.TrimPrefix(line, "passiflow: ")
	if err != nil {
		line += " (" + err.Error() + ")"
	}
	return strings.ReplaceAll(line, "|", "/")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func times(a, b time.Duration) string { return fmt.Sprintf("%.2f", a.Seconds()/b.Seconds()) }
