// Package config reads what the program is told: one YAML file, environment
// variables and flags, the later the stronger. One table, Settings, holds every
// key with its flag, unit and default; help, file, environment and the
// reference are read from it.
package config

import "time"

// Config is the whole configuration of passiflow capture.
type Config struct {
	Capture Capture
	Flow    Flow
	HTTP    HTTP
	Rules   Rules
	Mask    Mask
	Output  Output
	Sinks   []*Sink
	Run     Run
	Log     Log
}

// Capture says where packets come from.
type Capture struct {
	Interfaces  []string
	Files       []string
	Listen      []string
	VNIAllow    []Range
	VNIDeny     []Range
	Follow      bool
	Ports       []Range
	Filter      string
	FilterFile  string
	Count       int
	Snaplen     int64
	Buffer      int64
	Promiscuous bool
	Wait        bool
	Workers     int
	VXLANPorts  []Range
	GENEVEPorts []Range
}

// Flow says how conversations are put together and bounded.
type Flow struct {
	Overlap    string
	Sample     float64
	SampleSeed int
	Memory     int64
}

// HTTP says how HTTP is read.
type HTTP struct {
	BodyLimit  int64
	AnswerWait time.Duration
	Pairing    string
}

// Rules says what is kept and what is masked.
type Rules struct {
	File string
}

// Mask says what may leave unmasked.
type Mask struct {
	ShowSecrets bool
	RawUnmasked bool
}

// Output says what is written, how and where.
type Output struct {
	Format  string
	Unit    string
	Color   string
	Verbose bool
	Digest  bool
	Write   string

	LineBuffered   bool
	PacketBuffered bool
}

// Run says how the program behaves.
type Run struct {
	ShutdownGrace time.Duration
	Silence       time.Duration
	Production    bool
	Yes           bool
	Metrics       string
	Spool         string
}

// Log says how the program reports about itself.
type Log struct {
	Level  string
	Format string
}

// The values of Output.Format.
const (
	Auto = "auto" // lines on a terminal, NDJSON otherwise
	Line = "line"
	JSON = "json"
	None = "none"
)

// The values of HTTP.Pairing.
const (
	Likely = "likely"
	Proven = "proven"
)

// DefaultConfig returns the configuration without file, environment and flags.
func DefaultConfig() Config {
	return Config{
		Capture: Capture{Snaplen: 262144, Buffer: 32 << 20, Workers: 1},
		Flow:    Flow{Overlap: "first", Sample: 1, Memory: 512 << 20},
		HTTP:    HTTP{BodyLimit: 1 << 20, AnswerWait: 30 * time.Second, Pairing: Likely},
		Output:  Output{Format: Auto, Unit: "exchange", Color: Auto},
		Run:     Run{ShutdownGrace: 10 * time.Second, Silence: 30 * time.Second},
		Log:     Log{Level: "info", Format: "text"},
	}
}
