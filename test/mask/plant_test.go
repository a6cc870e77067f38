package mask

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
)

// planted is one secret in the traffic.
type planted struct {
	kind    string // header, query, form, json, xml, attribute, cookie; card, email, jwt, key
	name    string // that it stands under; empty for those with a shape of their own
	core    string // what must not appear, in whole or in half
	damaged bool   // its message was cut or has gaps
	place   string
}

// garden plants secrets. It has names of its own and knows of no rules.
type garden struct {
	r       *rand.Rand
	names   map[string][]string // by kind
	all     []planted
	open    []string // what may appear
	damaged bool     // of the message under way
	place   string
}

func newGarden(seed uint64) *garden {
	g := &garden{r: rand.New(rand.NewPCG(seed, 7)), names: map[string][]string{}}
	for _, kind := range []string{"header", "query", "form", "json", "xml", "attribute", "cookie"} {
		for range 4 {
			name := g.letters("abcdefghijklmnopqrstuvwxyz", 5+g.r.IntN(6))
			switch g.r.IntN(4) {
			case 0:
				name += "-" + g.letters("abcdefghijklmnopqrstuvwxyz", 4)
			case 1:
				name += "_" + g.letters("abcdefghijklmnopqrstuvwxyz", 4)
			}
			g.names[kind] = append(g.names[kind], name)
		}
	}
	return g
}

func (g *garden) letters(of string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = of[g.r.IntN(len(of))]
	}
	return string(b)
}

const alphabet = "abcdefghijkmnopqrstuvwxyzABCDEFGHIJKLMNPQRSTUVWXYZ23456789"

// plant returns a name and a new secret of a kind.
func (g *garden) plant(kind string) (name, core string) {
	names := g.names[kind]
	name, core = names[g.r.IntN(len(names))], g.letters(alphabet, 16)
	g.all = append(g.all, planted{kind, name, core, g.damaged, g.place})
	return name, core
}

// visible returns something that may appear.
func (g *garden) visible() string {
	v := "open" + g.letters(alphabet, 12)
	if !g.damaged {
		g.open = append(g.open, v)
	}
	return v
}

// shaped returns a secret that is known by its shape.
func (g *garden) shaped() string {
	kind := []string{"card", "email", "jwt", "key", "bearer"}[g.r.IntN(5)]
	if g.damaged {
		kind = []string{"card", "jwt", "key"}[g.r.IntN(3)]
	}
	return g.shape(kind)
}

func (g *garden) shape(kind string) string {
	v, core := "", ""
	switch kind {
	case "card":
		core = g.card()
		v = core
		if g.r.IntN(3) == 0 {
			sep := []string{" ", "-"}[g.r.IntN(2)]
			v = core[:4] + sep + core[4:8] + sep + core[8:12] + sep + core[12:]
			core = v
		}
	case "email":
		core = g.letters(alphabet, 16)
		v = core + "@" + g.letters("abcdefghijkl", 6) + ".example"
	case "jwt":
		core = g.letters(alphabet, 32)
		v = "eyJhbGciOiJIUzI1NiJ9.eyJz" + core + ".abcdef_-"
	case "key":
		core = g.letters(alphabet, 36)
		v = []string{"ghp_", "sk_live_", "npm_", "glpat-"}[g.r.IntN(4)] + core
	case "bearer":
		core = g.letters(alphabet, 24)
		v = "Bearer " + core
	}
	g.all = append(g.all, planted{kind, "", core, g.damaged, g.place})
	return v
}

// card makes a number that passes the check.
func (g *garden) card() string {
	n := "4" + g.letters("0123456789", 14)
	for d := range 10 {
		if c := n + string(rune('0'+d)); luhn(c) {
			return c
		}
	}
	return ""
}

