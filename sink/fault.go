package sink

import "errors"

// Permanent marks err as one that the same records would meet again: they are
// dropped and counted, and the sink goes on with others. It is nil for nil.
func Permanent(err error) error { return mark(err, fault{permanent: true}) }

// Broken marks err as the end of the sink: it can take nothing any more. It is
// nil for nil.
func Broken(err error) error { return mark(err, fault{broken: true}) }

// Partial says that the first n records of a batch are delivered and that err
// is about the one behind them. It is nil for nil.
func Partial(n int, err error) error { return mark(err, fault{partial: true, delivered: n}) }

// PartlyRefused says that of a batch only so many records were delivered, and
// that all others would meet err again; which ones they are is not known. It is
// nil for nil.
func PartlyRefused(delivered int, err error) error {
	return mark(err, fault{permanent: true, delivered: delivered})
}

// IsPermanent tells whether err, or an error it wraps, was marked by Permanent.
func IsPermanent(err error) bool {
	return marked(err, func(f fault) bool { return f.permanent })
}

// IsBroken tells whether err, or an error it wraps, was marked by Broken.
func IsBroken(err error) bool {
	return marked(err, func(f fault) bool { return f.broken })
}

// IsPartial tells whether err, or an error it wraps, was made by Partial: it is
// then about one record, and else about the whole batch.
func IsPartial(err error) bool {
	return marked(err, func(f fault) bool { return f.partial })
}

// Delivered returns how many records of the batch were delivered before err.
func Delivered(err error) int {
	n := 0
	marked(err, func(f fault) bool { n = f.delivered; return n > 0 })
	return n
}

// fault is a mark on an error.
type fault struct {
	error
	permanent, broken, partial bool
	delivered                  int
}

func (f fault) Unwrap() error { return f.error }

func mark(err error, f fault) error {
	if err == nil {
		return nil
	}
	f.error = err
	return f
}

// marked tells whether err wraps a fault that is what is asked for.
func marked(err error, is func(fault) bool) bool {
	var f fault
	for errors.As(err, &f) {
		if is(f) {
			return true
		}
		err = f.error
	}
	return false
}
