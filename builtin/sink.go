package builtin

import (
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/passiflow/passiflow/format"
	"github.com/passiflow/passiflow/rule"
	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/file"
	"github.com/passiflow/passiflow/sink/stdout"
)

// SinkKind is a kind of sink as configuration knows it.
type SinkKind struct {
	Name  string // "webhook"
	Usage string // one sentence, lower case
	New   func() *SinkSetup
}

// SinkSetup is one sink with its defaults, to be set and then opened.
type SinkSetup struct {
	// Options are its settings. The first is what stands behind KIND= in
	// --sink KIND=ADDRESS.
	Options []Option
	// Raw says that it hands on bytes as they were captured, which no mask
	// reaches.
	Raw bool
	// Bare says that it needs no address.
	Bare bool
	// Units are what its records may be, the first unless the run's are of
	// another of them. nil: whatever those of the run are
	Units []string
	// Queue changes what the queue before it begins with. nil: nothing
	Queue func(*sink.QueueConfig)
	// Check tells what Open would say of the settings, without opening anything.
	// nil: nothing can be told
	Check func(SinkOptions) error
	// Open opens it.
	Open func(SinkOptions) (Opened, error)
}

// Option is one setting of a sink.
type Option struct {
	Name  string // snake_case
	Usage string // one sentence, lower case, with the unit
	// To is where the value goes: a *string, *bool, *int, *float64, *Bytes,
	// *time.Duration, *[]string or *map[string]string. It holds the default.
	To any
	// Words are what a *string may be; none: anything.
	Words []string
}

// Bytes is a count of bytes, written as 64KiB or 1MiB.
type Bytes int64

// Opened is an open sink, by what it takes: one of Records, Frames and Chunks is set.
type Opened struct {
	Records sink.Sink
	Frames  sink.FrameSink
	Packets format.Frames // with Frames: how the sink wants them encoded
	Chunks  sink.ChunkSink
	// Rules stand in place of those of the run where no others are asked for.
	// nil: those of the run
	Rules rule.Rule
	// Place is where it delivers to, as far as that may be told to anybody: of a
	// URL scheme and host. "": nothing to tell
	Place string
}

// SinkOptions are what a sink may use when it is opened.
type SinkOptions struct {
	Log        *slog.Logger
	Getenv     func(string) string
	Stdout     io.Writer
	Dial       sink.Dial                   // opens connections; nil: a net.Dialer does
	Ask        func(question string) error // before something is sent to another machine; its error refuses. nil refuses
	Production bool                        // credentials and records go nowhere without TLS
	Version    string                      // of the program
	Unit       string                      // of its records: exchange, message, flow
	Live       bool                        // time passes while nothing comes
	Snaplen    int                         // bytes of a packet that were kept
	Lines      FormatOptions
}

// Sinks lists the kinds of sinks.
func Sinks() []SinkKind {
	return []SinkKind{
		{"stdout", "records on standard output", newStdout},
		{"file", "records in a file", newFile},
		{"webhook", "records by HTTP", newWebhook},
		{"har", "exchanges as an HTTP archive, for the tools of browsers", newHAR},
		{"otlp", "exchanges as spans to an OpenTelemetry collector", newOTLP},
		{"pcap", "packets of the conversations with a record that the rules keep, as pcapng", newPcap},
		{"resurface", "records to a Resurface database, under its own logging rules", newResurface},
		{"forward", "bytes of one side of each conversation to a target, as they were captured", newForward},
		{"shadow", "requests of exchanges to a target as they pass, its answers compared", newShadow},
		{"record", "bytes of conversations in the record format of a traffic mirror, as they were captured", newRecord},
	}
}

// recordFormats names the formats that a sink of lines can write.
func recordFormats() []string { return []string{"json", "line", "messages"} }

func formatOption(name *string) Option {
	return Option{Name: "format", Usage: "form of the records", To: name, Words: recordFormats()}
}

func (o SinkOptions) format(name string) format.Format { return Formats()[name](o.Lines) }

func newStdout() *SinkSetup {
	name := "json"
	return &SinkSetup{
		Options: []Option{formatOption(&name)},
		Bare:    true,
		Open: func(o SinkOptions) (Opened, error) {
			c := stdout.DefaultConfig()
			c.Writer = o.Stdout
			return Opened{Records: stdout.New(c, o.format(name))}, nil
		},
	}
}

func newFile() *SinkSetup {
	c, name := file.DefaultConfig(), "json"
	return &SinkSetup{
		Options: []Option{
			{Name: "path", Usage: "file that records are put behind what it holds", To: &c.Path},
			{Name: "replace", Usage: "make an existing file empty first", To: &c.Replace},
			formatOption(&name),
			{Name: "compress", Usage: "how the file is compressed; auto: by the ending of path, .gz or .zst", To: &c.Compress, Words: []string{"auto", "none", "gzip", "zstd"}},
			{Name: "atomic", Usage: "write to a file with .part behind its name, which it loses when it is whole", To: &c.Atomic},
			{Name: "rotate_bytes", Usage: "close the file before it holds more and begin another; 0: at no size", To: (*Bytes)(&c.RotateBytes)},
			{Name: "rotate_every", Usage: "close the file at the end of a period, counted from midnight UTC; 0s: at no time", To: &c.RotateEvery},
			{Name: "keep_files", Usage: "closed files to keep; 0: all", To: &c.KeepFiles},
			{Name: "keep_bytes", Usage: "bytes of closed files to keep; 0: all", To: (*Bytes)(&c.KeepBytes)},
			{Name: "keep_age", Usage: "time to keep closed files; 0s: for ever", To: &c.KeepAge},
			{Name: "sync", Usage: "wait with each delivery until the disk has it", To: &c.Sync},
		},
		Queue: func(q *sink.QueueConfig) { q.Linger = 100 * time.Millisecond }, // few pieces to compress
		Open: func(o SinkOptions) (Opened, error) {
			c.Log = o.Log
			s, err := file.Open(c, o.format(name))
			return Opened{Records: s, Place: absolute(c.Path)}, err
		},
	}
}

// absolute returns the whole path of a file.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// Sink returns the kind with this name, and whether there is one.
func Sink(name string) (SinkKind, bool) {
	for _, k := range Sinks() {
		if strings.EqualFold(k.Name, name) {
			return k, true
		}
	}
	return SinkKind{}, false
}
