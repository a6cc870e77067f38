package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
)

// Owner says whose records a spool holds.
type Owner struct {
	// Kind of the sink, such as webhook. "": not known
	Kind string `json:"kind"`
	// Place it delivers to, as far as that may be told to anybody: of an address
	// scheme and host.
	Place string `json:"place,omitempty"`
}

// String names the kind and the place.
func (o Owner) String() string {
	switch {
	case o.Kind == "":
		return "a sink that is not known"
	case o.Place == "":
		return o.Kind
	}
	return o.Kind + " (" + o.Place + ")"
}

// ownerFile tells in a spool's directory whose records there are.
const ownerFile = "owner"

// maxOwner bounds what is read of it, in bytes.
const maxOwner = 4 << 10

func readOwner(dir string) (Owner, error) {
	var o Owner
	f, err := os.Open(filepath.Join(dir, ownerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	defer f.Close()
	b := make([]byte, maxOwner)
	n, _ := f.Read(b)
	if json.Unmarshal(b[:n], &o) != nil {
		return Owner{}, nil // torn: it is written anew
	}
	return o, nil
}

// own refuses records that are another kind of sink's, and notes whose records
// there will be.
func (s *spool) own(log *slog.Logger) error {
	mine := s.config.Owner
	if mine.Kind == "" {
		return nil
	}
	before, err := readOwner(s.config.Directory)
	if err != nil || before == mine {
		return err
	}
	if s.unread > 0 && before.Kind != "" {
		if before.Kind != mine.Kind {
			return fmt.Errorf("%d records in it are for %v: deliver them first, give the sink another name, or empty the directory", s.unread, before)
		}
		log.Warn("records in the spool were for another place and are delivered here", "records", s.unread, "kept_for", before.Place, "to", mine.Place)
	}
	if err := writeOwner(s.config.Directory, mine); err != nil {
		log.Warn("the spool does not say whose records it holds", "directory", s.config.Directory, "error", err)
	}
	return nil
}

func writeOwner(dir string, o Owner) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	name := filepath.Join(dir, ownerFile)
	if err := os.WriteFile(name+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// SpoolInfo is what is told of a spool from outside.
type SpoolInfo struct {
	Directory string
	Owner     Owner // of version before it was noted: not known
	Waiting   Count // records that are not delivered
}

// Spools lists the spools in dir: dir itself where it is one, or those in it. It
// changes nothing. Of one that is in use at the time it tells about how many
// records there are.
func Spools(dir string) ([]SpoolInfo, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the spool: %w", err)
	}
	if isSpool(names) {
		info, err := inspect(dir, names)
		return []SpoolInfo{info}, err
	}
	var all []SpoolInfo
	for _, n := range names {
		if !n.IsDir() {
			continue
		}
		sub := filepath.Join(dir, n.Name())
		inside, err := os.ReadDir(sub)
		if err != nil {
			return nil, fmt.Errorf("read the spool: %w", err)
		}
		if !isSpool(inside) {
			continue
		}
		info, err := inspect(sub, inside)
		if err != nil {
			return nil, err
		}
		all = append(all, info)
	}
	return all, nil
}

func isSpool(names []fs.DirEntry) bool {
	return slices.ContainsFunc(names, func(n fs.DirEntry) bool {
		_, ok := segmentID(n.Name())
		return ok || n.Name() == positionFile
	})
}

func inspect(dir string, names []fs.DirEntry) (SpoolInfo, error) {
	info := SpoolInfo{Directory: dir}
	var err error
	if info.Owner, err = readOwner(dir); err != nil {
		return info, fmt.Errorf("read the spool: %w", err)
	}
	settled, err := settledIn(dir)
	if err != nil {
		return info, fmt.Errorf("read the spool: %w", err)
	}
	for _, n := range names {
		id, ok := segmentID(n.Name())
		if !ok || id < settled.segment {
			continue
		}
		g, err := look(filepath.Join(dir, n.Name()), id, settled)
		if err != nil {
			return info, fmt.Errorf("read the spool: %s: %w", filepath.Join(dir, n.Name()), err)
		}
		info.Waiting.add(g.left)
	}
	return info, nil
}

func settledIn(dir string) (spot, error) {
	f, err := os.Open(filepath.Join(dir, positionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return spot{}, nil
	}
	if err != nil {
		return spot{}, err
	}
	defer f.Close()
	p, _, err := readPosition(f)
	return p, err
}

// look counts what waits in one segment; one that is gone has nothing.
func look(name string, id uint64, settled spot) (*segment, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &segment{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	g, _, err := scan(f, stat.Size(), id, settled.from(id), func([]byte) error { return nil })
	return g, err
}

// from returns where in segment id begins what is not settled.
func (p spot) from(id uint64) int64 {
	if id == p.segment {
		return max(spoolHead, p.end)
	}
	return spoolHead
}
