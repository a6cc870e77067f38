// Package filter compiles a filter expression of the pcap-filter(7) language
// to a classic BPF program, without libpcap and without cgo.
package filter
