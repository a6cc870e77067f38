package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// variables reads what the network sniffer's container is told by.
func (s *sniffer) variables(getenv func(string) string) error {
	first := func(names ...string) value {
		for _, n := range names {
			if v := unquote(getenv(n)); v != "" {
				return value{v, n}
			}
		}
		return value{"", names[0]}
	}
	yes := func(name string) bool {
		v, _ := strconv.ParseBool(unquote(getenv(name)))
		return v
	}
	device, ports := first("NET_DEVICE", "VPC_MIRROR_DEVICE"), first("APP_PORTS", "APP_PORT")
	ports.text = strings.ReplaceAll(ports.text, " ", "")
	if device.text == "" {
		device.from = "USAGE_LOGGERS_URL"
	}
	s.inputs = []input{{device, ports}}
	switch engine := first("SNIFFER_ENGINE"); engine.text {
	case "mirror":
		s.engine = value{"vxlan", engine.from}
	case "k8s":
		return errors.New("SNIFFER_ENGINE k8s: pods and services cannot be named yet: give interfaces and ports by NET_DEVICE and APP_PORTS")
	default:
		s.engine = engine
	}
	s.vxlanPort, s.vnisFrom = first("SNIFFER_MIRROR_VXLANPORT"), "SNIFFER_MIRROR_VNIS"
	s.vnis = strings.FieldsFunc(unquote(getenv(s.vnisFrom)), func(r rune) bool { return r == ',' || r == ' ' })
	s.clientName = first("SNIFFER_REALIP_HEADER")
	s.buffer = first("SNIFFER_PCAP_BUFFER_SIZE")
	s.buffer.text = bytesOf(s.buffer.text)
	if yes("SNIFFER_PROMISC_ENABLED") {
		s.promiscuous = value{"true", "SNIFFER_PROMISC_ENABLED"}
	}
	if yes("SNIFFER_RF_MONITOR_ENABLED") {
		s.warn("SNIFFER_RF_MONITOR_ENABLED", "has no effect: put the interface into monitor mode first")
	}
	if !yes("SNIFFER_DEBUG_ENABLED") {
		return nil
	}
	return s.debugging(first)
}

// debugging takes the variables that show what is captured.
func (s *sniffer) debugging(first func(...string) value) error {
	verbosity, _ := strconv.Atoi(first("SNIFFER_DEBUG_VERBOSITY").text)
	s.debug, s.stdout = verbosity > 0, verbosity >= 2
	export := first("SNIFFER_DEBUG_EXPORT")
	switch export.text {
	case "", "none":
	case "local":
		s.export = value{"sniffer-debug.ndjson", export.from}
	case "http":
		if s.export = first("SNIFFER_DEBUG_HTTP_ENDPOINT"); !strings.Contains(s.export.text, "://") {
			return errors.New("SNIFFER_DEBUG_HTTP_ENDPOINT: is no URL such as https://host/path")
		}
	case "s3":
		s.warn(export.from, "s3 has no effect: nothing is sent to whoever made the network sniffer")
	default:
		return fmt.Errorf("%s: %q is not one of none, local, http", export.from, export.text)
	}
	return nil
}

// maxDotenv bounds a file of variables, in bytes.
const maxDotenv = 64 << 10

// snifferEnviron lays the variables of Resurface's loggers that the file called
// name holds over environ. There need not be such a file.
func snifferEnviron(environ []string, name string) ([]string, error) {
	info, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return environ, nil
	}
	if err == nil && info.Size() > maxDotenv {
		err = fmt.Errorf("longer than %d bytes", maxDotenv)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	var all []string
	for _, line := range strings.Split(string(data), "\n") {
		key, v, ok := dotenv(line)
		if ok && strings.HasPrefix(key, "USAGE_LOGGERS_") {
			all = append(all, key+"="+v)
		}
	}
	return append(all, environ...), nil // the first of a name counts
}

// dotenv reads one line of a file of variables.
func dotenv(line string) (key, v string, ok bool) {
	line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
	key, v, ok = strings.Cut(line, "=")
	if key = strings.TrimSpace(key); !ok || key == "" || key[0] == '#' {
		return "", "", false
	}
	v = strings.TrimSpace(v)
	if len(v) > 0 && (v[0] == '"' || v[0] == '\'') {
		if end := strings.LastIndexByte(v, v[0]); end > 0 {
			return key, v[1:end], true
		}
	}
	if i := strings.Index(v, " #"); i >= 0 {
		v = strings.TrimSpace(v[:i])
	}
	return key, v, true
}
