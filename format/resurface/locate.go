package resurface

import (
	"net/url"
	"strings"

	"github.com/passiflow/passiflow/message"
)

// locate returns the URL that was asked for and its query. The URL of a request
// for a path has the path decoded and no query, whose parameters are pairs of
// their own; one that was sent whole, to a proxy, stays as it was sent.
func locate(q *message.Message, x *message.Exchange) (location, query string) {
	target := q.Target
	if i := strings.Index(target, "://"); i > 0 && !strings.ContainsAny(target[:i], "/?") {
		_, query, _ = strings.Cut(target, "?")
		return target, query
	}
	host, ok := q.Get("Host")
	if !ok && x.Flow != nil && x.Flow.Server.IsValid() {
		// A request of HTTP/1.0 need not say whom it asks.
		host = x.Flow.Server.String()
	}
	if q.Op == "CONNECT" {
		return "http://" + target, ""
	}
	path, query, _ := strings.Cut(target, "?")
	if path == "*" {
		path = ""
	}
	if p, err := url.PathUnescape(path); err == nil {
		path = p
	}
	return "http://" + host + path, query
}

// params calls each for the parameters of a query, in the order sent. What is
// not encoded as it should be is told as it was sent.
func params(query string, each func(key, value string)) {
	for query != "" {
		var one string
		one, query, _ = strings.Cut(query, "&")
		if one == "" {
			continue
		}
		key, value, _ := strings.Cut(one, "=")
		each(unescape(key), unescape(value))
	}
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}
