// Package delivery tests what the queue before every sink promises, with real
// receivers and real time: all of it with PASSIFLOW_SOAK=1, else shortened.
package delivery
