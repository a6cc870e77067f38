package afpacket

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// group is what the workers of one Open share.
type group struct {
	cfg   Config
	log   *slog.Logger
	place []bpf.RawInstruction
	watch *watcher

	mu      sync.Mutex
	workers []*worker
	open    int // workers that were not closed
	filter  func(packet.Link) ([]bpf.RawInstruction, error)
	list    []source.Interface
	live    map[string]*device
}

// device is a device that is captured, with a ring for each worker.
type device struct {
	source.Device
	rings []*ring
	up    bool
}

// Open begins to capture and returns cfg.Workers sources, each of which is read
// by a goroutine of its own and closed by itself. The filter is in place before
// the first packet is taken. A refused right satisfies
// errors.Is(err, os.ErrPermission). A nil log is silent.
//
// The sources have the method
//
//	SetFilter(func(packet.Link) ([]bpf.RawInstruction, error)) error
//
// which swaps the filter of all of them, when cfg.Swap is set.
func Open(cfg Config, log *slog.Logger) ([]source.Source, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	found, err := source.Devices()
	if err != nil {
		return nil, err
	}
	cfg.Interfaces = slices.Clone(cfg.Interfaces)
	if len(cfg.Interfaces) == 0 {
		i := slices.IndexFunc(found, func(d source.Device) bool { return d.Up && !d.Loopback })
		if i < 0 {
			return nil, fmt.Errorf("open: no interface is up but loopback; name one of: %s", names(found))
		}
		cfg.Interfaces = []string{found[i].Name}
	}
	g := &group{cfg: cfg, log: log, open: cfg.Workers, filter: cfg.Filter, live: map[string]*device{}}
	if cfg.Workers > 1 {
		if g.place, err = placement(cfg.VXLANPorts, cfg.GENEVEPorts); err != nil {
			return nil, fmt.Errorf("open: %w", err)
		}
	}
	for range cfg.Workers {
		w, err := newWorker(g)
		if err != nil {
			g.close()
			return nil, fmt.Errorf("open: %w", err)
		}
		g.workers = append(g.workers, w)
	}
	// The watcher listens before the devices are listed, so that no change falls
	// between the two.
	if g.watch, err = newWatcher(); err != nil {
		g.close()
		return nil, fmt.Errorf("open: %w", err)
	}
	if err := g.scan(true); err != nil {
		g.close()
		g.watch.close()
		return nil, err
	}
	go g.follow()
	sources := make([]source.Source, len(g.workers))
	for i, w := range g.workers {
		sources[i] = w
	}
	return sources, nil
}

func names(found []source.Device) string {
	var all []string
	for _, d := range found {
		all = append(all, d.Name)
	}
	return strings.Join(append(all, anyDevice), ", ")
}

// scan opens the devices that have appeared and lets go of those that are gone.
// At first a device that does not exist is an error, unless Config.Wait.
func (g *group) scan(first bool) error {
	found, err := source.Devices()
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == 0 {
		return nil
	}
	for _, name := range g.cfg.Interfaces {
		now := lookup(found, name)
		was := g.live[name]
		if was != nil && (now == nil || now.Index != was.Index || now.Hardware != was.Hardware) {
			g.log.Warn("interface is gone", "interface", name)
			g.drop(was)
			delete(g.live, name)
			was = nil
		}
		switch {
		case now == nil && first && !g.cfg.Wait:
			return fmt.Errorf("open %s: no such interface; there are: %s", name, names(found))
		case now == nil && first:
			g.log.Info("interface does not exist yet", "interface", name)
		case now != nil && was == nil:
			// Kernels before 6.12 take no socket of a device that is down into
			// a group of workers.
			if !now.Up && g.cfg.Workers > 1 {
				if first {
					g.log.Warn("interface is down", "interface", name)
				}
				continue
			}
			d, err := g.start(now)
			if err != nil && first {
				return fmt.Errorf("open %s: %w", name, err)
			}
			if err != nil {
				g.log.Error("interface came back but cannot be captured", "interface", name, "error", err)
				continue
			}
			g.live[name] = d
			if !d.up {
				g.log.Warn("interface is down", "interface", name)
			} else if !first {
				g.log.Info("interface is captured", "interface", name)
			}
		case now != nil && now.Up != was.up:
			if was.up = now.Up; now.Up {
				g.log.Info("interface is up again", "interface", name)
			} else {
				g.log.Warn("interface is down", "interface", name)
			}
		}
	}
	return nil
}

func lookup(found []source.Device, name string) *source.Device {
	if name == anyDevice {
		return &source.Device{Interface: source.Interface{Name: anyDevice, Link: packet.LinkSLL2}, Up: true}
	}
	for i := range found {
		if found[i].Name == name {
			return &found[i]
		}
	}
	return nil
}

