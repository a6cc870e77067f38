package sink

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Policy says what happens to a record that finds the queue full.
type Policy uint8

// The policies.
const (
	Drop Policy = iota // it is dropped and counted: a live capture never waits
	Wait               // who pushes waits: a file can be read later
)

// QueueConfig is what can be set of a queue.
type QueueConfig struct {
	// Bytes bounds what is held for the sink in memory, in bytes as the queue's
	// weight function counts them. Default 32 MiB.
	Bytes int64
	// Policy for records that find no room. Default Drop.
	Policy Policy
	// Linger is how long records are collected after a delivery before the next
	// one, so that a busy capture wakes the sink once per Linger and not once
	// per record. A record that comes after a pause longer than that is
	// delivered at once. Default 2 ms; at most 1 minute; 0: never collect.
	Linger time.Duration
	// Batch is how many bytes end a Linger early, and about how many one
	// delivery has at most. Default 256 KiB.
	Batch int64
	// Records is how many records end a Linger early, and how many one delivery
	// has at most. Default 10,000; 0 stands for that.
	Records int
	// Retry says what happens to a batch that the sink did not take.
	Retry RetryConfig
	// Spool keeps on disk what the sink does not take in time; without a
	// directory there is none.
	Spool SpoolConfig
	// Log is told when the sink begins to fail and when it takes records again.
	// nil: nobody is.
	Log *slog.Logger
}

// RetryConfig says when and how often a delivery that failed is tried again.
type RetryConfig struct {
	// Min and Max bound the wait before the next attempt. It is chosen at random
	// between Min and a ceiling that begins at twice Min, doubles with each
	// failure in a row and stops at Max: many senders that lost one receiver do
	// not come back to it in step. Defaults 500 ms and 30 s.
	Min, Max time.Duration
	// Attempts is how often one batch is tried before it is dropped. Default 0:
	// until it is delivered, expires or the bounds of queue and spool are hit.
	Attempts int
	// Age is how long after it was pushed a record may still be delivered; what
	// is older is dropped. Default 0: any age.
	Age time.Duration
	// Schedule, where it is given, is the waits between the attempts in place of
	// Min, Max and Attempts: when it is over, the batch is dropped.
	Schedule []time.Duration
	// Failures in a row open the circuit: from then on each attempt is made with
	// a small batch of at most Probe records until one is taken. Defaults 5 and 1.
	Failures, Probe int
	// Closing is how long Close goes on with a sink that takes nothing but says
	// so, before it ends as if its time were over: who reads a file to its end
	// need not wait for ever. A sink that does not return is waited for. Default
	// 30 s; 0 stands for that.
	Closing time.Duration
}

// SpoolConfig is what can be set of a spool. What the sink has not taken within
// Sync is written to disk and outlives the program.
type SpoolConfig struct {
	// Directory of this queue alone. It is made with mode 0700 where it is
	// missing. Default "": no spool.
	Directory string
	// Owner is the sink behind the queue. Records in the directory that are for
	// another kind of sink are refused. Default: none, and nothing is refused.
	Owner Owner
	// Bytes bounds the files. When they are full, the oldest is dropped; with
	// the policy Wait who pushes waits instead. Default 1 GiB, at least 64 KiB.
	Bytes int64
	// Segment is how large one file may grow: what is dropped at a time, and what
	// must be delivered before its room is free again. Default 16 MiB; never more
	// than a quarter of Bytes.
	Segment int64
	// Sync is how long a record may be in memory alone, and how long the disk may
	// take to make a written one durable: what a crash can cost. Default 1 s;
	// where twice Linger is longer, that.
	Sync time.Duration
}

// DefaultQueueConfig returns the defaults.
func DefaultQueueConfig() QueueConfig {
	return QueueConfig{Bytes: 32 << 20, Policy: Drop, Linger: 2 * time.Millisecond, Batch: 256 << 10, Records: maxRecords,
		Retry: DefaultRetryConfig(), Spool: DefaultSpoolConfig()}
}

