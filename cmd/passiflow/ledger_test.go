package main

import (
	"strings"
	"testing"
)

func TestLedger(t *testing.T) {
	var b strings.Builder
	if err := writeLedger(&b, []account{
		{what: "packets", in: 1234567, out: []entry{{"parsed", 1234000}, {"filtered", 567}, {"malformed", 0}}, beside: []entry{{"dropped by the kernel", 3}}},
		{what: "messages", in: 10, out: []entry{{"in exchanges", 8}}},
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"packets                            1,234,567\n", "  filtered                               567\n", "2 do not add up", "dropped by the kernel"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "malformed") {
		t.Error("a way that nothing went")
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", 1<<64 - 1: "18,446,744,073,709,551,615"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}
