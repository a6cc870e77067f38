// Package pcapfile reads packets from capture files: pcap and pcapng, plain or
// packed with gzip or zstd, from paths or from standard input.
//
// What a file is, its bytes say and not its name. Packets are handed out as
// slices of one buffer that is read into again and again: no copy and no
// allocation per packet.
package pcapfile

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/passiflow/passiflow/source"
)

// Config says which files to read and how.
type Config struct {
	// Paths are read one after the other; "-" is standard input and may stand
	// once. At least one is needed.
	Paths []string
	// Follow waits at the end of the last path for more, as `tail -F` does: a
	// file that another one replaced under the same name, or that was cut to
	// nothing, is read from its beginning. Default false.
	Follow bool
	// Wait is how long a Read waits for a file that grows, or for a pipe, before
	// it returns with nothing. Default 100 ms.
	Wait time.Duration
	// Buffer is the size in bytes of the buffer that packets are read into. It
	// grows for a single larger packet. Default 512 KiB.
	Buffer int
	// Stdin is read for the path "-"; the source does not close it. Default nil:
	// os.Stdin.
	Stdin io.Reader
	// Log is told when a file ends in the middle of a packet. Default nil:
	// silent.
	Log *slog.Logger
}

// DefaultConfig returns the default configuration; Paths is empty.
func DefaultConfig() Config {
	return Config{Wait: 100 * time.Millisecond, Buffer: 512 << 10}
}

// Open checks that all paths exist and begins to read the first. The Source is
// also a source.Progress, and a source.Live whose answer is Config.Follow.
func Open(cfg Config) (source.Source, error) {
	if len(cfg.Paths) == 0 {
		return nil, errors.New("open capture: no file given")
	}
	def := DefaultConfig()
	if cfg.Wait <= 0 {
		cfg.Wait = def.Wait
	}
	if cfg.Buffer <= 0 {
		cfg.Buffer = def.Buffer
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Stdin == nil {
		cfg.Stdin = os.Stdin
	}
	s := &reader{cfg: cfg, done: make(chan struct{})}
	s.win.buf = make([]byte, max(cfg.Buffer, minBuffer))
	stdin := 0
	for i, p := range cfg.Paths {
		if p == "-" {
			if stdin++; stdin > 1 {
				return nil, errors.New(`open capture: standard input "-" is given twice`)
			}
			continue
		}
		st, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("open capture: %w", err)
		}
		switch {
		case st.IsDir():
			return nil, fmt.Errorf("open capture %s: is a directory: give the files in it", p)
		case st.Mode().IsRegular():
			s.total.Add(st.Size())
			// Another user's file is found out now and not after the first one.
			f, err := os.Open(p)
			if err != nil {
				return nil, fmt.Errorf("open capture: %w", err)
			}
			if err := f.Close(); err != nil {
				return nil, fmt.Errorf("open capture: %w", err)
			}
			if i == 0 && !cfg.Follow {
				if err := s.openHead(); err != nil {
					return nil, err
				}
			}
		}
	}
	return s, nil
}

// openHead reads the first file's header, so that what is not a capture is
// refused at once and Interfaces knows its link type.
func (s *reader) openHead() error {
	for s.format == nil {
		if err := s.begin(); err != nil && !errors.Is(err, errIdle) {
			_ = s.Close()
			return err
		}
	}
	return nil
}
