package mirror_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/mirror"
	"github.com/passiflow/passiflow/source/pcapfile"
)

// sums is a hook that keeps a sum of each stream.
type sums struct {
	by map[string]hash.Hash
	n  map[string]int
}

func (s *sums) Handle(_ context.Context, c *mirror.ObservedTrafficChunk) ([]byte, bool, error) {
	k := c.From + " " + c.To
	if s.by[k] == nil {
		s.by[k] = sha256.New()
	}
	s.by[k].Write(c.Data)
	s.n[k] += len(c.Data)
	return nil, false, nil
}

func (s *sums) all() map[string]string {
	out := map[string]string{}
	for k, h := range s.by {
		out[k] = fmt.Sprintf("%d %x", s.n[k], h.Sum(nil)[:8])
	}
	return out
}

// mirrored returns the sums of the streams of a file, read by us or by gopacket.
func mirrored(t *testing.T, path string, gopacket bool) (map[string]string, error) {
	f, err := pcapfile.Open(pcapfile.Config{Paths: []string{path}})
	if err != nil {
		return nil, err
	}
	s := &sums{map[string]hash.Hash{}, map[string]int{}}
	m := mirror.NewGopacketTrafficMirror(mirror.GopacketMirrorConfig{RecordHook: s, Options: mirror.Options{MidStream: true}})
	src := mirror.NewSourceObservedPacketSource(f)
	defer src.Close()
	if gopacket {
		err = m.Start(t.Context(), mirror.NewChannelObservedPacketSource(src.Packets()))
	} else {
		err = m.Start(t.Context(), src)
	}
	return s.all(), err
}

// What gopacket reads of a capture gives the same streams as what we read, but
// for links, fragments and tunnels that it does not know.
func TestCorpora(t *testing.T) {
	root := os.Getenv("PASSIFLOW_SHARED")
	if root == "" || testing.Short() {
		t.Skip("PASSIFLOW_SHARED is not set, or -short")
	}
	same, other := 0, 0
	err := filepath.WalkDir(filepath.Join(root, "corpora"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "pcap") && !strings.HasSuffix(path, ".cap") {
			return err
		}
		if i, err := d.Info(); err != nil || i.Size() > 1<<20 {
			return err
		}
		ours, err := mirrored(t, path, false)
		if err != nil {
			return nil //nolint:nilerr // not every file is a capture
		}
		theirs, err := mirrored(t, path, true)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for k, v := range ours {
			if theirs[k] == v {
				same++
			} else {
				other++
				t.Logf("%s: %s: %s, by gopacket %s", path, k, v, theirs[k])
			}
		}
		for k, v := range theirs {
			if ours[k] == "" {
				t.Errorf("%s: %s: nothing, by gopacket %s", path, k, v)
			}
		}
		return nil
	})
	if err != nil || same < 2500 || other > 20 {
		t.Errorf("%d streams are the same, %d are not; %v", same, other, err)
	}
}
