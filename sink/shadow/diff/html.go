package diff

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed report.html
var pages embed.FS

// WriteHTML writes r as one page that needs nothing else: no script, no font,
// no picture from elsewhere.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("report.html").Funcs(template.FuncMap{
		"time":  round,
		"width": func(d time.Duration) template.CSS { return r.width(d) },
		"when":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"share": share,
		"place": Difference.place,
	}).ParseFS(pages, "report.html")
	if err != nil {
		return fmt.Errorf("page of the report: %w", err)
	}
	return t.Execute(w, r)
}

// width returns how long the bar of a latency is, in percent of the longest.
func (r *Report) width(d time.Duration) template.CSS {
	longest := max(r.FirstByte.Recorded.Max, r.FirstByte.Replayed.Max, r.LastByte.Recorded.Max, r.LastByte.Replayed.Max, 1)
	return template.CSS(fmt.Sprintf("%.2f%%", 100*float64(d)/float64(longest)))
}

// share writes n of all in percent.
func share(n, all int64) string {
	if all == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3g %%", 100*float64(n)/float64(all))
}

// topRoutes is how many routes the page shows at once.
const topRoutes = 25

// TopRoutes lists the routes that the page shows at once.
func (r *Report) TopRoutes() []RouteCount { return r.Routes[:min(topRoutes, len(r.Routes))] }

// MoreRoutes lists the others.
func (r *Report) MoreRoutes() []RouteCount { return r.Routes[min(topRoutes, len(r.Routes)):] }

// Bars lists the percentiles that the page draws.
func (r *Report) Bars() (all []Bar) {
	l := r.LastByte
	if l.Recorded.Count == 0 {
		l = r.FirstByte
	}
	if l.Recorded.Count == 0 {
		return nil
	}
	a, b := l.Recorded, l.Replayed
	return []Bar{{"p50", a.P50, b.P50}, {"p90", a.P90, b.P90}, {"p95", a.P95, b.P95}, {"p99", a.P99, b.P99}, {"max", a.Max, b.Max}}
}

// Bar is one percentile of both sides.
type Bar struct {
	Name               string
	Recorded, Replayed time.Duration
}
