package sink

import (
	"math/rand/v2"
	"time"
)

// pace decides when a delivery that failed is tried again and when it is given
// up. It belongs to the delivering goroutine.
type pace struct {
	config   RetryConfig
	failures int       // in a row, of whatever batch
	tries    int       // of the batch at hand, in a row
	given    int       // records given up in a row
	began    time.Time // of the failures since Close was called; zero: none
}

func newPace(c RetryConfig) pace { return pace{config: c} }

// fresh begins another batch.
func (p *pace) fresh() { p.tries, p.given = 0, 0 }

// took notes that the sink took something, or refused it for its own sake: it
// works.
func (p *pace) took() { p.failures, p.tries, p.given, p.began = 0, 0, 0, time.Time{} }

// closing notes a failure while the queue is being closed and tells whether there
// is nothing but failures for too long.
func (p *pace) closing(now time.Time) bool {
	if p.began.IsZero() {
		p.began = now
	}
	return now.Sub(p.began) >= p.config.Closing
}

// left returns how much of the time for closing is left.
func (p *pace) left(now time.Time) time.Duration {
	if p.began.IsZero() {
		return p.config.Closing
	}
	return p.config.Closing - now.Sub(p.began)
}

// failed notes that the sink failed and tells whether the batch may be tried
// again.
func (p *pace) failed() (again bool) {
	p.failures++
	p.tries++
	if s := p.config.Schedule; len(s) > 0 {
		return p.tries <= len(s)
	}
	return p.config.Attempts == 0 || p.tries < p.config.Attempts
}

// gaveUp notes that one record of the batch was given up. The others have waited
// as long and are tried once more each; it reports false when too many of them
// failed in a row for that.
func (p *pace) gaveUp() (others bool) {
	p.given++
	p.tries--
	return p.given < p.config.Failures
}

// bounded tells whether attempts can be used up.
func (p *pace) bounded() bool { return len(p.config.Schedule) > 0 || p.config.Attempts > 0 }

// open tells whether the circuit is open.
func (p *pace) open() bool { return p.failures >= p.config.Failures }

// wait returns how long to wait before the next attempt.
func (p *pace) wait(asked time.Duration) time.Duration {
	if s := p.config.Schedule; len(s) > 0 {
		return s[min(max(p.tries, 1), len(s))-1] // who asked for these gets these
	}
	ceiling := p.config.Min
	for range p.failures {
		if ceiling >= p.config.Max/2 {
			ceiling = p.config.Max
			break
		}
		ceiling *= 2
	}
	d := p.config.Min
	if n := ceiling - d; n > 0 {
		d += rand.N(n)
	}
	return max(d, asked)
}
