package rule

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/passiflow/passiflow/message"
)

// masks is what one or several rules hide in a message. A nil part hides
// nothing.
type masks struct {
	secrets *Secrets
	headers *names
	query   *names
	form    *names
	cookies *names
	json    *jsonNames
	paths   *jsonPaths
	simple  [][]pathStep // those that are in json
	xml     *xmlPaths
	plain   *xmlPaths // of documents alone, and not of what stands in JSON and HTML
	body    *with     // the whole body
	detect  []*detector
	first   *entry // the first rule: who withholds what cannot be looked into
	located *names // the fields that hold URLs, for query
	looks   uint8  // where detectors look, see the constants
	sought  *sought
	head    *detector // what all that look before the body seek
}

// ready makes what is needed to look for all of it in one pass. Nothing may be
// added afterwards.
func (k *masks) ready() {
	k.sought = newSought()
	if k.query != nil {
		k.located = &names{}
		for _, n := range urlFields() {
			_ = k.located.add(n, &with{}) // plain names are never refused
		}
	}
	k.head = &detector{}
	for _, d := range k.detect {
		d.ready()
		if d.body {
			k.sought.wants |= d.sought.wants
		}
		if d.headers || d.query || d.target {
			k.head.join(d)
		}
	}
	k.head.ready()
	if k.paths != nil {
		k.sought.names(k.json, &k.paths.last)
	} else if k.json != nil {
		k.sought.names(k.json)
	}
}

const (
	inBody = 1 << iota
	inHeaders
	inQuery
	inTarget
)

// half masks one message.
func (k *masks) half(m *message.Message, t *trace) {
	part := ""
	if t != nil {
		part = t.place
	}
	if k.headers != nil {
		k.fields(m, m.Fields, t)
		if m.Marks&message.FoldedHeader != 0 {
			k.headers.swallowed(m, all, t)
		}
	}
	if k.cookies != nil {
		k.cookies.cookies(m, t)
	}
	if k.query != nil {
		k.query.urls(m, k.located, t)
	}
	if i := strings.IndexByte(m.Target, '?'); i >= 0 {
		t.at(part + ".target")
		if q := k.inQuery(m.Target[i:], t); q != m.Target[i:] {
			m.Target = m.Target[:i] + q
			m.Hold(len(m.Target))
		}
		t.at(part)
	}
	if k.json != nil || k.paths != nil {
		k.inFields(m, part, t)
	}
	if k.secrets != nil {
		k.secrets.mask(m, t)
	}
	if k.looks&^inBody != 0 {
		k.detectHead(m, t)
	}
	if len(m.Body) > 0 && k.wantsBody() {
		t.at(part + ".body")
		was := view(m.Body)
		if now := k.content(m, was, t); len(now) != len(was) || unsafe.StringData(now) != unsafe.StringData(was) {
			m.Body = bytesOf(now)
		}
	}
}

func all(*with) bool { return true }

func (k *masks) wantsBody() bool {
	return k.named() || k.query != nil || k.body != nil || k.looks&inBody != 0
}

// named tells whether something in bodies is masked by its name.
func (k *masks) named() bool {
	return k.json != nil || k.paths != nil || k.xml != nil || k.plain != nil || k.form != nil
}

func (k *masks) fields(m *message.Message, fields []message.Field, t *trace) {
	for i := range fields {
		f := &fields[i]
		w := k.headers.find(f.Name)
		if w == nil && m.Marks&message.BadHeader != 0 {
			w = k.headers.odd(m, f, all, t)
		}
		if w != nil {
			w.field(m, f, t)
		} else if d := f.Detail; d != nil && len(d.Children) > 0 {
			children := append([]message.Field(nil), d.Children...)
			k.fields(m, children, t)
			for c := range children {
				if children[c].Value != d.Children[c].Value {
					f.Detail, f.Value = &message.Detail{Raw: d.Raw, Children: children}, Redacted // the parts stand in it
					break
				}
			}
		}
	}
}

