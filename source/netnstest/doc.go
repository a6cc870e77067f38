// Package netnstest gives tests network namespaces of their own: the test
// binary runs again inside one, as root of it, and can make more. Nothing on
// the machine's own network is touched.
package netnstest
