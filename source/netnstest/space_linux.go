package netnstest

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Space is one more network namespace, as another machine would be. It lasts
// until the test ends.
type Space struct {
	pid int
	fd  int
}

// New makes a namespace in which only loopback is up.
func New(t testing.TB) *Space {
	t.Helper()
	Need(t)
	// A process holds the namespace, so that tools reach it by process id.
	hold := exec.Command("sleep", "infinity")
	hold.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	// The death signal comes when the thread ends that started the process.
	runtime.LockOSThread()
	err := hold.Start()
	runtime.UnlockOSThread()
	if err != nil {
		t.Fatalf("hold a namespace: %v", err)
	}
	t.Cleanup(func() { _ = hold.Process.Kill(); _ = hold.Wait() })
	s := &Space{pid: hold.Process.Pid}
	if s.fd, err = unix.Open(fmt.Sprintf("/proc/%d/ns/net", s.pid), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		t.Fatalf("open the namespace: %v", err)
	}
	t.Cleanup(func() { unix.Close(s.fd) })
	s.IP(t, "link set lo up")
	return s
}

// Command returns a command that runs inside the namespace.
func (s *Space) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", strconv.Itoa(s.pid), "-n", "--", name}, args...)...)
}

// IP runs "ip args", words parted by blanks, inside the namespace.
func (s *Space) IP(t testing.TB, args string) {
	t.Helper()
	run(t, s.Command("ip", strings.Fields(args)...))
}

// IP runs "ip args", words parted by blanks, in the namespace of the test.
func IP(t testing.TB, args string) {
	t.Helper()
	run(t, exec.Command("ip", strings.Fields(args)...))
}

func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
}

// Do calls f on a thread that is inside the namespace. Sockets that f opens
// stay there.
func (s *Space) Do(t testing.TB, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- err
			return
		}
		defer unix.Close(home)
		if err := unix.Setns(s.fd, unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		f()
		// A thread that cannot come back stays locked and ends with the goroutine.
		if err = unix.Setns(home, unix.CLONE_NEWNET); err == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("enter the namespace: %v", err)
	}
}

// Veth joins the test's namespace and s by a pair of Ethernet devices: here in
// the former, there in the latter, both up, with an address each where one is
// given ("10.0.0.1/24"). No address of IPv6 is made up, so that the wire is
// silent. A nil s keeps both here.
func Veth(t testing.TB, here, address string, s *Space, there, address2 string) {
	t.Helper()
	far := func(args string) { IP(t, args) }
	moved := ""
	if s != nil {
		moved = " netns " + strconv.Itoa(s.pid)
		far = func(args string) { s.IP(t, args) }
	}
	IP(t, "link add "+here+" type veth peer name "+there+moved)
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", here).Run() })
	// Without IPv6 in the kernel there is nothing to silence.
	_ = exec.Command("ip", "link", "set", here, "addrgenmode", "none").Run()
	silence := []string{"ip", "link", "set", there, "addrgenmode", "none"}
	if s != nil {
		_ = s.Command(silence[0], silence[1:]...).Run()
	} else {
		_ = exec.Command(silence[0], silence[1:]...).Run()
	}
	if address != "" {
		IP(t, "addr add "+address+" dev "+here)
	}
	if address2 != "" {
		far("addr add " + address2 + " dev " + there)
	}
	IP(t, "link set "+here+" up")
	far("link set " + there + " up")
	Ready(t, nil, here)
	Ready(t, s, there)
}

// Ready waits until a device of s, or of the test's namespace where s is nil,
// sends what it is given. The kernel sees to that in a thread of its own, some
// time after both ends of the pair are up, and drops silently what comes before.
func Ready(t testing.TB, s *Space, device string) {
	t.Helper()
	args := []string{"-o", "link", "show", "dev", device}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		cmd := exec.Command("ip", args...)
		if s != nil {
			cmd = s.Command("ip", args...)
		}
		out, err := cmd.CombinedOutput()
		if err == nil && strings.Contains(string(out), " state UP ") {
			return
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("%s does not come up: %v\n%s", device, err, out)
		}
	}
}

// Root tells whether the test runs as the machine's root and not only as the
// namespace's.
func Root() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Contains(string(b), "4294967295")
}
