package pcap

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/passiflow/passiflow/sink"
)

// markBytes is how much of the head of a file tells whose it is: in pcapng the
// header of the section with the name of the program.
const markBytes = 40

// prune removes the oldest files until no more than asked for are left: those of
// earlier runs first. What cannot be removed stays and is told once.
func (w *writer) prune() {
	if w.config.KeepFiles == 0 {
		return
	}
	if !w.looked {
		w.looked = true
		w.earlier = w.find()
	}
	// This run has put its own in their place.
	w.earlier = slices.DeleteFunc(w.earlier, func(e earlier) bool { return e.number <= w.number })
	for len(w.earlier)+w.number-w.gone > w.config.KeepFiles {
		var n int
		if len(w.earlier) > 0 {
			n, w.earlier = w.earlier[0].number, w.earlier[1:]
		} else {
			w.gone++
			n = w.gone
		}
		err := os.Remove(w.name(n))
		switch {
		case err == nil:
			w.config.Log.Info("removed", "file", w.name(n))
		case !errors.Is(err, fs.ErrNotExist) && !w.told:
			w.told = true
			w.config.Log.Warn("an old packet file was not removed, and others may not be either: remove it by hand, or allow it in that folder", "error", err)
		}
	}
}

// earlier is a file of an earlier run.
type earlier struct {
	number int
	last   time.Time // of writing
}

// find returns the files of earlier runs, the oldest first: those that have a
// number in their name, begin as this run's do and are not being written.
func (w *writer) find() (all []earlier) {
	ext := filepath.Ext(w.config.Path)
	prefix := filepath.Base(strings.TrimSuffix(w.config.Path, ext)) + "-"
	names, err := os.ReadDir(filepath.Dir(w.config.Path))
	if err != nil {
		w.config.Log.Warn("packet files of earlier runs are not counted", "error", err)
		return nil
	}
	for _, e := range names {
		text, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok || !e.Type().IsRegular() {
			continue
		}
		text, ok = strings.CutSuffix(text, ext)
		n, err := strconv.Atoi(text)
		if !ok || err != nil || n <= w.number || strconv.Itoa(n) != text || !w.left(w.name(n)) {
			continue
		}
		if info, err := e.Info(); err == nil {
			all = append(all, earlier{n, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b earlier) int { return cmp.Or(a.last.Compare(b.last), cmp.Compare(a.number, b.number)) })
	return all
}

// left tells whether an earlier run has left the file at path.
func (w *writer) left(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(w.mark))
	if _, err := io.ReadFull(f, head); err != nil || !bytes.Equal(head, w.mark) {
		return false
	}
	return sink.LockFile(f) == nil
}
