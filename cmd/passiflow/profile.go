package main

import (
	"errors"
	"strings"
)

// profile is a program whose place passiflow takes when it is started as that
// program is: without a command of its own.
type profile uint8

const (
	noProfile        profile = iota
	resurfaceProfile         // the Resurface network sniffer: its flags, or USAGE_LOGGERS_URL
	containerProfile         // the TCP Sniffer container: PORTS
)

// chooseProfile tells whose place args and the environment ask to take. A command, or a
// flag of our own, is asked for what it says, whatever the environment.
func (p *process) chooseProfile(args []string) (profile, error) {
	flags := len(args) > 0 && strings.HasPrefix(args[0], "-") && hasSnifferFlag(args)
	if len(args) > 0 && !flags {
		return noProfile, nil
	}
	resurface := flags || p.getenv("USAGE_LOGGERS_URL") != ""
	container := p.getenv("PORTS") != ""
	switch {
	case resurface && container:
		return noProfile, errors.New("the environment asks for two programs: USAGE_LOGGERS_URL or --input-raw for the Resurface network sniffer, PORTS for TCP Sniffer; unset one, or use passiflow capture")
	case resurface:
		return resurfaceProfile, nil
	case container, p.getenv("OUTPUT_URL") != "", p.getenv("OUTPUT_STDOUT") != "":
		return containerProfile, nil // which says what is wrong where PORTS is missing
	}
	return noProfile, nil
}

// hasSnifferFlag tells whether a flag is one that only the Resurface network
// sniffer has.
func hasSnifferFlag(args []string) bool {
	for _, a := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if strings.HasPrefix(a, "-") && (name == "input-raw" || strings.HasPrefix(name, "input-raw-") || strings.HasPrefix(name, "output-resurface")) {
			return true
		}
	}
	return false
}
