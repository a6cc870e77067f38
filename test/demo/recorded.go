package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/passiflow/passiflow/packet/packettest"
)

// recorded writes a capture of the same kind and reads it.
func recorded(program string) error {
	dir, err := os.MkdirTemp("", "passiflow-demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t := packettest.NewTape()
	c := t.Open("192.0.2.7:40312", "192.0.2.80:80", nil)
	c.Client("GET / HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer not-for-your-eyes\r\n\r\n")
	c.Server("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nwelcome\n")
	c.Client("POST /orders HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 19\r\n\r\n{\"cup\":7,\"count\":2}")
	c.Server("HTTP/1.1 201 Created\r\nSet-Cookie: session=s3cret\r\nContent-Length: 17\r\n\r\nordered 19 bytes\n")
	c.Client("GET /nowhere HTTP/1.1\r\nHost: shop.example\r\n\r\n")
	c.Server("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnot \r\n6\r\nfound\n\r\n0\r\n\r\n")
	c.Close()
	name := filepath.Join(dir, "shop.pcap")
	if err := os.WriteFile(name, t.Bytes(), 0o600); err != nil {
		return err
	}
	fmt.Println("$ passiflow capture -r shop.pcap")
	run := exec.Command(program, "capture", "-r", name, "--format", "line")
	run.Stdout, run.Stderr = os.Stdout, os.Stderr
	return run.Run()
}
