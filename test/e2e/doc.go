// Package e2e runs the program as a user does, live, in network namespaces of
// its own, with a real server and a real client.
package e2e
