package metrics

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/passiflow/passiflow/message"
)

// The bounds of what is told apart. Whoever sends requests chooses hosts and
// paths, and must not choose how much memory they take.
const (
	maxServices = 100
	maxRoutes   = 100 // of one service
	maxLabel    = 200 // bytes of a service or a route
	maxStatus   = 20  // statuses that no standard knows
	other       = "other"
)

// Services counts the requests of each service by method, route and status: a
// sink of records.
type Services struct {
	duration *prometheus.HistogramVec
	halves   *prometheus.CounterVec
	requests *prometheus.CounterVec
	mu       sync.Mutex
	routes   map[string]map[string]bool // by service
	odd      map[string]bool            // statuses that no standard knows
}

func newServices() *Services {
	labels := []string{"service", "method", "route", "status"}
	return &Services{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "passiflow_http_requests_total",
			Help: "Requests that were answered, by service, method, route and status."}, labels),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "passiflow_http_request_duration_seconds",
			Help:    "Time from the first byte of a request to the last of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, labels[:3]),
		halves: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "passiflow_http_halves_total",
			Help: "Requests without their answer and answers without their request, by service and reason."}, []string{"service", "reason"}),
		routes: map[string]map[string]bool{}, odd: map[string]bool{},
	}
}

// Describe implements prometheus.Collector.
func (s *Services) Describe(to chan<- *prometheus.Desc) {
	s.requests.Describe(to)
	s.duration.Describe(to)
	s.halves.Describe(to)
}

// Collect implements prometheus.Collector.
func (s *Services) Collect(to chan<- prometheus.Metric) {
	s.requests.Collect(to)
	s.duration.Collect(to)
	s.halves.Collect(to)
}

// Write implements sink.Sink.
func (s *Services) Write(_ context.Context, batch []*message.Exchange) error {
	for _, x := range batch {
		s.count(x)
	}
	return nil
}

// Close implements sink.Sink.
func (s *Services) Close(context.Context) error { return nil }

func (s *Services) count(x *message.Exchange) {
	route := ""
	if x.Request != nil {
		route = Route(x.Request.Target)
	}
	service, route := s.bounded(service(x), route)
	if x.Request == nil || x.Response == nil {
		s.halves.WithLabelValues(service, x.Half.String()).Inc()
		return
	}
	method := method(x.Request.Op)
	s.requests.WithLabelValues(service, method, route, s.status(x.Response.Status)).Inc()
	if d := x.Response.End.Sub(x.Request.Start); d >= 0 && x.Response.Marks&message.StillOpen == 0 {
		s.duration.WithLabelValues(service, method, route).Observe(d.Seconds())
	}
}

// bounded returns the labels for a service and its route, once it has as many
// as it may have "other".
func (s *Services) bounded(service, route string) (string, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	routes := s.routes[service]
	if routes == nil {
		if len(s.routes) >= maxServices {
			service = other
		}
		if routes = s.routes[service]; routes == nil {
			routes = map[string]bool{}
			s.routes[service] = routes
		}
	}
	if route != "" && !routes[route] {
		if len(routes) >= maxRoutes {
			return service, other
		}
		routes[route] = true
	}
	return service, route
}

// service is the host asked for, or the server's address where none was named.
func service(x *message.Exchange) string {
	if x.Request != nil {
		name, _ := x.Request.Get("host")
		if host := hostOf(name); host != "" {
			return host
		}
	}
	return x.Flow.Server.String()
}

// method keeps the methods of RFC 9110 and PATCH apart.
func method(op string) string {
	switch op {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return op
	}
	return other
}

// status keeps three digits apart, of numbers that no standard knows boundedly
// many.
func (s *Services) status(code string) string {
	if len(code) != 3 || code[0] == '0' || strings.Trim(code, "0123456789") != "" {
		return other
	}
	if n, err := strconv.Atoi(code); err == nil && http.StatusText(n) != "" {
		return code
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.odd[code] {
		if len(s.odd) >= maxStatus {
			return other
		}
		s.odd[code] = true
	}
	return code
}
