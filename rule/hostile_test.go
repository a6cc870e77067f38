package rule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/passiflow/passiflow/message"
)

// TestHostileBodies: no text takes out of proportion long, whoever wrote it.
func TestHostileBodies(t *testing.T) {
	if testing.Short() {
		t.Skip("under the race detector everything takes long")
	}
	s := parse(t, `defaults: true
rules:
- mask:
    headers: [a]
    query: [a, password]
    form: [a, password]
    cookies: [a]
    json: [$.a.b, $..password, $..a, "$..*x*"]
    xml: [//a, //b//c//d//e, /a/b/c, //@a]
- mask: {json: ["$.a[0]", $.b.c]}
- detect: [card, email, jwt, bearer, key]
`)
	const size = 1 << 20
	for _, unit := range []string{
		`{"a":`, `[`, `{`, `}`, `"`, `\`, `\"`, `\\\"`, `":`, `"a":`, `\"a\":`, `"password":"`, `\"password\":\"`, `"a":{"b":`, `\u0061`, `"\u0022`, `\u00`, `a":"`, `"a\":`,
		`{a:`, `a:`, `'a':`, `'a':'`, `{'a':'`, `{password:`, `{password:"`, `'password':'`, `\'a\':`, `\'a\':\'`, `{/*`, `{/**/a:`, ",\na:", "//\na:", `u'`, `'`, `a:{`, "{a:1}\n", `{a:"\`, `password:\n`, `password:*/`, `//password:\n`,
		`"<`, `{"x":"<a>`, `"\u003ca`, `"\u003ca>\u003c\/a>`, `\"<a>`,
		`&quot;`, `{&quot;a&quot;:`, `&#34;a&#34;:&#34;`, `\/`, `"\/`, `"http:\/\/`, `\\\/`, `//`, `//@`, `%40`, `%2540`, `//%40`, `{a:$b`, `,a:$a,$a:`, `{a:"""`, `"""`, `,a:\"\"\"`, `{a:b(`, `"a":(`, `"a":"b"(`, `("`, `\n :`, "a:\n", `%2525253D`,
		`a=`, `password=&`, `=`, `%`, `%41`, `a[`, `a[b]`, `[password`, `?`, `a%5B`, `%3D`, `a%3D`, `%22`, `=%7B%22a%22:`, "\ndata:", `,a=`, `, `, `+`, `;`,
		`<`, `<a`, `<a>`, `<b>`, `<b><c>`, `</a>`, `<!--`, `<![CDATA[`, `<a b="`, `<a b='x'`, `<a a=`, `<b><c><d>`, `&`, `&lt;`, `&lt;a`, `&lt;!--`, `<!`, `]]>`,
		`--B` + "\r\n", "\r\n--B\r\nname=", "name=\"", "=\r\n",
		`4`, `4111 `, `4111-1111-`, `41111111`, `4111111111111111 `, ` `, `-`, `1 2 `,
		`@`, `a@`, `a@b.`, `a@b.cc`, `.`, `eyJ`, `eyJ.`, `eyJa.`, `J`, `bearer `, `ghp_`, `a`, `aA1_`, `/`, `sk-`, "\x00", "\xff", "é",
	} {
		for _, kind := range []string{"application/json", "application/x-www-form-urlencoded", "text/xml", "multipart/form-data; boundary=B", "message/http", ""} {
			text := strings.Repeat(unit, size/len(unit))
			if kind == "text/xml" {
				text = "<r>" + text
			}
			d := quickest(5*time.Second, func() {
				m := exchange()
				m.Request.Fields[1].Value, m.Request.Body, m.Request.Marks = kind, []byte(text), message.BodyTruncated
				s.Apply(m)
			})
			if d > 5*time.Second {
				t.Errorf("%q as %s: %v", unit, kind, d)
			} else if d > 500*time.Millisecond {
				t.Logf("%q as %s: %v", unit, kind, d)
			}
		}
		d := quickest(3*time.Second, func() {
			m := exchange()
			m.Request.Target, m.Request.Fields[0].Value = "/"+strings.Repeat(unit, 64<<10/len(unit)), strings.Repeat(unit, 64<<10/len(unit))
			m.Request.Fields = append(m.Request.Fields, message.Field{Name: "Cookie", Value: m.Request.Fields[0].Value}, message.Field{Name: "Referer", Value: m.Request.Fields[0].Value})
			s.Apply(m)
		})
		if d > 3*time.Second {
			t.Errorf("%q in the head: %v", unit, d)
		}
	}
}

// quickest returns how long f takes. Where that is more than most, which a busy
// machine may be the reason of, it is the shortest of several times.
func quickest(most time.Duration, f func()) time.Duration {
	var best time.Duration
	for i := range 4 {
		from := time.Now()
		f()
		if d := time.Since(from); i == 0 || d < best {
			best = d
		}
		if best <= most {
			break
		}
	}
	return best
}

// TestHostileParts: names in the head of a part, which nothing but its end bounds.
func TestHostileParts(t *testing.T) {
	s := parse(t, "defaults: true\n")
	for _, unit := range []string{`name=`, `name="`, `name='`, `name=[`, `name==`, `name=a;`, `name*=a'`, `name="\"`, `=`, `1`, `name=1`, `name= `, `name=%5b`, "name=\n"} {
		text := "--B\r\n" + strings.Repeat(unit, 1<<20/len(unit)) + "\r\n\r\nx\r\n--B--"
		if d := quickest(time.Second, func() {
			m := exchange()
			m.Request.Fields[1].Value, m.Request.Body = "multipart/form-data; boundary=B", []byte(text)
			s.Apply(m)
		}); d > time.Second {
			t.Errorf("%q: %v", unit, d)
		}
	}
}

// TestManyPartNames: what is not looked at is hidden.
func TestManyPartNames(t *testing.T) {
	s := parse(t, "defaults: true\n")
	for _, head := range []string{
		`name="` + strings.Repeat("x", 600) + `[password]"`,
		`name="` + strings.Repeat(`\x`, 300) + `[password]"`,
		strings.Repeat("filename=x; ", 60) + "name=password",
	} {
		m := exchange()
		m.Request.Fields[1].Value = "multipart/form-data; boundary=B"
		m.Request.Body = []byte("--B\r\nContent-Disposition: form-data; " + head + "\r\n\r\nhunter2\r\n--B--")
		if s.Apply(m); strings.Contains(string(m.Request.Body), "hunter2") {
			t.Errorf("%.40q: %.1000s", head, m.Request.Body)
		}
	}
}

// TestBeyondPatience: what would take too long to find out is hidden.
func TestBeyondPatience(t *testing.T) {
	s := parse(t, "- mask: {xml: [//a//b//c], form: [password]}\n")
	for kind, body := range map[string]string{
		"text/xml":                          strings.Repeat("<a>", 3000) + strings.Repeat("<c>hunter2</c>", 3000),
		"application/x-www-form-urlencoded": "a" + strings.Repeat("[", 40) + "=hunter2",
	} {
		m := exchange()
		m.Request.Fields[1].Value, m.Request.Body = kind, []byte(body)
		if s.Apply(m); !strings.HasSuffix(strings.TrimSuffix(string(m.Request.Body), "</c>"), "[REDACTED]") {
			t.Errorf("%s: what is not looked at stays: …%s", kind, m.Request.Body[max(0, len(m.Request.Body)-40):])
		}
	}
}
