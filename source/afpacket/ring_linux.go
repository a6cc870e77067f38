package afpacket

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/source"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// ring is a packet socket of one device and the memory it shares with the
// kernel. The reader alone touches what is not said to be shared.
type ring struct {
	fd      int
	memory  []byte
	size    int // bytes of a block
	count   int // blocks
	link    packet.Link
	index   int   // of the device in the source's list
	ifindex int   // of the system
	any     bool  // one socket for all devices
	wait    int64 // nanoseconds after which a packet has been handed over for sure

	free   int            // block to give back next
	block  int            // block that is read, or will be
	left   uint32         // packets left in it; 0: it was not begun
	header unsafe.Pointer // next packet

	gone    atomic.Bool // shared: the device is no more
	over    int64       // when a ring that is gone is believed to be empty
	counted source.Stats
	freezes uint64
	read    atomic.Uint64 // shared: packets that Read returned
}

// openRing makes a ring that takes no packet yet.
func openRing(cfg *Config, d *source.Device) (*ring, error) {
	r := &ring{fd: -1, size: cfg.block(), count: cfg.blocks(), link: d.Link, ifindex: d.Index, any: d.Index == 0}
	// The kernel looks at its blocks once every BlockTimeout, give or take ticks.
	r.wait = int64(cfg.BlockTimeout + max(cfg.BlockTimeout/4, 10*time.Millisecond))
	kind := unix.SOCK_DGRAM // the frame begins at its network header
	if r.link == packet.LinkEthernet {
		kind = unix.SOCK_RAW
	}
	// With protocol 0 the socket is deaf until it is bound.
	fd, err := unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("packet socket: %w: the right CAP_NET_RAW is missing: run as root, in a container with --cap-add NET_RAW, or once: sudo setcap cap_net_raw+ep %s", err, executable())
		}
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	r.fd = fd
	if err := r.set(cfg); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return r, nil
}

func executable() string {
	if name, err := os.Executable(); err == nil {
		return name
	}
	return os.Args[0]
}

func (r *ring) set(cfg *Config) error {
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return fmt.Errorf("choose TPACKET_V3: %w", err)
	}
	req := unix.TpacketReq3{
		Block_size: uint32(r.size), Block_nr: uint32(r.count),
		// Frames are packed; this only has to divide the block.
		Frame_size: granule, Frame_nr: uint32(r.size / granule * r.count),
		Retire_blk_tov: uint32(cfg.BlockTimeout.Milliseconds()),
	}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return fmt.Errorf("make a ring of %d blocks of %d bytes: %w; a smaller buffer may fit", r.count, r.size, err)
	}
	memory, err := unix.Mmap(r.fd, 0, r.size*r.count, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map the ring: %w", err)
	}
	r.memory = memory
	return nil
}

// bind begins to take packets.
func (r *ring) bind() error {
	if err := unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: r.ifindex}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

func networkOrder(v uint16) uint16 {
	b := [2]byte{byte(v >> 8), byte(v)}
	return *(*uint16)(unsafe.Pointer(&b))
}

func (r *ring) attach(filter []bpf.RawInstruction) error {
	prog := fprog(filter)
	if err := unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return fmt.Errorf("attach a filter of %d instructions: %w", len(filter), err)
	}
	return nil
}

func (r *ring) lock() error {
	if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1); err != nil {
		return fmt.Errorf("lock the filter: %w", err)
	}
	return nil
}

func (r *ring) promiscuous() error {
	req := unix.PacketMreq{Ifindex: int32(r.ifindex), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &req); err != nil {
		return fmt.Errorf("set promiscuous: %w", err)
	}
	return nil
}

// join enters the fanout group id, or makes a new one when id is 0, and
// returns it. Rings join in the order of their workers.
func (r *ring) join(id int, place []bpf.RawInstruction) (int, error) {
	flags := unix.PACKET_FANOUT_CBPF
	if id > 0 {
		if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, id|flags<<16); err != nil {
			return 0, fmt.Errorf("join the workers: %w", err)
		}
		return id, nil
	}
	// The kernel chooses a free number, lest two programs share one.
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, (flags|unix.PACKET_FANOUT_FLAG_UNIQUEID)<<16); err != nil {
		return 0, fmt.Errorf("join the workers: %w", err)
	}
	got, err := unix.GetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	if err != nil {
		return 0, fmt.Errorf("join the workers: %w", err)
	}
	prog := fprog(place)
	if err := unix.SetsockoptSockFprog(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT_DATA, &prog); err != nil {
		return 0, fmt.Errorf("attach the program that chooses the worker: %w", err)
	}
	return got & 0xffff, nil
}

func fprog(code []bpf.RawInstruction) unix.SockFprog {
	return unix.SockFprog{Len: uint16(len(code)), Filter: (*unix.SockFilter)(unsafe.Pointer(unsafe.SliceData(code)))}
}

// tally adds what the kernel counted since it was last asked.
func (r *ring) tally() {
	st, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return
	}
	// The kernel's count of packets holds those it dropped.
	r.counted.Received += uint64(st.Packets - st.Drops)
	r.counted.Dropped += uint64(st.Drops)
	r.freezes += uint64(st.Freeze_q_cnt)
}

