package npcap

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/passiflow/passiflow/source"
)

const devicePrefix = `\Device\NPF_`

// Open loads the library and opens the devices. The Source is also a
// source.Live.
func Open(cfg Config) (source.Source, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	names, err := choose(cfg.Interfaces)
	if err != nil {
		return nil, err
	}
	lib, err := load(cfg.Library)
	if err != nil {
		return nil, err
	}
	c := &capture{wait: cfg.Wait}
	var events []windows.Handle
	for _, d := range names {
		h, err := lib.open(&cfg, d.device)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", d.Name, err), c.Close())
		}
		d.Interface.Link = h.link
		c.add(h, d.Interface)
		events = append(events, h.event)
	}
	c.await = func(wait time.Duration) error {
		_, err := windows.WaitForMultipleObjects(events, false, uint32(wait.Milliseconds()))
		if errors.Is(err, windows.Errno(windows.WAIT_TIMEOUT)) {
			return nil
		}
		return err
	}
	return c, nil
}

// named is a device with the name that the driver knows.
type named struct {
	source.Interface
	device string
}

func choose(names []string) ([]named, error) {
	var chosen []named
	if len(names) == 0 {
		found, err := source.Choose(nil)
		if err != nil {
			return nil, err
		}
		names = []string{found[0].Name}
	}
	ids, err := adapters()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, devicePrefix) {
			chosen = append(chosen, named{source.Interface{Name: name, Loopback: name == devicePrefix+"Loopback"}, name})
			continue
		}
		found, err := source.Choose([]string{name})
		if err != nil {
			return nil, err
		}
		d := named{found[0].Interface, devicePrefix + "Loopback"}
		if !d.Loopback {
			id, ok := ids[name]
			if !ok {
				return nil, fmt.Errorf("open %s: Windows does not tell its identifier", name)
			}
			d.device = devicePrefix + id
		}
		chosen = append(chosen, d)
	}
	return chosen, nil
}

// adapters returns the identifiers ("{GUID}") of the machine's interfaces by
// the names that Windows shows.
func adapters() (map[string]string, error) {
	size := uint32(15 << 10) // what Microsoft recommends to begin with
	for range 4 {
		buf := make([]byte, size)
		first := (*windows.IpAdapterAddresses)(unsafe.Pointer(&buf[0]))
		err := windows.GetAdaptersAddresses(windows.AF_UNSPEC, windows.GAA_FLAG_INCLUDE_PREFIX, 0, first, &size)
		if errors.Is(err, windows.ERROR_BUFFER_OVERFLOW) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("GetAdaptersAddresses: %w", err)
		}
		ids := map[string]string{}
		for a := first; a != nil; a = a.Next {
			ids[windows.UTF16PtrToString(a.FriendlyName)] = windows.BytePtrToString(a.AdapterName)
		}
		return ids, nil
	}
	return nil, errors.New("GetAdaptersAddresses: the list grows faster than it is read")
}