// content masks a body.
func (k *masks) content(m *message.Message, s string, t *trace) string {
	if len(s) < 64 && (&with{text: Redacted}).done(s) {
		return s
	}
	if k.body != nil {
		if k.body.done(s) {
			return s
		}
		return k.body.hit(t, "", kindBody, s)
	}
	if k.unreadable(m, s) {
		w := &with{text: Redacted, rule: k.first}
		return w.hit(t, "", kindBody, s)
	}
	kind, _ := m.Get("Content-Type")
	const cut = message.BodyTruncated | message.Incomplete | message.Bomb | message.BadEncoding | message.BadChunk
	return k.narrow(kind, s, m.Marks&cut != 0, 0, t)
}

// narrow is text for what may be written in UTF-16.
func (k *masks) narrow(kind, s string, cut bool, depth int, t *trace) string {
	if len(s) > 1 && (s[0] == 0 || s[1] == 0 || s[0] >= 0xfe && s[1] >= 0xfe || containsFold(kind, "utf-16")) {
		if wide := fromUTF16(kind, s); wide != "" {
			if now := k.text(kind, wide, cut, depth, t); now != wide {
				return now
			}
			return s
		}
	}
	return k.text(kind, s, cut, depth, t)
}

// unreadable tells whether a body may hold a secret that cannot be seen: what
// is still compressed, and what lacks bytes, so that names and values may stand
// apart. Such a body is withheld.
func (k *masks) unreadable(m *message.Message, s string) bool {
	if m.Marks&message.BadEncoding != 0 && !printable(s) {
		return true
	}
	if !k.named() {
		return false
	}
	return m.Marks&message.Gapped != 0 || packed(s)
}

// packed tells whether s is compressed with gzip or zstd.
func packed(s string) bool {
	return strings.HasPrefix(s, "\x1f\x8b\x08") || strings.HasPrefix(s, "\x28\xb5\x2f\xfd")
}

