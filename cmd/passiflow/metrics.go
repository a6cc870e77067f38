package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/internal/config"
	"github.com/passiflow/passiflow/internal/metrics"
	"github.com/passiflow/passiflow/sink"
)

// meter answers Prometheus during a run.
type meter struct {
	server *metrics.Server
	run    atomic.Pointer[captureRun]
}

// openMetrics begins to answer, where c asks for it, and takes records of e.
func (o *outputs) openMetrics(c *config.Config, e *passiflow.Config, q sink.QueueConfig) error {
	if c.Run.Metrics == "" {
		return nil
	}
	m := &meter{}
	var err error
	m.server, err = metrics.Open(metrics.Config{Address: c.Run.Metrics, Version: versionText(), Counts: m.counts, Healthy: m.healthy, Log: o.log})
	if err != nil {
		return &exit{exitUsage, fmt.Errorf("%w: choose another with --metrics", err)}
	}
	o.meter = m
	o.log.Info("metrics", "address", m.server.Address())
	return o.records(e, &output{name: "records to metrics", label: "these metrics", inner: true}, "exchange", m.server.Services, q)
}

// counts makes the ledger a list of counters.
func (m *meter) counts() []metrics.Count {
	s := m.run.Load()
	if s == nil {
		return nil
	}
	st := s.flow.Stats()
	var all []metrics.Count
	for _, a := range accounts(&st, s.out) {
		add := func(name, label string, e entry, help string) {
			c := metrics.Count{Name: a.metric + name, Help: help, Value: float64(e.n)}
			if label != "" {
				c.Labels = append(c.Labels, [2]string{label, snake(e.name)})
			}
			if a.of != "" {
				c.Labels = append(c.Labels, [2]string{"output", a.of})
			}
			c.Gauge = label == ""
			all = append(all, c)
		}
		for _, e := range a.out {
			if passing(e.name) {
				add("_"+snake(e.name), "", e, "Those of "+words(a.metric)+" that are "+e.name+" now.")
			} else {
				add("_total", "way", e, "What became of "+words(a.metric)+".")
			}
		}
		for _, e := range a.beside {
			add("_beside_total", "what", e, "Worth knowing beside what became of "+words(a.metric)+".")
		}
	}
	for _, x := range s.out.all {
		q := x.queue.Stats()
		labels := [][2]string{{"output", x.label}}
		all = append(all,
			metrics.Count{Name: "output_circuit_open", Help: "1 while an output fails and is only probed.", Labels: labels, Value: float64(q.Circuit), Gauge: true},
			metrics.Count{Name: "output_held_bytes", Help: "Memory of records that wait for an output.", Labels: labels, Value: float64(q.Depth.Bytes), Gauge: true},
			metrics.Count{Name: "output_spool_bytes", Help: "Disk that the spool of an output takes.", Labels: labels, Value: float64(q.Spool.Bytes), Gauge: true})
	}
	return all
}

// passing tells whether an entry is of what is on its way, which becomes less
// again and so is no counter.
func passing(entry string) bool {
	switch entry {
	case "held", "open", "waiting", "spooled", elsewhere:
		return true
	}
	return false
}

// snake makes the name of an entry a label.
func snake(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r < '0' || r > '9' && r < 'A' || r > 'z' }), "_")
}

// healthy tells of outputs that have failed.
func (m *meter) healthy() error {
	s := m.run.Load()
	if s == nil {
		return fmt.Errorf("starting")
	}
	for _, x := range s.out.all {
		if err := x.queue.Err(); err != nil {
			return fmt.Errorf("output %s failed", x.name) // the error may name what is secret
		}
	}
	return nil
}

func (m *meter) close(ctx context.Context) error {
	if m == nil {
		return nil
	}
	return m.server.Close(ctx)
}
