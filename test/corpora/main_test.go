package corpora

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// splitting makes the test program a filter: it reads flow records and writes
// one object for each of their two streams.
const splitting = "PASSIFLOW_CORPORA_SPLIT"

func TestMain(m *testing.M) {
	if os.Getenv(splitting) != "" {
		if err := split(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if testing.Short() { // under the race detector it takes minutes, and other tests run the same code
		fmt.Println("corpora: left out, as asked by -short")
		return
	}
	os.Exit(m.Run())
}

type end struct {
	IP        string `json:"ip"`
	Port      int    `json:"port"`
	Delivered uint64 `json:"delivered"`
	Digest    string `json:"digest"`
}

func (e end) String() string { return net.JoinHostPort(e.IP, strconv.Itoa(e.Port)) }

func split(r io.Reader, w io.Writer) error {
	in, out := json.NewDecoder(r), bufio.NewWriter(w)
	for {
		var f struct {
			Transport      string
			Client, Server end
		}
		if err := in.Decode(&f); err == io.EOF {
			return out.Flush()
		} else if err != nil {
			return fmt.Errorf("read flow: %w", err)
		}
		if f.Transport != "tcp" {
			continue
		}
		for _, s := range [][2]end{{f.Client, f.Server}, {f.Server, f.Client}} {
			fmt.Fprintf(out, `{"from":%q,"to":%q,"len":%d,"sha256":%q}`+"\n", s[0], s[1], s[0].Delivered, s[0].Digest)
		}
	}
}

// folder returns where the captures are.
func folder(t *testing.T) string {
	t.Helper()
	shared := os.Getenv("PASSIFLOW_SHARED")
	if shared == "" {
		t.Skip("PASSIFLOW_SHARED is not set: no captures of other projects")
	}
	return filepath.Join(shared, "corpora")
}