const maxRecords = 10_000

// DefaultRetryConfig returns the defaults.
func DefaultRetryConfig() RetryConfig {
	return RetryConfig{Min: 500 * time.Millisecond, Max: 30 * time.Second, Failures: 5, Probe: 1, Closing: 30 * time.Second}
}

// DefaultSpoolConfig returns the defaults: sizes, and no directory.
func DefaultSpoolConfig() SpoolConfig {
	return SpoolConfig{Bytes: 1 << 30, Segment: 16 << 20, Sync: time.Second}
}

// Validate returns what is wrong with c, nil for nothing.
func (c QueueConfig) Validate() error {
	var f faults
	f.check(c.Bytes >= 1, "queue bytes %d: must be at least 1", c.Bytes)
	f.check(c.Batch >= 1, "queue batch %d: must be at least 1", c.Batch)
	f.check(c.Linger >= 0 && c.Linger <= time.Minute, "queue linger %v: must be between 0 and 1m", c.Linger)
	f.check(c.Records >= 0, "queue records %d: must not be negative", c.Records)
	return errors.Join(append(f, c.Retry.Validate(), c.Spool.Validate())...)
}

// Validate returns what is wrong with c, nil for nothing.
func (c RetryConfig) Validate() error {
	var f faults
	f.check(c.Min >= time.Millisecond, "retry min %v: must be at least 1ms", c.Min)
	f.check(c.Max >= c.Min && c.Max <= 24*time.Hour, "retry max %v: must be between min %v and 24h", c.Max, c.Min)
	f.check(c.Attempts >= 0, "retry attempts %d: must not be negative", c.Attempts)
	f.check(c.Age >= 0, "retry age %v: must not be negative", c.Age)
	f.check(c.Failures >= 1, "retry failures %d: must be at least 1", c.Failures)
	f.check(c.Closing >= 0, "retry closing %v: must not be negative", c.Closing)
	f.check(c.Probe >= 1, "retry probe %d: must be at least 1", c.Probe)
	for _, d := range c.Schedule {
		f.check(d >= 0 && d <= 24*time.Hour, "retry schedule %v: each wait must be between 0 and 24h", d)
	}
	return errors.Join(f...)
}

// Validate returns what is wrong with c, nil for nothing.
func (c SpoolConfig) Validate() error {
	if c.Directory == "" {
		return nil
	}
	var f faults
	f.check(c.Bytes >= 64<<10, "spool bytes %d: must be at least 64 KiB", c.Bytes)
	f.check(c.Segment >= 4<<10, "spool segment %d: must be at least 4 KiB", c.Segment)
	f.check(c.Sync >= time.Millisecond && c.Sync <= time.Hour, "spool sync %v: must be between 1ms and 1h", c.Sync)
	return errors.Join(f...)
}

type faults []error

func (f *faults) check(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Errorf(format, args...))
	}
}

// filled returns c with the defaults in place of what is 0 and must not be.
func (c QueueConfig) filled() QueueConfig {
	d := DefaultQueueConfig()
	if c.Records == 0 {
		c.Records = d.Records
	}
	if c.Retry.Min == 0 && c.Retry.Max == 0 {
		c.Retry.Min, c.Retry.Max = d.Retry.Min, d.Retry.Max
	}
	if c.Retry.Failures == 0 {
		c.Retry.Failures = d.Retry.Failures
	}
	if c.Retry.Closing == 0 {
		c.Retry.Closing = d.Retry.Closing
	}
	c.Retry.Probe = max(c.Retry.Probe, 1)
	if c.Spool.Bytes == 0 {
		c.Spool.Bytes = d.Spool.Bytes
	}
	if c.Spool.Segment == 0 {
		c.Spool.Segment = d.Spool.Segment
	}
	if c.Spool.Sync == 0 {
		c.Spool.Sync = d.Spool.Sync
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
