//go:build libpcap && cgo && unix

package libpcap

/*
#cgo LDFLAGS: -lpcap
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	int64_t sec, frac;
	uint32_t size, wire;
} passiflow_record;

// Copies packets that wait, one behind the other, until n are there, no other
// is, or room for one of snaplen bytes may not be. Returns how many, or an error
// of libpcap.
static int passiflow_take(pcap_t *p, passiflow_record *records, int n, uint8_t *to, size_t room, size_t snaplen) {
	int i = 0;
	while (i < n && room >= snaplen) {
		struct pcap_pkthdr *h;
		const u_char *data;
		int r = pcap_next_ex(p, &h, &data);
		if (r < 0 && i == 0)
			return r;
		if (r <= 0)
			break;
		size_t size = h->caplen < room ? h->caplen : room;
		memcpy(to, data, size);
		records[i].sec = h->ts.tv_sec;
		records[i].frac = h->ts.tv_usec;
		records[i].size = size;
		records[i].wire = h->len;
		to += size;
		room -= size;
		i++;
	}
	return i;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/passiflow/passiflow/packet"
)

// handle is one device, a pcap_t.
type handle struct {
	p       *C.pcap_t
	name    string
	link    packet.Link
	unit    int64 // nanoseconds of a time stamp's fraction
	fd      int   // to wait on, -1: none
	drops   uint64
	last    uint32
	records []C.passiflow_record
	data    []byte // the packets of the batch
}

func (h *handle) fault(step string) error {
	return fmt.Errorf("%s: %s", step, C.GoString(C.pcap_geterr(h.p)))
}

func openHandle(cfg *Config, name string) (_ *handle, err error) {
	device := C.CString(name)
	defer C.free(unsafe.Pointer(device))
	var why [C.PCAP_ERRBUF_SIZE]C.char
	p := C.pcap_create(device, &why[0])
	if p == nil {
		return nil, errors.New(C.GoString(&why[0]))
	}
	h := &handle{p: p, name: name, unit: 1000}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	promiscuous := C.int(0)
	if cfg.Promiscuous {
		promiscuous = 1
	}
	// These only fail on an active handle.
	C.pcap_set_snaplen(p, C.int(cfg.Snaplen))
	C.pcap_set_promisc(p, promiscuous)
	C.pcap_set_timeout(p, C.int(cfg.Wait.Milliseconds()))
	C.pcap_set_buffer_size(p, C.int(cfg.BufferBytes))
	C.pcap_set_tstamp_precision(p, C.PCAP_TSTAMP_PRECISION_NANO) // where it is known
	if r := C.pcap_activate(p); r < 0 {
		err := fmt.Errorf("%s (%s)", C.GoString(C.pcap_statustostr(r)), C.GoString(C.pcap_geterr(p)))
		if r == C.PCAP_ERROR_PERM_DENIED {
			return nil, fmt.Errorf("%w: %w: %s", err, os.ErrPermission, cure(runtime.GOOS))
		}
		return nil, err
	}
	if C.pcap_get_tstamp_precision(p) == C.PCAP_TSTAMP_PRECISION_NANO {
		h.unit = 1
	}
	switch n := C.pcap_datalink(p); {
	case n < 0:
		return nil, h.fault("link type")
	case n == C.DLT_RAW:
		h.link = packet.LinkRaw
	default:
		h.link = packet.Link(n)
	}
	if err := h.filter(cfg); err != nil {
		return nil, err
	}
	if C.pcap_setnonblock(p, 1, &why[0]) != 0 {
		return nil, errors.New(C.GoString(&why[0]))
	}
	h.fd = int(C.pcap_get_selectable_fd(p))
	h.data = make([]byte, cfg.Snaplen+1<<20)
	return h, nil
}

func (h *handle) filter(cfg *Config) error {
	if cfg.Filter == nil {
		return nil
	}
	code, err := cfg.Filter(h.link)
	if err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	if len(code) == 0 {
		return nil
	}
	// The program is in C's memory, because it holds a pointer.
	list := (*C.struct_bpf_insn)(C.calloc(C.size_t(len(code)), C.sizeof_struct_bpf_insn))
	defer C.free(unsafe.Pointer(list))
	for i, at := range unsafe.Slice(list, len(code)) {
		at.code, at.jt, at.jf, at.k = C.u_short(code[i].Op), C.u_char(code[i].Jt), C.u_char(code[i].Jf), C.bpf_u_int32(code[i].K)
		unsafe.Slice(list, len(code))[i] = at
	}
	program := (*C.struct_bpf_program)(C.calloc(1, C.sizeof_struct_bpf_program))
	defer C.free(unsafe.Pointer(program))
	program.bf_len, program.bf_insns = C.u_int(len(code)), list
	if C.pcap_setfilter(h.p, program) != 0 {
		return h.fault("filter")
	}
	return nil
}

// take fills batch with packets that wait.
func (h *handle) take(batch []packet.Packet, index, snaplen int) (int, error) {
	if len(h.records) < len(batch) {
		h.records = make([]C.passiflow_record, len(batch))
	}
	n := int(C.passiflow_take(h.p, &h.records[0], C.int(len(batch)), (*C.uint8_t)(&h.data[0]), C.size_t(len(h.data)), C.size_t(snaplen)))
	if n < 0 {
		return 0, h.fault("read " + h.name)
	}
	at := 0
	for i, r := range h.records[:n] {
		end := at + int(r.size)
		batch[i] = packet.Packet{
			Time:      packet.Time(int64(r.sec)*1e9 + int64(r.frac)*h.unit),
			Data:      h.data[at:end:end],
			Length:    int(max(r.size, r.wire)),
			Link:      h.link,
			Interface: index,
		}
		at = end
	}
	return n, nil
}

// countDrops adds what was dropped since the last call; the count wraps.
func (h *handle) countDrops() {
	var st C.struct_pcap_stat
	if C.pcap_stats(h.p, &st) == 0 {
		now := uint32(st.ps_drop) + uint32(st.ps_ifdrop)
		h.drops += uint64(now - h.last)
		h.last = now
	}
}

func (h *handle) close() { C.pcap_close(h.p) }
