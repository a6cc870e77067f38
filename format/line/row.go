package line

import (
	"strconv"
	"time"
)

// style is an SGR sequence (ECMA-48 section 8.3.117).
type style string

const (
	plain  style = "\x1b[0m"
	bold   style = "\x1b[1m"
	dim    style = "\x1b[2m"
	red    style = "\x1b[31m"
	green  style = "\x1b[32m"
	yellow style = "\x1b[33m"
	cyan   style = "\x1b[36m"
)

type side bool

const (
	left  side = false
	right side = true
)

// row is a line in the making. It knows how many columns it fills.
type row struct {
	dst    []byte
	column int
	colors bool
}

func (r *row) color(s style) {
	if r.colors {
		r.dst = append(r.dst, s...)
	}
}

func (r *row) space(n int) {
	for range n {
		r.dst = append(r.dst, ' ')
	}
	r.column += max(n, 0)
}

func (r *row) text(b []byte) {
	r.dst = append(r.dst, b...)
	r.column += columns(b)
}

// cell appends b and fills it up to width columns.
func (r *row) cell(b []byte, width int, s side) {
	fill := width - columns(b)
	if s == right {
		r.space(fill)
		fill = 0
	}
	r.text(b)
	r.space(fill)
}

// end returns the line without blanks at its end.
func (r *row) end() []byte {
	n := len(r.dst)
	for n > 0 && r.dst[n-1] == ' ' {
		n--
	}
	return append(r.dst[:n], '\n')
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// appendSize appends a count of bytes, nothing for one that is not known.
func appendSize(dst []byte, n int64) []byte {
	switch {
	case n < 0:
		return dst
	case n < 1000:
		return append(appendInt(dst, n), " B"...)
	}
	return appendScaled(dst, float64(n), 1000, " kB", " MB", " GB", " TB", " PB", " EB")
}

func appendDuration(dst []byte, d time.Duration) []byte {
	switch us := float64(d) / 1e3; {
	case d < 0:
		return dst
	case us < 999.5:
		return append(appendInt(dst, int64(us+0.5)), " µs"...)
	case us < 59.995e6:
		return appendScaled(dst, us, 1000, " ms", " s")
	}
	return append(dst, d.Round(time.Second).String()...)
}

// appendScaled appends n with three digits in the first unit that holds it.
func appendScaled(dst []byte, n float64, step float64, units ...string) []byte {
	n /= step
	for len(units) > 1 && n >= 999.5 {
		n /= step
		units = units[1:]
	}
	digits := 0
	switch {
	case n < 9.995:
		digits = 2
	case n < 99.95:
		digits = 1
	}
	return append(strconv.AppendFloat(dst, n, 'f', digits, 64), units[0]...)
}