// close gives everything back. What was in the ring and never read is counted
// as unread.
func (r *ring) close() error {
	if r.fd < 0 {
		return nil
	}
	r.tally()
	read := r.read.Load()
	if r.counted.Received > read {
		r.counted.Unread += r.counted.Received - read
	}
	r.counted.Received = read
	var err error
	if r.memory != nil {
		err = unix.Munmap(r.memory)
		r.memory = nil
	}
	err = errors.Join(err, unix.Close(r.fd))
	r.fd = -1
	return err
}

func (r *ring) descriptor(i int) *unix.TpacketHdrV1 {
	// A block begins with two words: version, offset of the private area.
	return (*unix.TpacketHdrV1)(unsafe.Pointer(&r.memory[i*r.size+8]))
}

// ready tells whether the next packet can be read.
func (r *ring) ready() bool {
	if r.left > 0 {
		return true
	}
	if r.block-r.free >= r.count {
		return false // all are held until the next release
	}
	i := r.block % r.count
	d := r.descriptor(i)
	if atomic.LoadUint32(&d.Block_status)&unix.TP_STATUS_USER == 0 {
		return false
	}
	r.left = d.Num_pkts
	if r.left == 0 {
		r.block++
		return r.ready()
	}
	r.header = unsafe.Pointer(&r.memory[i*r.size+int(d.Offset_to_first_pkt)])
	return true
}

// follows tells whether another block waits behind the one that is read.
func (r *ring) follows() bool {
	next := r.block
	if r.left > 0 {
		next++
	}
	return next-r.free < r.count && atomic.LoadUint32(&r.descriptor(next%r.count).Block_status)&unix.TP_STATUS_USER != 0
}

// newest returns the time of the last packet in the block that is read.
func (r *ring) newest() packet.Time {
	d := r.descriptor(r.block % r.count)
	return packet.Time(int64(d.Ts_last_pkt.Sec)*1e9 + int64(*(*uint32)(unsafe.Pointer(&d.Ts_last_pkt.Usec))))
}

// time returns the time of the next packet of a ready ring.
func (r *ring) time() packet.Time {
	h := (*unix.Tpacket3Hdr)(r.header)
	return packet.Time(int64(h.Sec)*1e9 + int64(h.Nsec))
}

// release gives the blocks back that were read to their end.
func (r *ring) release() {
	for ; r.free < r.block; r.free++ {
		atomic.StoreUint32(&r.descriptor(r.free%r.count).Block_status, unix.TP_STATUS_KERNEL)
	}
}

// headerLength is the aligned length of a packet's header, where its link
// layer address begins.
const headerLength = (unix.SizeofTpacket3Hdr + unix.TPACKET_ALIGNMENT - 1) &^ (unix.TPACKET_ALIGNMENT - 1)

// take sets p to the next packet of a ready ring.
func (r *ring) take(p *packet.Packet) {
	h := (*unix.Tpacket3Hdr)(r.header)
	start, length := uintptr(h.Mac), int(h.Len)
	size := int(h.Snaplen)
	if r.link == packet.LinkSLL2 {
		// The kernel leaves room between the address and the frame.
		start -= cookedHeader
		size += cookedHeader
		length += cookedHeader
		cook((*[cookedHeader]byte)(unsafe.Add(r.header, start)), (*unix.RawSockaddrLinklayer)(unsafe.Add(r.header, headerLength)))
	}
	*p = packet.Packet{
		Time:      packet.Time(int64(h.Sec)*1e9 + int64(h.Nsec)),
		Data:      unsafe.Slice((*byte)(unsafe.Add(r.header, start)), size),
		Length:    length,
		Link:      r.link,
		Interface: r.index,
	}
	if h.Status&unix.TP_STATUS_VLAN_VALID != 0 {
		p.Tag, p.TagType = uint16(h.Hv1.Vlan_tci), unix.ETH_P_8021Q
		if h.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			p.TagType = h.Hv1.Vlan_tpid
		}
	}
	r.header = unsafe.Add(r.header, h.Next_offset)
	if r.left--; r.left == 0 {
		r.block++
	}
}

// address returns the address that came with the packet that take gave last.
func address(p *packet.Packet) (ifindex int, hardware uint16) {
	b := p.Data
	return int(b[4])<<24 | int(b[5])<<16 | int(b[6])<<8 | int(b[7]), uint16(b[8])<<8 | uint16(b[9])
}

// cook writes a header of LINKTYPE_LINUX_SLL2 from the kernel's address.
func cook(b *[cookedHeader]byte, from *unix.RawSockaddrLinklayer) {
	a := *from
	proto := (*[2]byte)(unsafe.Pointer(&a.Protocol)) // in network order already
	b[0], b[1], b[2], b[3] = proto[0], proto[1], 0, 0
	b[4], b[5], b[6], b[7] = byte(a.Ifindex>>24), byte(a.Ifindex>>16), byte(a.Ifindex>>8), byte(a.Ifindex)
	b[8], b[9] = byte(a.Hatype>>8), byte(a.Hatype)
	b[10], b[11] = a.Pkttype, min(a.Halen, 8)
	copy(b[12:], a.Addr[:])
}