// start opens the rings of a device, one for each worker. The order keeps every
// packet out that the filter or another worker should have had: a lone ring has
// its filter before it is bound; several first refuse everything, and get their
// filter when all of them have joined.
func (g *group) start(from *source.Device) (_ *device, err error) {
	d := &device{Device: *from, up: from.Up}
	defer func() {
		if err != nil {
			for _, r := range d.rings {
				r.close()
			}
		}
	}()
	filter, err := g.compile(&d.Device, g.filter)
	if err != nil {
		return nil, err
	}
	if d.MaxFrame > g.cfg.Snaplen {
		g.log.Warn("interface may show frames that are longer than the snaplen", "interface", d.Name, "bytes", d.MaxFrame, "snaplen", g.cfg.Snaplen)
	}
	at := g.slot(d.Interface)
	shared, id := g.cfg.Workers > 1, 0
	for range g.workers {
		r, err := openRing(&g.cfg, &d.Device)
		if err != nil {
			return nil, err
		}
		r.index = at
		d.rings = append(d.rings, r)
		before := filter
		if shared {
			before = reject()
		}
		if err := r.attach(before); err != nil {
			return nil, err
		}
		if d.Loopback {
			// The filter does the same; the kernel then does not even copy.
			// Kernels before 4.20 do not know the option.
			_ = unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		}
		if err := r.bind(); err != nil {
			return nil, err
		}
		if shared {
			if id, err = r.join(id, g.place); err != nil {
				return nil, err
			}
		}
	}
	if g.cfg.Promiscuous && d.Index != 0 {
		if err := d.rings[0].promiscuous(); err != nil {
			return nil, err
		}
	}
	for _, r := range d.rings {
		if shared {
			if err := r.attach(filter); err != nil {
				return nil, err
			}
		}
		if !g.cfg.Swap {
			if err := r.lock(); err != nil {
				return nil, err
			}
		}
	}
	for i, r := range d.rings {
		g.workers[i].add(r)
	}
	return d, nil
}

func (g *group) compile(d *source.Device, filter func(packet.Link) ([]bpf.RawInstruction, error)) ([]bpf.RawInstruction, error) {
	var user []bpf.RawInstruction
	if filter != nil {
		var err error
		if user, err = filter(d.Link); err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
	}
	return kernelFilter(user, d.Link, d.Loopback || d.Index == 0, g.cfg.Snaplen)
}

func (g *group) setFilter(filter func(packet.Link) ([]bpf.RawInstruction, error)) error {
	if !g.cfg.Swap {
		return errors.New("set filter: the filter is locked; open with Swap to change it")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	// Compile for all before the first is touched: all change or none.
	programs := map[*device][]bpf.RawInstruction{}
	for _, d := range g.live {
		prog, err := g.compile(&d.Device, filter)
		if err != nil {
			return err
		}
		programs[d] = prog
	}
	g.filter = filter
	var faults []error
	for d, prog := range programs {
		for i, r := range d.rings {
			if err := g.workers[i].attach(r, prog); err != nil {
				faults = append(faults, fmt.Errorf("set filter of %s: %w", d.Name, err))
			}
		}
	}
	return errors.Join(faults...)
}

// drop tells the readers that a device is gone; they read what is left of it.
func (g *group) drop(d *device) {
	for i, r := range d.rings {
		r.gone.Store(true)
		g.workers[i].rouse()
	}
}

// slot returns the index of a device in the list, under mu.
func (g *group) slot(d source.Interface) int {
	if i := slices.Index(g.list, d); i >= 0 {
		return i
	}
	// Interfaces hands the old slice out: never write into it.
	g.list = append(slices.Clone(g.list), d)
	return len(g.list) - 1
}

// seen returns the index of a device that the ring of all devices showed.
func (g *group) seen(ifindex int, hardware uint16) int {
	d := source.Interface{Name: "if" + strconv.Itoa(ifindex), Link: packet.LinkSLL2, Loopback: hardware == unix.ARPHRD_LOOPBACK}
	if found, err := source.Devices(); err == nil {
		for i := range found {
			if found[i].Index == ifindex {
				d.Name = found[i].Name
			}
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.slot(d)
}

func (g *group) interfaces() []source.Interface {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.list
}

// leave is called once by each worker that is closed; the last one ends the
// watch.
func (g *group) leave() {
	g.mu.Lock()
	g.open--
	last := g.open == 0
	g.mu.Unlock()
	if last && g.watch != nil {
		g.watch.stop()
	}
}

func (g *group) close() {
	for _, w := range g.workers {
		w.Close()
	}
}
