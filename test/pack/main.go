// Command pack writes a tar.gz or zip whose bytes depend only on names,
// contents and SOURCE_DATE_EPOCH.
//
//	pack -o x.tar.gz -root x NAME | NAME=PATH …
//
// A PATH that is a folder stands for the files in it.
package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

type file struct {
	name, path string
	mode       int64
}

func main() {
	out := flag.String("o", "", "archive to write")
	root := flag.String("root", "", "folder inside the archive")
	flag.Parse()
	if err := pack(*out, *root, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(out, root string, args []string) (err error) {
	files, err := list(root, args)
	if err != nil {
		return err
	}
	epoch, _ := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	at := time.Unix(max(epoch, 315532800), 0).UTC() // a zip knows no time before 1980
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if strings.HasSuffix(out, ".zip") {
		return writeZip(f, files, at)
	}
	return writeTar(f, files, at)
}

func list(root string, args []string) ([]file, error) {
	var all []file
	for _, a := range args {
		name, from, ok := strings.Cut(a, "=")
		if !ok {
			from = a
		}
		fi, err := os.Stat(from)
		if err != nil {
			return nil, err
		}
		if !fi.IsDir() {
			mode := int64(0o644)
			if strings.HasPrefix(name, "passiflow") {
				mode = 0o755
			}
			all = append(all, file{path.Join(root, name), from, mode})
			continue
		}
		inside, err := os.ReadDir(from) // sorted by name
		if err != nil {
			return nil, err
		}
		for _, e := range inside {
			all = append(all, file{path.Join(root, name, e.Name()), filepath.Join(from, e.Name()), 0o644})
		}
	}
	return all, nil
}

func writeTar(w io.Writer, files []file, at time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, f := range files {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(data)), ModTime: at, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

func writeZip(w io.Writer, files []file, at time.Time) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at}
		h.SetMode(os.FileMode(f.mode))
		part, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := part.Write(data); err != nil {
			return err
		}
	}
	return z.Close()
}
