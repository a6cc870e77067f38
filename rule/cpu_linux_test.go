package rule_test

import (
	"syscall"
	"testing"
)

// cpu reports the processor's time, which other programs do not disturb.
func cpu(b *testing.B) func() {
	var from syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &from)
	return func() {
		var to syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &to)
		b.ReportMetric(float64(to.Utime.Nano()-from.Utime.Nano()+to.Stime.Nano()-from.Stime.Nano())/float64(b.N), "cpu-ns/op")
	}
}
