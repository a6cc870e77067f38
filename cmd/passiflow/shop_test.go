package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"
)

// openShop starts a server that answers what the tape of the same name asks:
// shop [changed]. Its address is $SHOP; changed lets it answer differently.
func openShop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: shop [changed]")
	}
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header()["Content-Type"] = nil
		switch {
		case r.URL.Path == "/asked":
			fmt.Fprintln(w, asked.Load()-1)
		case r.Method == http.MethodPost:
			w.Header().Set("Set-Cookie", "session=an0ther")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, "ordered %d bytes\n", r.ContentLength)
		case r.URL.Path != "/":
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "not found\n")
		case len(args) > 0:
			fmt.Fprint(w, "go away\n")
		default:
			fmt.Fprint(w, "welcome\n")
		}
	}))
	ts.Defer(s.Close)
	ts.Setenv("SHOP", s.URL)
}
