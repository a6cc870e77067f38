// Package hostile runs the program on captures whose every packet is the
// attacker's, and bounds the time and memory that it takes.
package hostile
