package rule_test

import "testing"

// TestOddNames: names and values that do not stand in double quotation marks,
// and XML in JSON.
func TestOddNames(t *testing.T) {
	s := parse(t, `defaults: false
rules: [mask: {json: [$..password, $..pw, $..k, $..api_key], xml: [//password, //a/@pin]}]
`)
	paths := parse(t, `defaults: false
rules: [mask: {json: [$.u.pin, $..password, $..api_key]}]
`)
	for _, k := range []struct{ place, text, want string }{
		{"Python", `{'password': 'SE,CRET', 'n': 1}`, `{'password': '[REDACTED]', 'n': 1}`},
		{"Python with a mark in it", `{'password': "SE'C,}RET", 'n': 1}`, `{'password': "[REDACTED]", 'n': 1}`},
		{"Python with an escape", `{'password': 'SE\',CRET', 'n': 1}`, `{'password': '[REDACTED]', 'n': 1}`},
		{"Python's bytes", `[{u'password': b'S, T', 'n': None}]`, `[{u'password': '[REDACTED]', 'n': None}]`},
		{"Python's number", `{'password': 1234, 'api-key': None}`, `{'password': '[REDACTED]', 'api-key': None}`},
		{"Python's values that nest", `{'password': {'a': ['}', "}"]}, 'n': (1, 2)}`, `{'password': '[REDACTED]', 'n': (1, 2)}`},
		{"JSON5", `{password: "SE,CRET", n: 'x', pw : 'SECRET', k:"S",}`, `{password: "[REDACTED]", n: 'x', pw : '[REDACTED]', k:"[REDACTED]",}`},
		{"JSON5 with comments", "{a: 1, // one\n  n: 'x', /* {two} */ pw: 'SECRET',\n // three\n api_key: 'SECRET'}", "{a: 1, // one\n  n: 'x', /* {two} */ pw: '[REDACTED]',\n // three\n api_key: '[REDACTED]'}"},
		{"JSON5 with double names", `{"password": 'SE,CRET', "pw": {a: '}', b: 1}, n: 1}`, `{"password": "[REDACTED]", "pw": "[REDACTED]", n: 1}`},
		{"in a string", `{"a":"{'password': 'SECRET', pw: \"SE,CRET\"}","b":1}`, `{"a":"{'password': '[REDACTED]', pw: \"[REDACTED]\"}","b":1}`},
		{"in a string, escaped twice", `{"a":"{'password': 'it\\', SECRET'}","b":1}`, `{"a":"{'password': '[REDACTED]'}","b":1}`},
		{"in a string, cut", `{"a":"{'password': 'SECR`, `{"a":"{'password': '[REDACTED]'`},
		{"in a string without an end", `{"a":"{'password': 'SECRET","b":1}`, `{"a":"{'password': '[REDACTED]'","b":1}`},
		{"a sentence", `{"a":"x (password:","b":", pw: SECRET","pass":1}`, `{"a":"x (password:","b":", pw: '[REDACTED]'","pass":1}`},
		{"as \\u0027", `{"a":"b\u0026 {\u0027password\u0027: \u0027SECRET\u0027}"}`, `{"a":"b& {'password': '[REDACTED]'}"}`},
		{"GraphQL", `{"query":"mutation {\n  login(user: \"u\",\n password: \"SE,CRET\") { id }}"}`, `{"query":"mutation {\n  login(user: \"u\",\n password: \"[REDACTED]\") { id }}"}`},
		{"lines", "{\"a\":\"{password:\"}\n{\"a\":1,'password':'x'}\n", "{\"a\":\"{password:\"}\n{\"a\":1,'password':'[REDACTED]'}\n"},
		{"a script in a script", `x='{\'password\': \'SECRET\', \'n\': 1}'`, `x='{\'password\': \'[REDACTED]\', \'n\': 1}'`},
		{"none of ours", `{"at":"12:30:00","p":"see password: x","b":{opassword:1,$password:2,'passwords':3}}`, `{"at":"12:30:00","p":"see password: x","b":{opassword:1,$password:2,'passwords':3}}`},
	} {
		x := exchange()
		x.Request.Fields[1].Value, x.Request.Body = "application/json", []byte(k.text)
		if s.Apply(x); string(x.Request.Body) != k.want {
			t.Errorf("%s: %s\nwant %s", k.place, x.Request.Body, k.want)
		}
		if s.Apply(x); string(x.Request.Body) != k.want {
			t.Errorf("%s, twice: %s", k.place, x.Request.Body)
		}
	}
	for text, want := range map[string]string{
		`{"u":"{'password': 'SECRET'}","b":1}`:    `{"u":"{'password': '[REDACTED]'}","b":1}`,
		`{'u': {'pin': 'SECRET'}, 'b': 1}`:        `{'u': {'pin': '[REDACTED]'}, 'b': 1}`,
		`{u: {pin: "SECRET"}, "password": "S"}`:   `{u: {pin: "[REDACTED]"}, "password": "[REDACTED]"}`,
		`{"u":{"a":"pin: 1"},"v":"(api_key: 1)"}`: `{"u":{"a":"pin: 1"},"v":"(api_key: '[REDACTED]')"}`,
	} {
		x := exchange()
		x.Request.Fields[1].Value, x.Request.Body = "application/json", []byte(text)
		if paths.Apply(x); string(x.Request.Body) != want {
			t.Errorf("%s: %s", text, x.Request.Body)
		}
	}
	for text, want := range map[string]string{
		`{"xml":"<password>SECRET<\/password><b>1<\/b>","n":"<\/x>"}`: `{"xml":"<password>[REDACTED]</password><b>1</b>","n":"<\/x>"}`,
		`{"xml":"\u003cpassword\u003eSECRET","n":1}`:                  `{"xml":"<password>[REDACTED]","n":1}`,
		`{"xml":"<a pin=\"SECRET\" b=\"1\"/>","n":1}`:                 `{"xml":"<a pin=\"[REDACTED]\" b=\"1\"/>","n":1}`,
		`["{\"x\":\"<password>SECRET<\\/password>\"}",1]`:             `["{\"x\":\"<password>[REDACTED]</password>\"}",1]`,
		`{'xml':'<password>SECRET</password>',"n":"<password>SECR`:    `{'xml':'<password>[REDACTED]</password>',"n":"<password>[REDACTED]`,
		`{"a":"1<2","b":"\u003c<\/"}`:                                 `{"a":"1<2","b":"\u003c<\/"}`,
	} {
		x := exchange()
		x.Request.Fields[1].Value, x.Request.Body = "application/json", []byte(text)
		if s.Apply(x); string(x.Request.Body) != want {
			t.Errorf("%s: %s", text, x.Request.Body)
		}
	}
}
