package sink

import (
	"errors"
	"io"
	"sync"
)

// loan lends bytes to an HTTP client, which may go on reading a body after it
// has returned the answer. Behind the end of the loan nothing is read of them.
type loan struct {
	mu    sync.Mutex
	bytes []byte
	ended bool
}

var errLoanEnded = errors.New("the answer came before the request had ended")

func (l *loan) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended, l.bytes = true, nil
}

// reader reads from the beginning.
func (l *loan) reader() io.ReadCloser { return &loanReader{l: l} }

type loanReader struct {
	l  *loan
	at int
}

func (r *loanReader) Read(b []byte) (int, error) {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	if r.l.ended {
		return 0, errLoanEnded
	}
	if r.at == len(r.l.bytes) {
		return 0, io.EOF
	}
	n := copy(b, r.l.bytes[r.at:])
	r.at += n
	return n, nil
}

func (*loanReader) Close() error { return nil }