// printable tells whether s is text, by its beginning.
func printable(s string) bool {
	s = s[:min(len(s), 4<<10)]
	for i := 0; i < len(s); {
		if c := s[i]; c < 0x80 {
			if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n < 2 && len(s)-i > utf8.UTFMax {
			return false
		}
		i += n
	}
	return true
}

// fromUTF16 returns text that is written in UTF-16 in UTF-8, "" if it is not.
func fromUTF16(kind, s string) string {
	big := s[0] == 0 || s[0] == 0xfe
	if s[0] != 0 && s[1] != 0 && s[0] < 0xfe { // no sign but what it is said to be
		big = !containsFold(kind, "utf-16le")
	} else if zeros := strings.Count(s[:min(len(s), 512)], "\x00"); s[0] < 0xfe && zeros*4 < min(len(s), 512) {
		return ""
	}
	units := make([]uint16, 0, len(s)/2)
	for i := 0; i+1 < len(s); i += 2 {
		u := uint16(s[i]) | uint16(s[i+1])<<8
		if big {
			u = u<<8 | u>>8
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

// deepestPart bounds how deep parts stand in parts.
const deepestPart = 4

// text masks a body or a part of one.
func (k *masks) text(kind, s string, cut bool, depth int, t *trace) string {
	if depth < deepestPart && (hasFold(kind, "multipart/") || kind == "" && strings.HasPrefix(s, "--")) {
		if b := boundary(kind, s); b != "" {
			return k.multipart(s, b, cut, depth, t)
		}
	}
	start := strings.TrimLeft(s, " \t\r\n\ufeff")
	start = start[:min(len(start), longestParameter)]
	isJSON := start != "" && (start[0] == '{' || start[0] == '[' || start[0] == '"') || prefix(s) > 0 || containsFold(kind, "json") && !looksForm(start)
	var v survey
	if v.of(k.sought, s).has(hasLess) {
		s = k.inEntities(s, 0, t)
	}
	esc := v.of(k.sought, s).seen(seenUnicode) && escapes(s)
	s = k.members(s, isJSON, esc, &v, t)
	if !isJSON && startsMessage(s) || hasFold(kind, "message/http") || hasFold(kind, "application/http") {
		s = k.inHeads(s, t)
	}
	if k.xml != nil {
		switch {
		case isJSON:
			if esc || v.of(k.sought, s).has(hasLess) {
				s = k.xml.inJSON(s, 0, t)
			}
		case v.of(k.sought, s).has(hasLess):
			s = k.xml.mask(s, containsFold(kind, "html"), t)
		}
		if esc && !isJSON {
			s = k.xml.inJSON(s, 0, t)
		}
	}
	if k.plain != nil && looksXML(start) {
		s = k.plain.mask(s, true, t) // these are names alone
	}
	form := !isJSON && looksForm(start)
	if containsFold(kind, "urlencoded") { // which clients also call JSON
		form = !isJSON || !json.Valid(bytesOf(s))
	}
	if k.form != nil && form {
		stop := byte('&')
		if hasFold(kind, "text/plain") {
			stop = '\n'
		}
		s = k.inValues(k.form.pairs(s, stop, t, ""), 0, t)
	}
	if (k.query != nil || k.secrets != nil) && v.of(k.sought, s).has(hasSlash) && (esc || v.seen(seenSlashes) && strings.Contains(s, `\/`)) {
		s = k.inStrings(s, form, 0, t)
	}
	if v.of(k.sought, s).has(hasEquals | hasPercent | hasAt) {
		s = k.locate(s, form, isJSON, t)
	}
	if k.looks&inBody == 0 {
		return s
	}
	for _, d := range k.detect {
		if d.body && !form && v.of(k.sought, s).has(hasPercent) {
			s = d.inParts(s, t)
		}
		switch {
		case !d.body:
		case form:
			s = d.url(s, cut, &v, t, "")
		case isJSON:
			s = d.json(s, cut, esc, v.of(k.sought, s), t, "")
		default:
			s = d.surveyed(s, cut, v.of(k.sought, s), t, "")
		}
	}
	return s
}

// members masks members of JSON in a text.
func (k *masks) members(s string, isJSON, esc bool, v *survey, t *trace) string {
	if k.json != nil {
		s = k.json.mask(s, esc, v.of(k.sought, s).known(k.sought), t)
	}
	switch {
	case k.paths == nil:
	case isJSON:
		s = k.paths.mask(s, esc, v.of(k.sought, s).odd(), v.known(k.sought), t)
	default:
		s = k.paths.last.mask(s, esc, v.of(k.sought, s).known(k.sought), t)
	}
	switch {
	case !esc:
	case k.json != nil:
		s = k.json.inside(s, 0, t)
	case k.paths != nil && k.paths.names != nil:
		s = k.paths.names.inside(s, 0, t)
	}
	return s
}

func (k *masks) multipart(s, boundary string, cut bool, depth int, t *trace) string {
	s = multipart(s, boundary, func(head, content string) string {
		if k.form != nil {
			if w := k.form.partName(head); w != nil {
				if w.done(content) {
					return content
				}
				return w.hit(t, "", kindString, content)
			}
		}
		if k.named() && packed(content) {
			w := &with{text: Redacted, rule: k.first}
			return w.hit(t, "", kindBody, content)
		}
		return k.narrow(partType(head), content, cut, depth+1, t)
	})
	for _, d := range k.detect { // what stands in the heads of the parts and around them
		if d.body {
			s = d.text(s, cut, t, "")
		}
	}
	return s
}

// partType returns the type of a part's content, text/plain where none is said.
func partType(head string) string {
	for line := range strings.SplitSeq(head, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(name), "content-type") {
			return strings.TrimSpace(value)
		}
	}
	return "application/octet-stream"
}

// looksForm tells whether a text begins with name= as a form does.
func looksForm(start string) bool {
	for i := range len(start) {
		switch c := start[i]; {
		case c == '=':
			return i > 0
		case !tokenByte(c) && c != '.' && c != '%' && c != '+' && c != '[' && c != ']' && c != '*':
			return false
		}
	}
	return false
}

// looksXML tells whether a text begins as XML does and HTML does not.
func looksXML(start string) bool {
	return start != "" && start[0] == '<' && !hasFold(start, "<!doctype html") && !hasFold(start, "<html")
}

func hasFold(s, beginning string) bool {
	return len(s) >= len(beginning) && strings.EqualFold(s[:len(beginning)], beginning)
}

func containsFold(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i]|0x20 == part[0] && strings.EqualFold(s[i:i+len(part)], part) {
			return true
		}
	}
	return false
}
