package main

import (
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestByNumber(t *testing.T) {
	all := []net.Interface{{Index: 1, Name: "lo"}, {Index: 4, Name: "eth0"}, {Index: 7, Name: "5"}, {Index: 5, Name: "eth1"}}
	got := byNumber([]string{"4", "lo", "0", "5", "9", "4x", "any"}, all)
	if d := cmp.Diff([]string{"eth0", "lo", "any", "5", "9", "4x", "any"}, got); d != "" {
		t.Error(d)
	}
}
