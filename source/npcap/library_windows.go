package npcap

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/windows"

	"github.com/passiflow/passiflow/packet"
)

const errorBytes = 256 // PCAP_ERRBUF_SIZE

// library holds the functions of wpcap.dll, which stays loaded.
type library struct {
	create, setSnaplen, setPromisc, setTimeout, setBuffer, activate uintptr
	setNonblock, getEvent, datalink, setFilter, nextEx, stats       uintptr
	closeHandle, getErr, statusText                                 uintptr
}

// load looks where Npcap lives, which is not on the search path, and loads with
// its folder for the libraries it needs in turn. No other folder is searched:
// whoever can write there would run code with our rights.
func load(path string) (*library, error) {
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return nil, fmt.Errorf("load wpcap.dll: %w", err)
	}
	paths := []string{filepath.Join(system, "Npcap", "wpcap.dll"), filepath.Join(system, "wpcap.dll")}
	if path != "" {
		if !filepath.IsAbs(path) {
			return nil, fmt.Errorf("load %s: give the whole path", path)
		}
		paths = []string{path}
	}
	var faults []error
	for _, p := range paths {
		h, err := windows.LoadLibraryEx(p, 0, windows.LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR|windows.LOAD_LIBRARY_SEARCH_SYSTEM32)
		if err != nil {
			faults = append(faults, fmt.Errorf("load %s: %w", p, err))
			continue
		}
		lib := &library{}
		if err := lib.bind(h); err != nil {
			return nil, fmt.Errorf("load %s: %w", p, err)
		}
		return lib, nil
	}
	return nil, fmt.Errorf("%w: install Npcap (npcap.com)", errors.Join(faults...))
}

func (l *library) bind(h windows.Handle) error {
	for _, f := range []struct {
		name string
		to   *uintptr
	}{
		{"pcap_create", &l.create}, {"pcap_set_snaplen", &l.setSnaplen}, {"pcap_set_promisc", &l.setPromisc},
		{"pcap_set_timeout", &l.setTimeout}, {"pcap_set_buffer_size", &l.setBuffer}, {"pcap_activate", &l.activate},
		{"pcap_setnonblock", &l.setNonblock}, {"pcap_getevent", &l.getEvent}, {"pcap_datalink", &l.datalink},
		{"pcap_setfilter", &l.setFilter}, {"pcap_next_ex", &l.nextEx}, {"pcap_stats", &l.stats},
		{"pcap_close", &l.closeHandle}, {"pcap_geterr", &l.getErr}, {"pcap_statustostr", &l.statusText},
	} {
		at, err := windows.GetProcAddress(h, f.name)
		if err != nil {
			return fmt.Errorf("%s: %w: install a newer Npcap", f.name, err)
		}
		*f.to = at
	}
	return nil
}

// handle is an opened device, a pcap_t.
type handle struct {
	lib   *library
	p     uintptr
	event windows.Handle
	link  packet.Link
	// Where next_ex puts what it found; in the handle so that it is not
	// allocated for each packet.
	head *header
	data *byte
}

func call(f uintptr, args ...uintptr) int32 {
	r, _, _ := syscall.SyscallN(f, args...)
	return int32(r)
}

func text(p uintptr, _ uintptr, _ syscall.Errno) string {
	return windows.BytePtrToString(*(**byte)(unsafe.Pointer(&p)))
}

func (h *handle) fault(step string) error {
	return fmt.Errorf("%s: %s", step, text(syscall.SyscallN(h.lib.getErr, h.p)))
}

// open opens a device with the filter set before a packet is read: what the
// driver took before it is thrown away with the filter's change.
func (l *library) open(cfg *Config, device string) (_ *handle, err error) {
	name, err := windows.BytePtrFromString(device)
	if err != nil {
		return nil, err
	}
	var fault [errorBytes]byte
	p, _, _ := syscall.SyscallN(l.create, uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&fault[0])))
	if p == 0 {
		return nil, errors.New(windows.ByteSliceToString(fault[:]))
	}
	h := &handle{lib: l, p: p}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	promiscuous := uintptr(0)
	if cfg.Promiscuous {
		promiscuous = 1
	}
	for _, set := range []struct {
		name string
		f, v uintptr
	}{
		{"pcap_set_snaplen", l.setSnaplen, uintptr(cfg.Snaplen)},
		{"pcap_set_promisc", l.setPromisc, promiscuous},
		{"pcap_set_timeout", l.setTimeout, uintptr(cfg.Wait.Milliseconds())},
		{"pcap_set_buffer_size", l.setBuffer, uintptr(cfg.BufferBytes)},
	} {
		if r := call(set.f, p, set.v); r != 0 {
			return nil, fmt.Errorf("%s: %s", set.name, text(syscall.SyscallN(l.statusText, uintptr(r))))
		}
	}
	if r := call(l.activate, p); r < 0 { // above 0: a warning
		const denied = -8 // PCAP_ERROR_PERM_DENIED
		err := fmt.Errorf("%s (%s)", text(syscall.SyscallN(l.statusText, uintptr(r))), text(syscall.SyscallN(l.getErr, p)))
		if r == denied {
			return nil, fmt.Errorf("%w: run as administrator, or install Npcap without restricting it to administrators", err)
		}
		return nil, err
	}
	if h.link, err = linkType(int(call(l.datalink, p))); err != nil {
		return nil, err
	}
	code, err := cfg.program(h.link)
	if err != nil {
		return nil, err
	}
	if len(code) > 0 {
		if err := h.filter(code); err != nil {
			return nil, err
		}
	}
	if call(l.setNonblock, p, 1, uintptr(unsafe.Pointer(&fault[0]))) != 0 {
		return nil, fmt.Errorf("pcap_setnonblock: %s", windows.ByteSliceToString(fault[:]))
	}
	event, _, _ := syscall.SyscallN(l.getEvent, p)
	if event == 0 {
		return nil, errors.New("the driver gives no event to wait for")
	}
	h.event = windows.Handle(event)
	return h, nil
}

func (h *handle) filter(code []bpf.RawInstruction) error {
	type instruction struct {
		op     uint16
		jt, jf uint8
		k      uint32
	}
	list := make([]instruction, len(code))
	for i, in := range code {
		list[i] = instruction{in.Op, in.Jt, in.Jf, in.K}
	}
	program := struct {
		n    uint32
		list *instruction
	}{uint32(len(list)), &list[0]}
	if call(h.lib.setFilter, h.p, uintptr(unsafe.Pointer(&program))) != 0 {
		return h.fault("pcap_setfilter")
	}
	return nil
}

func (h *handle) next() (*header, []byte, error) {
	r, _, _ := syscall.SyscallN(h.lib.nextEx, h.p, uintptr(unsafe.Pointer(&h.head)), uintptr(unsafe.Pointer(&h.data)))
	switch int32(r) {
	case 1:
		return h.head, unsafe.Slice(h.data, h.head.size), nil
	case 0:
		return nil, nil, nil
	}
	return nil, nil, h.fault("pcap_next_ex")
}

func (h *handle) lost() (uint32, bool) {
	var st [16]uint32 // struct pcap_stat, with room for what newer ones add
	if call(h.lib.stats, h.p, uintptr(unsafe.Pointer(&st))) != 0 {
		return 0, false
	}
	return st[1] + st[2], true // ps_drop, ps_ifdrop
}

func (h *handle) close() { _, _, _ = syscall.SyscallN(h.lib.closeHandle, h.p) }
