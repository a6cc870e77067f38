package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Value is one setting's variable as text, the form in which flags, the
// environment and the file give it. It has the methods of a command-line flag.
type Value interface {
	// String returns the value in a form that Set accepts.
	String() string
	// Set parses and takes one value; a list appends.
	Set(text string) error
	// Type names the kind of value for help texts.
	Type() string
	// Clear empties a list, so that a stronger layer replaces a weaker one
	// and does not add to it. For other values it does nothing.
	Clear()
}

type single struct{}

func (single) Clear() {}

// text is free text.
type text struct {
	single
	p    *string
	kind string
}

func (v text) String() string     { return *v.p }
func (v text) Set(s string) error { *v.p = s; return nil }
func (v text) Type() string       { return v.kind }

// choice is one of a few words.
type choice struct {
	single
	p     *string
	words []string
}

func (v choice) String() string { return *v.p }
func (v choice) Type() string   { return strings.Join(v.words, "|") }
func (v choice) Set(s string) error {
	if slices.Contains(v.words, s) {
		*v.p = s
		return nil
	}
	return fmt.Errorf("%q is not one of %s%s", s, strings.Join(v.words, ", "), DidYouMean(s, v.words))
}

// list is several texts.
type list struct {
	p    *[]string
	kind string
	test func(string) error
}

func (v list) String() string { return strings.Join(*v.p, ",") }
func (v list) Type() string   { return v.kind }
func (v list) Clear()         { *v.p = nil }
func (v list) Set(s string) error {
	if s == "" {
		return errors.New("is empty")
	}
	if v.test != nil {
		if err := v.test(s); err != nil {
			return err
		}
	}
	*v.p = append(*v.p, s)
	return nil
}

// yes is true or false.
type yes struct {
	single
	p *bool
}

func (v yes) String() string   { return strconv.FormatBool(*v.p) }
func (v yes) Type() string     { return "bool" }
func (v yes) IsBoolFlag() bool { return true }
func (v yes) Set(s string) error {
	b, err := strconv.ParseBool(s)
	switch strings.ToLower(s) {
	case "yes", "on": // of YAML 1.1 and of habit
		b, err = true, nil
	case "no", "off":
		b, err = false, nil
	}
	if err != nil {
		return fmt.Errorf("%q is not true or false", s)
	}
	*v.p = b
	return nil
}

// number is a whole number within bounds.
type number struct {
	single
	p        *int
	min, max int
}

func (v number) String() string { return strconv.Itoa(*v.p) }
func (v number) Type() string   { return "N" }
func (v number) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%q is not a whole number", s)
	}
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("%s is not from %d to %d", s, v.min, v.max)
	}
	*v.p = n
	return nil
}

// size is a count of bytes. A number without a unit counts in unit bytes.
type size struct {
	single
	p        *int64
	unit     int64
	min, max int64
}

func (v size) String() string { return FormatSize(*v.p) }
func (v size) Type() string   { return "SIZE" }
func (v size) Set(s string) error {
	n, err := ParseSize(s, v.unit)
	if err != nil {
		return err
	}
	if n < v.min || n > v.max {
		if digits := strings.Trim(s, "0123456789"); digits == "" && v.unit > 1 {
			s += " (of " + FormatSize(v.unit) + ")"
		}
		return fmt.Errorf("%s is not from %s to %s", s, FormatSize(v.min), FormatSize(v.max))
	}
	*v.p = n
	return nil
}

type scale struct {
	name  string
	bytes int64
}

// scales lists the units of sizes: those that FormatSize writes first, and B,
// which ends the others, last.
func scales() []scale {
	return []scale{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"B", 1}}
}

// ParseSize reads a count of bytes such as 512, 64KiB, 1.5MiB or 10MB. KiB,
// MiB and GiB (K, M, G for short) are powers of 1024, kB, MB and GB of 1000. A
// number alone counts in unit bytes.
func ParseSize(s string, unit int64) (int64, error) {
	digits := strings.TrimSpace(s)
	for _, u := range scales() {
		if n := len(digits) - len(u.name); n > 0 && strings.EqualFold(digits[n:], u.name) {
			digits, unit = strings.TrimSpace(digits[:n]), u.bytes
			break
		}
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		if n < 0 || n > math.MaxInt64/unit {
			return 0, fmt.Errorf("%q is out of range", s)
		}
		return n * unit, nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(f >= 0) || f*float64(unit) > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is not a size such as 65536, 64KiB or 1MiB", s)
	}
	return int64(f * float64(unit)), nil
}

// FormatSize writes n so that ParseSize reads it back.
func FormatSize(n int64) string {
	if n != 0 {
		for _, u := range scales()[:3] {
			if n%u.bytes == 0 {
				return strconv.FormatInt(n/u.bytes, 10) + u.name
			}
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// duration is a span of time.
type duration struct {
	single
	p        *time.Duration
	min, max time.Duration
}

func (v duration) Type() string   { return "DURATION" }
func (v duration) String() string { return formatDuration(*v.p) }

// formatDuration drops the zero parts that time.Duration writes ("30m0s").
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func (v duration) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 500ms, 30s or 5m", s)
	}
	if d < v.min || d > v.max {
		return fmt.Errorf("%s is not from %s to %s", s, formatDuration(v.min), formatDuration(v.max))
	}
	*v.p = d
	return nil
}

// Range is a range of numbers, both ends included.
type Range struct{ From, To uint32 }

// String writes 80 or 8000-8080.
func (r Range) String() string {
	if r.From == r.To {
		return strconv.FormatUint(uint64(r.From), 10)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// ranges is a list of numbers and ranges, separated by commas.
type ranges struct {
	p        *[]Range
	min, max uint32
	kind     string
}

func (v ranges) Type() string { return v.kind }
func (v ranges) Clear()       { *v.p = nil }
func (v ranges) String() string {
	var b strings.Builder
	for i, r := range *v.p {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(r.String())
	}
	return b.String()
}

func (v ranges) Set(s string) error {
	for _, part := range strings.Split(s, ",") {
		part = strings.TrimSpace(part)
		from, to, span := strings.Cut(part, "-")
		if !span {
			to = from
		}
		a, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 32)
		b, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 32)
		switch {
		case err1 != nil || err2 != nil:
			return fmt.Errorf("%q is not a number or a range such as 8000-8080", part)
		case uint32(a) < v.min || uint32(b) > v.max:
			return fmt.Errorf("%s is not from %d to %d", part, v.min, v.max)
		case a > b:
			return fmt.Errorf("%s runs backwards", part)
		}
		*v.p = append(*v.p, Range{uint32(a), uint32(b)})
	}
	return nil
}

// share is a part of the whole.
type share struct {
	single
	p *float64
}

func (v share) Type() string { return "SHARE" }
func (v share) String() string {
	return strconv.FormatFloat(*v.p*100, 'g', -1, 64) + "%"
}

func (v share) Set(s string) error {
	digits, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return fmt.Errorf("%q is not a share such as 10%% or 0.1", s)
	}
	if percent {
		f /= 100
	}
	if !(f > 0 && f <= 1) {
		return fmt.Errorf("%s is not above 0%% and up to 100%%", s)
	}
	*v.p = f
	return nil
}
