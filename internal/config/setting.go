package config

import (
	"math"
	"strings"
	"time"
)

// Setting is one key of the configuration.
type Setting struct {
	Path  string // in the file: "capture.snaplen"
	Flag  string // long flag without dashes; "": none
	Short string // one-letter flag; "": none
	Usage string // one sentence, lower case, with the unit
	Value Value
}

// Env returns the environment variable that sets s.
func (s Setting) Env() string {
	name := s.Flag
	if name == "" {
		_, name, _ = strings.Cut(s.Path, ".")
	}
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// EnvPrefix begins the name of every environment variable of the program.
const EnvPrefix = "PASSIFLOW_"

const (
	maxSize     = 1 << 40
	maxDuration = 24 * time.Hour
)

// Settings lists every key in the order of the reference. The values point into
// c.
func (c *Config) Settings() []Setting {
	in, fl, ht, ou := &c.Capture, &c.Flow, &c.HTTP, &c.Output
	return []Setting{
		{"capture.interface", "interface", "i", "interface to capture on, by name or by number as passiflow interfaces lists them, or any; may be repeated. Default: the first that is up and not loopback",
			list{p: &in.Interfaces, kind: "IFACE"}},
		{"capture.read", "read", "r", "capture file to read (pcap or pcapng, plain, gzip or zstd), - is standard input; may be repeated, read in order",
			list{p: &in.Files, kind: "FILE"}},
		{"capture.listen", "listen", "", "take mirrored traffic over UDP, as vxlan://ADDRESS:4789 or geneve://ADDRESS:6081; may be repeated",
			list{p: &in.Listen, kind: "URL", test: testListen}},
		{"capture.vni_allow", "vni-allow", "", "with listen: take only these network ids (numbers and ranges, separated by commas)",
			ranges{p: &in.VNIAllow, max: 1<<24 - 1, kind: "VNIS"}},
		{"capture.vni_deny", "vni-deny", "", "with listen: refuse these network ids",
			ranges{p: &in.VNIDeny, max: 1<<24 - 1, kind: "VNIS"}},
		{"capture.follow", "follow", "", "with read: wait for more at the end of the file, as tail -f does",
			yes{p: &in.Follow}},
		{"capture.ports", "ports", "p", "take only conversations with one of these TCP ports, innermost, after decapsulation (numbers and ranges, separated by commas). Default: all",
			ranges{p: &in.Ports, min: 1, max: math.MaxUint16, kind: "PORTS"}},
		{"capture.filter", "", "", "filter expression in the syntax of tcpdump; it means the outer frame. On the command line: the arguments",
			text{p: &in.Filter, kind: "EXPRESSION"}},
		{"capture.filter_file", "filter-file", "F", "file to read the filter expression from",
			text{p: &in.FilterFile, kind: "FILE"}},
		{"capture.count", "count", "c", "stop after this many packets that passed the filter; 0: do not stop",
			number{p: &in.Count, max: math.MaxInt}},
		{"capture.snaplen", "snaplen", "s", "bytes to take of each packet; 0 stands for the default",
			snaplen{size{p: &in.Snaplen, unit: 1, min: 64, max: 1 << 24}}},
		{"capture.buffer", "buffer", "B", "kernel buffer of each interface and worker; a number alone counts KiB",
			size{p: &in.Buffer, unit: 1 << 10, min: 1 << 20, max: 1 << 33}},
		{"capture.promiscuous", "promiscuous", "", "put the interfaces into promiscuous mode",
			yes{p: &in.Promiscuous}},
		{"capture.wait", "wait", "", "wait for interfaces that do not exist yet",
			yes{p: &in.Wait}},
		{"capture.workers", "workers", "", "goroutines that share the traffic by conversation",
			number{p: &in.Workers, min: 1, max: 256}},

		{"capture.vxlan_ports", "vxlan-ports", "", "UDP ports that carry VXLAN, at most 8, beside 4789, 4790 and 8472",
			ranges{p: &in.VXLANPorts, min: 1, max: math.MaxUint16, kind: "PORTS"}},
		{"capture.geneve_ports", "geneve-ports", "", "UDP ports that carry GENEVE, at most 8, beside 6081",
			ranges{p: &in.GENEVEPorts, min: 1, max: math.MaxUint16, kind: "PORTS"}},

		{"flow.overlap", "overlap", "", "which of two different contents for the same bytes wins",
			choice{p: &fl.Overlap, words: []string{"first", "linux"}}},
		{"flow.sample", "sample", "", "share of conversations to keep, chosen by address: 10% or 0.1",
			share{p: &fl.Sample}},
		{"flow.sample_seed", "sample-seed", "", "changes which conversations sample chooses",
			number{p: &fl.SampleSeed, max: math.MaxInt32}},
		{"flow.memory", "memory", "", "budget for conversations, packets out of order, bodies and queues; whole conversations are shed at its end",
			size{p: &fl.Memory, unit: 1, min: 4 << 20, max: maxSize}},

		{"http.body_limit", "body-limit", "", "bytes to keep of each body, decoded; 0: none. The rest is counted and body_truncated set",
			size{p: &ht.BodyLimit, unit: 1, max: 1 << 30}},
		{"http.answer_wait", "answer-wait", "", "time after a request, in packet time, until it is reported without its answer",
			duration{p: &ht.AnswerWait, min: 10 * time.Millisecond, max: maxDuration}},
		{"http.pairing", "pairing", "", "what becomes of a request and an answer that only their order joins, after requests may have been lost: likely joins and marks them as presumed, proven tells them apart",
			choice{p: &ht.Pairing, words: []string{Likely, Proven}}},

		{"rules.file", "rules", "", "file of rules that decide which records go out and mask what is in them (docs/reference/rules.md). Default: credentials and card numbers are masked",
			text{p: &c.Rules.File, kind: "FILE"}},

		{"mask.show_secrets", "show-secrets", "", "do not mask credentials and card numbers",
			yes{p: &c.Mask.ShowSecrets}},
		{"mask.raw_unmasked", "raw-unmasked", "", "allow write, whose packets are as captured, credentials included",
			yes{p: &c.Mask.RawUnmasked}},

		{"output.format", "format", "", "form of the records on standard output; auto: line on a terminal, json otherwise",
			choice{p: &ou.Format, words: []string{Auto, Line, JSON, None}}},
		{"output.unit", "unit", "", "what a record is: a request with its answer, each of them alone, or a conversation",
			choice{p: &ou.Unit, words: units()}},
		{"output.color", "color", "", "colours in lines; auto: on a terminal unless NO_COLOR is set",
			choice{p: &ou.Color, words: []string{Auto, "always", "never"}}},
		{"output.verbose", "verbose", "v", "with lines: headers and bodies too",
			yes{p: &ou.Verbose}},
		{"output.digest", "digest", "", "with unit flow: the SHA-256 of the bytes of each side",
			yes{p: &ou.Digest}},
		{"output.write", "write", "w", "file to write the packets that passed the filter to, as pcapng; - is standard output",
			text{p: &ou.Write, kind: "FILE"}},
		{"output.line_buffered", "line-buffered", "l", "write each record to standard output as soon as it is complete, and do not collect those of some milliseconds",
			yes{p: &ou.LineBuffered}},
		{"output.packet_buffered", "packet-buffered", "U", "with write: write each packet as soon as it comes, and do not collect them while there are more; records as with line-buffered",
			yes{p: &ou.PacketBuffered}},

		{sinksPath, "sink", "", "place that records go to, as KIND=ADDRESS, such as file=records.ndjson (passiflow sinks lists the kinds); may be repeated. In the file: a list of sinks with all their settings. Where there is one, nothing goes to standard output unless it is asked for",
			sinks{p: &c.Sinks}},

		{"run.shutdown_grace", "shutdown-grace", "", "time after the first signal to finish what is under way",
			duration{p: &c.Run.ShutdownGrace, max: maxDuration}},
		{"run.silence", "silence", "", "time without a record after which the likely causes are told, once, as at the end of files without any; 0s: never",
			duration{p: &c.Run.Silence, max: maxDuration}},
		{"run.spool", "spool", "", "directory where sinks keep what they cannot deliver in time, each in one of its own; it outlives the program. Default: none",
			text{p: &c.Run.Spool, kind: "DIR"}},
		{"run.metrics", "metrics", "", "address to answer Prometheus on (/metrics, /healthz), as :9464 or 127.0.0.1:9464",
			text{p: &c.Run.Metrics, kind: "ADDRESS"}},
		{"run.yes", "yes", "", "do not ask before requests are sent to another machine (sink shadow)",
			yes{p: &c.Run.Yes}},
		{"run.production", "production", "", "refuse to send records anywhere without TLS; NODE_ENV=production and TCP_SNIFFER_PRODUCTION=1 mean the same",
			yes{p: &c.Run.Production}},

		{"log.level", "log-level", "", "least level of messages on standard error",
			choice{p: &c.Log.Level, words: []string{"debug", "info", "warn", "error"}}},
		{"log.format", "log-format", "", "form of messages on standard error",
			choice{p: &c.Log.Format, words: []string{"text", "json"}}},
	}
}

// snaplen is a size whose 0 means the default, as in tcpdump.
type snaplen struct{ size }

func (v snaplen) Set(s string) error {
	if s == "0" {
		*v.p = DefaultConfig().Capture.Snaplen
		return nil
	}
	return v.size.Set(s)
}
