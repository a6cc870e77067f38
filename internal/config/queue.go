package config

import (
	"errors"
	"math"
	"strings"
	"time"

	"github.com/passiflow/passiflow/sink"
)

// Queue says how records wait before a sink.
type Queue struct {
	sink.QueueConfig        // Bytes 0: its share of the memory
	Full             string // auto, drop, wait
}

// newQueue returns the defaults of a kind of sink, which change may set.
func newQueue(change func(*sink.QueueConfig)) Queue {
	q := Queue{sink.DefaultQueueConfig(), Auto}
	q.Bytes = 0
	if change != nil {
		change(&q.QueueConfig)
	}
	return q
}

// Over lays q over c, which holds what the run gives each queue.
func (q *Queue) Over(c sink.QueueConfig) sink.QueueConfig {
	bytes, policy, directory := c.Bytes, c.Policy, c.Spool.Directory
	log := c.Log
	c = q.QueueConfig
	c.Policy, c.Log = policy, log
	if c.Bytes == 0 {
		c.Bytes = bytes
	}
	if c.Spool.Directory == "" {
		c.Spool.Directory = directory
	}
	switch q.Full {
	case "drop":
		c.Policy = sink.Drop
	case "wait":
		c.Policy = sink.Wait
	}
	return c
}

func (q *Queue) settings() []Setting {
	r, s := &q.Retry, &q.Spool
	return []Setting{
		{Path: "queue.bytes", Usage: "memory for records that wait for the sink; 0: its share of flow.memory",
			Value: size{p: &q.Bytes, unit: 1, max: maxSize}},
		{Path: "queue.full", Usage: "what happens to a record that finds the queue full; auto: wait where files are read, drop it and count it where capture is live",
			Value: choice{p: &q.Full, words: []string{Auto, "drop", "wait"}}},
		{Path: "queue.batch", Usage: "about how much one delivery has at most, in bytes of memory",
			Value: size{p: &q.Batch, unit: 1, min: 1, max: maxSize}},
		{Path: "queue.records", Usage: "how many records one delivery has at most",
			Value: number{p: &q.Records, min: 1, max: math.MaxInt32}},
		{Path: "queue.linger", Usage: "time that records are collected after a delivery, before the next",
			Value: duration{p: &q.Linger, max: time.Minute}},
		{Path: "retry.min", Usage: "least wait before another attempt",
			Value: duration{p: &r.Min, min: time.Millisecond, max: maxDuration}},
		{Path: "retry.max", Usage: "longest wait before another attempt; the ceiling doubles up to it with each failure",
			Value: duration{p: &r.Max, min: time.Millisecond, max: maxDuration}},
		{Path: "retry.attempts", Usage: "how often one batch is tried before it is dropped and counted; 0: until it is delivered",
			Value: number{p: &r.Attempts, max: math.MaxInt32}},
		{Path: "retry.age", Usage: "how old a record may become before it is dropped and counted; 0s: any age",
			Value: duration{p: &r.Age, max: 365 * maxDuration}},
		{Path: "retry.schedule", Usage: "waits between the attempts, in place of min, max and attempts: [1s, 2s, 4s] tries four times and then drops",
			Value: durations{p: &r.Schedule}},
		{Path: "retry.failures", Usage: "failures in a row after which only a small batch is tried",
			Value: number{p: &r.Failures, min: 1, max: math.MaxInt32}},
		{Path: "retry.probe", Usage: "records of that small batch",
			Value: number{p: &r.Probe, min: 1, max: math.MaxInt32}},
		{Path: "spool.directory", Usage: "directory of this sink alone that keeps on disk what the sink does not take in time. Default: one under run.spool, or none",
			Value: text{p: &s.Directory, kind: "DIR"}},
		{Path: "spool.bytes", Usage: "bound of the files in it; the oldest go first and are counted",
			Value: size{p: &s.Bytes, unit: 1, min: 64 << 10, max: maxSize}},
		{Path: "spool.segment", Usage: "size of one of the files",
			Value: size{p: &s.Segment, unit: 1, min: 4 << 10, max: maxSize}},
		{Path: "spool.sync", Usage: "how long a record may be in memory alone: what a crash can cost",
			Value: duration{p: &s.Sync, min: time.Millisecond, max: time.Hour}},
	}
}

// durations is a list of spans of time.
type durations struct{ p *[]time.Duration }

func (v durations) Type() string { return "DURATIONS" }
func (v durations) Clear()       { *v.p = nil }
func (v durations) String() string {
	var all []string
	for _, d := range *v.p {
		all = append(all, formatDuration(d))
	}
	return strings.Join(all, ",")
}

func (v durations) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(part))
		if err != nil || d < 0 || d > maxDuration {
			return errors.New(s + " is not a list of durations such as 1s, 2s, 4s")
		}
		*v.p = append(*v.p, d)
	}
	return nil
}
