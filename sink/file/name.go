package file

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// part stands behind the name of a file that is not whole.
const part = ".part"

// stamp is the moment in the name of one of several files. They sort by it.
const stamp = "20060102T150405.000Z"

// name is a path, divided where the moment goes: "dir/records" and ".ndjson.gz".
type name struct{ stem, ending string }

func split(path string) name {
	dir, base := filepath.Split(path)
	// All endings: records.ndjson.gz has two. A dot in front hides a file.
	at := len(base)
	for {
		i := strings.LastIndexByte(base[:at], '.')
		if i <= 0 || len(base)-i > 16 {
			break
		}
		at = i
	}
	return name{dir + base[:at], base[at:]}
}

// at returns the path of the file that begins at t.
func (n name) at(t time.Time) string { return n.stem + "-" + t.UTC().Format(stamp) + n.ending }

// moment reads what at has written into path.
func (n name) moment(path string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(path, n.stem+"-")
	if !ok {
		return time.Time{}, false
	}
	rest, ok = strings.CutSuffix(rest, n.ending)
	if !ok || len(rest) != len(stamp) {
		return time.Time{}, false
	}
	t, err := time.Parse(stamp, rest)
	return t, err == nil
}

// closed is one file that is whole.
type closed struct {
	path  string
	began time.Time
	bytes int64
	last  time.Time // of writing
}

// list returns the files in the row, the oldest first, and the parts.
func (n name) list() (whole []closed, parts []string, err error) {
	dir := filepath.Dir(n.stem + "x")
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	prefix, _ := filepath.Split(n.stem)
	for _, e := range all {
		path := prefix + e.Name()
		if !e.Type().IsRegular() {
			continue
		}
		if p, ok := strings.CutSuffix(path, part); ok {
			if _, ok := n.moment(p); ok {
				parts = append(parts, path)
			}
			continue
		}
		if t, ok := n.moment(path); ok {
			if info, err := e.Info(); err == nil {
				whole = append(whole, closed{path, t, info.Size(), info.ModTime()})
			}
		}
	}
	slices.SortFunc(whole, func(a, b closed) int { return cmp.Or(a.began.Compare(b.began), cmp.Compare(a.path, b.path)) })
	return whole, parts, nil
}

// prune removes the oldest files until the bounds hold. What it cannot remove it
// leaves, and says so.
func (s *file) prune() {
	s.pruned = time.Now()
	c := &s.config
	if c.KeepFiles == 0 && c.KeepBytes == 0 && c.KeepAge == 0 {
		s.mine = nil
		return
	}
	whole, _, err := s.name.list()
	if err != nil {
		c.Log.Warn("files were not removed", "error", err)
		return
	}
	s.sort(whole)
	var bytes int64
	for _, w := range whole {
		bytes += w.bytes
	}
	for i, w := range whole {
		why := ""
		switch {
		case c.KeepFiles > 0 && len(whole)-i > c.KeepFiles:
			why = fmt.Sprintf("more than %d files", c.KeepFiles)
		case c.KeepBytes > 0 && bytes > c.KeepBytes:
			why = fmt.Sprintf("more than %d bytes", c.KeepBytes)
		case c.KeepAge > 0 && s.pruned.Sub(w.last) > c.KeepAge:
			why = fmt.Sprintf("older than %v", c.KeepAge)
		default:
			return
		}
		if err := os.Remove(w.path); err != nil {
			c.Log.Warn("a file was not removed", "error", err)
			continue
		}
		bytes -= w.bytes
		c.Log.Info("removed", "file", w.path, "bytes", w.bytes, "reason", why)
	}
}

// sort puts the files that this run has closed behind all others, as it closed
// them: by the moment in their names, a clock that was set back makes the newest
// the oldest.
func (s *file) sort(whole []closed) {
	place := map[string]int{}
	for i, path := range s.mine {
		place[path] = i + 1
	}
	slices.SortStableFunc(whole, func(a, b closed) int { return cmp.Compare(place[a.path], place[b.path]) })
	s.mine = s.mine[:0]
	for _, w := range whole {
		if place[w.path] > 0 { // others are gone
			s.mine = append(s.mine, w.path)
		}
	}
}