func luhn(s string) bool {
	sum := 0
	for i := range s {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// pick chooses one of several.
func pick[T any](g *garden, of ...T) T { return of[g.r.IntN(len(of))] }

// mixed writes a name in some case.
func (g *garden) mixed(name string) string {
	switch g.r.IntN(4) {
	case 0:
		return strings.ToUpper(name)
	case 1:
		return strings.ToUpper(name[:1]) + name[1:]
	}
	return name
}

// percent encodes some or all bytes of s, and always those that must be.
func (g *garden) percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case strings.IndexByte("&=%#+ ?\"<>\r\n", c) >= 0, c >= 0x80, g.r.IntN(8) == 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// parameters are pairs as in a query or form.
func (g *garden) parameters(kind string) string {
	var all []string
	all = append(all, "open="+g.visible())
	for range 1 + g.r.IntN(3) {
		name, core := g.plant(kind)
		if g.r.IntN(3) == 0 {
			name = g.percent(name)
		} else if g.r.IntN(5) == 0 {
			name = pick(g, "user["+name+"]", name+"[]", "a%5B"+name+"%5D", "user."+name, "f%3A"+name, "p%24"+name)
		}
		all = append(all, g.mixed(name)+"="+pick(g, core, g.percent(pick(g, "", "ä;", "\"", "a b")+core+pick(g, "", "=", "&x", ";y", "?z"))))
	}
	if g.r.IntN(2) == 0 {
		all = append(all, "note="+url.QueryEscape(g.shaped()))
	}
	if g.r.IntN(4) == 0 { // a URL with a secret, encoded once or twice
		v := url.QueryEscape(g.link(kind))
		if g.r.IntN(2) == 0 {
			v = url.QueryEscape(v)
		}
		all = append(all, "to="+v)
	}
	g.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return strings.Join(all, "&")
}

// link is a URL with a secret.
func (g *garden) link(kind string) string {
	name, core := g.plant(kind)
	return pick(g, "https://h.example/", "//h.example/a/", "/cb") + "?a=1&" + g.mixed(name) + "=" + core + "&b=2"
}

// target is that of a request.
func (g *garden) target() string {
	g.place = "target"
	t := "/" + g.visible()
	if g.r.IntN(3) == 0 {
		v := strings.ReplaceAll(g.shaped(), " ", "%20")
		t += "/" + strings.ReplaceAll(v, "@", pick(g, "@", "%40"))
	}
	if g.r.IntN(6) == 0 {
		name, core := g.plant("query")
		t += ";" + name + "=" + core
	}
	return t + "?" + g.parameters("query")
}

// fields are header fields or trailers.
func (g *garden) fields(answer bool) string {
	g.place = "headers"
	var all []string
	add := func(name, value string) { all = append(all, name+pick(g, ": ", ":", ":  ", ":\t")+value+"\r\n") }
	add("X-Open", g.visible())
	for range 1 + g.r.IntN(2) {
		name, core := g.plant("header")
		name = g.mixed(name)
		if g.r.IntN(5) == 0 {
			name = strings.ReplaceAll(name, "-", "_")
		}
		add(name, pick(g, core, `"`+core+`"`, "Token "+core, core+", "+core, core+"\r\n folded"))
	}
	if g.r.IntN(3) == 0 {
		add("X-Note", "see "+g.shaped()+" there")
	}
	if g.r.IntN(8) == 0 { // a line without a colon, or with a byte that no name has
		name, core := g.plant("header")
		all = append(all, pick(g, name+" "+core, name+"="+core, name+"\x01: "+core, "\x0b"+name+": "+core)+"\r\n")
	}
	c, core := g.plant("cookie")
	if answer {
		add("Set-Cookie", g.mixed(c)+"="+pick(g, core, `"`+core+`"`)+"; Path=/; HttpOnly")
		if g.r.IntN(4) == 0 {
			q, core := g.plant("query")
			add("Location", pick(g, "https://h.example/cb?a=1&", "/cb#")+q+"="+core)
		}
	} else {
		add("Cookie", "open="+g.visible()+pick(g, "; ", ";")+g.mixed(c)+"="+pick(g, core, core+"=", `"`+core+`"`)+"; b=2")
		if g.r.IntN(4) == 0 {
			add(pick(g, "Referer", "X-Original-URI", "x-envoy-original-path"), "https://h.example/a?"+g.parameters("query"))
		}
		if g.r.IntN(6) == 0 {
			add("X-Args", strings.ReplaceAll(g.json(0), "\n", ""))
		}
	}
	g.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return strings.Join(all, "")
}

// escaped writes s in a string of JSON, some of it as escapes.
func (g *garden) escaped(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteString("\\" + string(c))
		case c < ' ' || c < 0x80 && g.r.IntN(12) == 0:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// json is a document with secrets at any depth.
func (g *garden) json(depth int) string {
	sp := pick(g, "", "", " ", "\n  ")
	var all []string
	all = append(all, g.escaped("open")+":"+sp+`"`+g.visible()+`"`)
	for range 1 + g.r.IntN(3) {
		name, core := g.plant("json")
		name = g.mixed(name)
		v := g.escaped(pick(g, "", "ä", `\"`, "\n", `","x":"`) + core + pick(g, "", `"`, `\`, "}", `":`))
		switch g.r.IntN(6) {
		case 0:
			v = `{"a":[1,"}",` + v + `]}`
		case 1:
			v = "[" + v + ",null]"
		}
		all = append(all, g.escaped(name)+pick(g, ":", " :", ": ")+sp+v)
	}
	if g.r.IntN(2) == 0 {
		v := g.shaped()
		if strings.Trim(v, "0123456789") == "" && g.r.IntN(2) == 0 {
			all = append(all, `"n":`+v)
		} else {
			all = append(all, `"note":`+g.escaped("see "+v+"\n"))
		}
	}
	if depth > 0 {
		inner := g.json(depth - 1)
		switch g.r.IntN(4) {
		case 0:
			inner = "[1," + inner + ",2]"
		case 1: // JSON in a string of JSON
			inner = `"` + strings.NewReplacer(`\`, `\\`, `"`, pick(g, `\"`, `\"`, `\u0022`), "\n", `\n`).Replace(inner) + `"`
		}
		all = append(all, `"in":`+inner)
	}
	g.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return "{" + sp + strings.Join(all, ","+sp) + sp + "}"
}

// xml is a document with secrets in elements and attributes.
func (g *garden) xml() string {
	g.place = "xml"
	e, one := g.plant("xml")
	a, two := g.plant("attribute")
	f, three := g.plant("xml")
	q := pick(g, `"`, "'")
	return pick(g, "", `<?xml version="1.0"?>`, "<!-- <x -->\n") + `<s:Envelope xmlns:s="u"><open>` + g.visible() + "</open><item " + a + "=" + q + two + q + ` b="1>2">` +
		"<" + pick(g, "", "n:") + e + ">" + one + "</" + e + "><d/></item><" + f + " x='1'>" +
		pick(g, three, "<![CDATA["+three+"</"+f+">]]>", "a&amp;"+three+"<b>"+three+"</b>") + "</" + f + "><t>" + g.shape("email") + "</t></s:Envelope>"
}

// odd is a document that is nearly JSON: as Python or JSON5 write it, perhaps in
// a string of JSON, or XML in one.
func (g *garden) odd() string {
	name, core := g.plant("json")
	e, two := g.plant("xml")
	bare, three := g.plant("json")
	if strings.Contains(bare, "-") {
		bare = "'" + bare + "'"
	}
	in := "{'open': '" + g.visible() + "', '" + name + "': " + pick(g, "'"+core+"'", "'a,"+core+"}'", "['}', '"+core+"']") + ", " + bare + ": '" + three + "'}"
	x := "<a><" + e + ">" + two + `<\/` + e + "></a>"
	return pick(g, `{"xml":"`+x+`","in":"`+in+`"}`, `{"in":`+in+`,"xml":"`+strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(x)+`"}`,
		`{"xml":"`+x+`","in":"`+strings.ReplaceAll(in, "'", `\"`)+`"}`)
}

// page is a document of HTML with JSON in an attribute and a script with a URL.
func (g *garden) page() string {
	entities := strings.NewReplacer("&", "&amp;", `"`, pick(g, "&quot;", "&#34;", "&#x22;"), "<", "&lt;")
	return `<html><div data-open="` + g.visible() + `" data-in="` + entities.Replace(g.json(1)) + `"></div><script>x="` + strings.ReplaceAll(g.link("query"), "/", `\/`) + `"</script></html>`
}

// graph is a request in GraphQL.
func (g *garden) graph() string {
	name, core := g.plant("json")
	name = strings.ReplaceAll(name, "-", "_")
	mark := pick(g, `"`, `"""`)
	q := "mutation {\n  login(open: \"" + g.visible() + "\", " + name + ": " + mark + core + mark + ") { id }\n}"
	if g.r.IntN(2) == 0 {
		return q
	}
	return `{"query":` + strings.NewReplacer(`\u0022`, `\"`).Replace(g.escaped(q)) + `,"next":"` + strings.ReplaceAll(g.link("query"), "/", `\/`) + `"}`
}

// echo is a message within a body, as the answer to TRACE has it.
func (g *garden) echo() string {
	name, core := g.plant("header")
	return "GET " + g.link("query") + " HTTP/1.1\r\nX-Open: " + g.visible() + "\r\n" + g.mixed(name) + ": " + core + "\r\n\r\n"
}

// wide writes s in UTF-16.
func wide(s string, big bool) string {
	var b []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

// multipart is a form in parts.
func (g *garden) multipart(boundary string) string {
	var b strings.Builder
	part := func(head, content string) {
		b.WriteString("--" + boundary + "\r\n" + head + "\r\n\r\n" + content + "\r\n")
	}
	part(`Content-Disposition: form-data; name="open"`, g.visible())
	for range 2 {
		name, core := g.plant("form")
		name = g.mixed(name)
		part(pick(g, `Content-Disposition: form-data; name="`+name+`"`, "content-disposition: form-data;\r\n name="+name, `Content-Type: text/plain`+"\r\n"+`Content-Disposition: form-data; filename="a"; NAME="`+name+`"`),
			pick(g, core, core+"\r\n--x\r\n"+core))
	}
	part("Content-Disposition: form-data; name=data\r\nContent-Type: application/json", g.json(1))
	part("Content-Disposition: form-data; name=note", "pay "+g.shaped()+".")
	b.WriteString("--" + boundary + "--\r\n")
	return b.String()
}

// body is what a message carries, with its type.
func (g *garden) body() (kind, body string) {
	g.place = "body"
	switch g.r.IntN(16) {
	case 12:
		return pick(g, "text/html", ""), g.page()
	case 13:
		return "application/graphql", g.graph()
	case 14:
		return "message/http", g.echo()
	case 15:
		return "multipart/mixed; boundary=XYZ", "--XYZ\r\nContent-Type: application/http\r\n\r\n" + g.echo() + "--XYZ--\r\n"
	case 11:
		return "application/json", g.odd()
	case 9: // in UTF-16
		return "application/json; charset=utf-16", wide(g.json(0), g.r.IntN(2) == 0)
	case 10:
		name, core := g.plant("form")
		return "text/plain", "open=" + g.visible() + "\r\n" + g.mixed(name) + "=" + core + "\r\nb=2\r\n"
	case 0:
		return "application/x-www-form-urlencoded", g.parameters("form")
	case 1:
		return "multipart/form-data; boundary=" + pick(g, "XYZ", `"XYZ"`), g.multipart("XYZ")
	case 2:
		return pick(g, "text/xml", "application/soap+xml; charset=utf-8"), g.xml()
	case 3:
		return "application/x-ndjson", g.json(0) + "\n" + g.json(1) + "\n"
	case 4:
		return "text/event-stream", "event: x\ndata: " + strings.ReplaceAll(g.json(0), "\n", "") + "\n\n"
	case 5:
		return "text/plain", "write " + g.shaped() + " or " + g.shaped() + " to " + g.visible() + "\n"
	case 6:
		s := g.json(0)
		return pick(g, "", "text/html", "application/octet-stream"), pick(g, "", ")]}',\n", "\ufeff") + s
	}
	return pick(g, "application/json", "application/json; charset=utf-8", "application/problem+json"), pick(g, g.json(2), "["+g.json(1)+"]", strings.Repeat(" ", 9)+g.json(3))
}

// of returns the names of a kind.
func (g *garden) of(kind string) string {
	all := slices.Clone(g.names[kind])
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
