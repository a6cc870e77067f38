package netnstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// mark is set in the environment of the process that runs inside.
const mark = "PASSIFLOW_NETNSTEST"

// Main runs the tests of a package inside a new network namespace, through a
// user namespace where the caller is not root. Where the system allows neither,
// the tests run outside and Need skips those that must not. Use it as
//
//	func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }
func Main(m *testing.M) int {
	if os.Getenv(mark) != "" {
		return m.Run()
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	cmd.Env = append(os.Environ(), mark+"=inside")
	if err := cmd.Start(); err != nil {
		os.Setenv(mark, fmt.Sprintf("no namespace: %v", err))
		return m.Run()
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return max(1, exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Need skips a test that does not run in a namespace of its own, and brings
// the loopback device up.
func Need(t testing.TB) {
	t.Helper()
	switch state := os.Getenv(mark); state {
	case "inside":
	case "":
		t.Fatal("netnstest.Main is not called by TestMain")
	default:
		t.Skip(state)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Skipf("no rights inside the namespace, or no ip command: %v %s", err, out)
	}
}
