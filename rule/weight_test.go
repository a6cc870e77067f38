package rule_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/passiflow/passiflow/message"
)

// headed returns a message whose parts are slices of one text, as a decoder
// makes it.
func headed(target string, fields [][2]string, body string) *message.Message {
	var b strings.Builder
	b.WriteString(target)
	for _, f := range fields {
		b.WriteString(f[0] + f[1])
	}
	text := strings.Clone(b.String())
	m := &message.Message{Op: "GET", Head: uint32(len(text)), Target: text[:len(target)], Body: []byte(body)}
	text = text[len(target):]
	for _, f := range fields {
		n := len(f[0]) + len(f[1])
		m.Fields = append(m.Fields, message.Field{Name: text[:len(f[0])], Value: text[len(f[0]):n]})
		text = text[n:]
	}
	return m
}

// TestWeightAfterRules: what rules put into a message weighs something, and what
// they took away is not held. A queue counts what it is told.
func TestWeightAfterRules(t *testing.T) {
	long := strings.Repeat("x", 32<<10)
	var small [][2]string
	for i := range 300 {
		small = append(small, [2]string{fmt.Sprint("a", i), "1"})
	}
	for name, k := range map[string]struct {
		rules string
		m     func() *message.Message
	}{
		"a long value in a body": {"[]", func() *message.Message {
			return headed("/", nil, `{"password":"`+long+`","a":1}`)
		}},
		"a long value in a form": {"[]", func() *message.Message {
			return headed("/", [][2]string{{"Content-Type", "application/x-www-form-urlencoded"}}, "a=1&password="+long)
		}},
		"a long element": {"- mask: {xml: [//pin]}", func() *message.Message {
			return headed("/", nil, "<a><pin>"+long+"</pin></a>")
		}},
		"a long part": {"[]", func() *message.Message {
			return headed("/", nil, "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n"+long+"\r\n--B--\r\n")
		}},
		"many small members": {"{rules: [{mask: {json: [$..a]}, with: pseudonym}]}", func() *message.Message {
			return headed("/", nil, "["+strings.Repeat(`{"a":1},`, 1000)+"1]")
		}},
		"a long target": {"[]", func() *message.Message { return headed("/?b="+long+"&password=1", nil, "") }},
		"a long parameter": {"[]", func() *message.Message {
			return headed("/?password="+long, nil, "")
		}},
		"a card in a long target": {"[]", func() *message.Message { return headed("/4111111111111111/"+long, nil, "") }},
		"a user in a long target": {"[]", func() *message.Message { return headed("http://a:b@h/"+long, nil, "") }},
		"long fields": {"{defaults: {except: [cookie]}, rules: [mask: {cookies: [b]}]}", func() *message.Message {
			return headed("/", [][2]string{{"Referer", "/?password=1&c=" + long}, {"Cookie", "b=1;a=" + long}, {"X", "4111111111111111 " + long}, {"Location", "http://a:b@h/" + long}}, "")
		}},
		"many small fields":    {"{rules: [{mask: {headers: [a*]}, with: pseudonym}]}", func() *message.Message { return headed("/", small, "") }},
		"a long text for many": {"- {mask: {headers: [a*]}, text: " + long[:2000] + "}", func() *message.Message { return headed("/", small, "") }},
	} {
		s := parse(t, strings.Replace(k.rules, "{rules:", "{key: {env: KEY}, rules:", 1))
		const n = 50
		all, weight := make([]*message.Exchange, n), 0
		before := heap()
		for i := range all {
			all[i] = &message.Exchange{Request: k.m()}
			s.Apply(all[i])
			weight += all[i].Request.Weight()
		}
		if held := int(heap() - before); held > weight*3/2+64<<10 {
			t.Errorf("%s: %d bytes are held by what weighs %d", name, held/n, weight/n)
		}
		runtime.KeepAlive(all)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
