package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

func interrupt(p *os.Process) error { return p.Signal(os.Interrupt) }

// namespaced runs this program again as root of a user and network namespace of
// its own, which is what unshare -Urn does. Where user namespaces are not given,
// root can do without one.
func namespaced(args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	attr := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	for {
		c := exec.Command(self, args...)
		c.Stdout, c.Stderr, c.SysProcAttr = os.Stdout, os.Stderr, attr
		err := c.Run()
		var ended *exec.ExitError
		if err == nil || errors.As(err, &ended) || attr.UidMappings == nil || os.Getuid() != 0 {
			return err
		}
		attr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	}
}

// loopbackUp starts the loopback of a new namespace, which is down.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}
