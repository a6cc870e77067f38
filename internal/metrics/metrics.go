// Package metrics shows what a run counts, and how the services it watches do,
// to Prometheus.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what can be set.
type Config struct {
	// Address to listen on, as HOST:PORT; without a host, all addresses. No
	// default.
	Address string
	// Version of the program, shown as a label.
	Version string
	// Counts returns the ledger so far. It is called for each scrape.
	Counts func() []Count
	// Healthy returns why the run is not well, nil where it is.
	Healthy func() error
	Log     *slog.Logger // nil is silent
}

// Count is one number of the ledger.
type Count struct {
	Name   string // without prefix: "packets_total"
	Help   string
	Labels [][2]string
	Value  float64
	Gauge  bool // it can become smaller
}

// Server answers /metrics and /healthz. It never reads from or writes to what
// is captured.
type Server struct {
	Services *Services // takes records
	listener net.Listener
	server   *http.Server
	done     chan struct{}
}

// Open listens and begins to answer.
func Open(c Config) (*Server, error) {
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	r := prometheus.NewRegistry()
	s := &Server{Services: newServices(), listener: l, done: make(chan struct{})}
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &ledger{c.Counts}, s.Services)
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "passiflow_build_info", Help: "Always 1, with the version.", ConstLabels: prometheus.Labels{"version": c.Version}})
	info.Set(1)
	r.MustRegister(info)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.Healthy(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) && c.Log != nil {
			c.Log.Error("metrics are not answered any more", "error", err.Error())
		}
	}()
	return s, nil
}

// Address returns where it listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close stops answering.
func (s *Server) Close(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	<-s.done
	return err
}

// ledger shows counts that somebody else keeps.
type ledger struct{ counts func() []Count }

// Describe implements prometheus.Collector; what is shown depends on the run.
func (*ledger) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (l *ledger) Collect(to chan<- prometheus.Metric) {
	for _, c := range l.counts() {
		kind := prometheus.CounterValue
		if c.Gauge {
			kind = prometheus.GaugeValue
		}
		labels := prometheus.Labels{}
		for _, p := range c.Labels {
			labels[p[0]] = p[1]
		}
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc("passiflow_"+c.Name, c.Help, nil, labels), kind, c.Value)
	}
}
