package rule_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/passiflow/passiflow/rule"
)

func TestParseTellsEveryFaultWithItsPlace(t *testing.T) {
	for text, want := range map[string][]string{
		"- drop: request.metod == 'x'\n": {"1:17: has no field metod; did you mean method?"},
		"rules:\n- drop: \"response.status\"\n- keep: |\n    response.status > 1 and\n    requst.method == ''\n": {
			"2:10: expected bool, but got int", "5:5: unknown name requst; did you mean request?"},
		"- mask: {header: [a]}\n  wiht: type\n":                               {"1:10: unknown key header; did you mean headers?", "2:3: unknown key wiht; did you mean with?"},
		"- drop: 'true'\n  if: x\n":                                           {"2:3: unknown key if; did you mean when?"},
		"- mask: {headers: ['/(/']}":                                          {"1:21: /(/: error parsing regexp: missing closing ): `(?i)(`"},
		"- mask: {json: ['$.a[x]', '$']}":                                     {"1:21: $.a[x]: [x] is neither an index nor [*]; a name stands in quotation marks", "1:28: $: is not a path; write $.user.password or $..password"},
		"- mask: {xml: [password]}":                                           {"1:16: password: an XML path begins with / or //"},
		"- mask: {headers: [a]}\n  with: typ\n":                               {"2:9: must be fixed, type or pseudonym; did you mean type?"},
		"- mask: {headers: [a]}\n  with: pseudonym\n":                         {"2:9: pseudonyms need a key: set PASSIFLOW_PSEUDONYM_KEY, or name a variable or a file with key: {env: NAME} or key: {file: PATH} above the rules"},
		"key: {env: SHORT}\nrules: [{mask: {headers: [a]}, with: pseudonym}]": {"1:6: the key for pseudonyms has 1 bytes and needs 16; make one with: openssl rand -hex 32"},
		"key: {env: NONE}\nrules: [{mask: {headers: [a]}, with: pseudonym}]":  {"1:12: the variable NONE is empty"},
		"- detect: [crad]":                                                    {"1:12: is no detector: there are card, email, jwt, bearer, key and /expressions/; did you mean card?"},
		"- {detect: [card], in: [boddy]}":                                     {"1:25: must be one of body, headers, query, target; did you mean body?"},
		"- sample: 110%":                                                      {"1:11: must be a share such as 10% or 0.1"},
		"- {keep: 'true', drop: 'true'}":                                      {"1:18: a rule does one thing, and this one does keep already; begin another with a dash"},
		"- name: x":                                                           {"1:3: a rule must have one of the keys mask, detect, keep, drop, sample"},
		"- drop: cidr(client.ip, '10.0.0.0/99')":                              {`1:25: "10.0.0.0/99" is no network; write 10.0.0.0/8`},
		"- {sample: 1%, with: type}":                                          {"1:16: with does not belong to sample"},
		"- drop: request.target matches '('":                                  {"1:24: error parsing regexp: missing closing ): `(`"},
		"a: [":                                                                {"1:1: is not YAML: did not find expected node content"},
		"- x\n---\n- y":                                                       {"2:1: more than one document"},
		"hello":                                                               {"1:1: must be a list of rules, or have the keys defaults, key and rules"},
		"- {mask: {headers: [a]}, text: 'a\"b'}":                              {"1:32: may consist of letters, digits, spaces and .,:;!*_()[]{}|~^@$- only, so that it fits everywhere"},
		"defaults: maybe":                                                     {"1:11: defaults must be true, false or except: [names of headers and parameters]"},
	} {
		_, err := rule.Parse("r.yaml", []byte(text), rule.Options{Getenv: func(n string) string { return map[string]string{"SHORT": "x"}[n] }})
		var f rule.Faults
		if !errors.As(err, &f) {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for i := range want {
			want[i] = "r.yaml:" + want[i]
		}
		if d := cmp.Diff(strings.Join(want, "\n"), err.Error()); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestParseAcceptsNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "rules:\n", "rules: []", "defaults: {except: [cookie]}"} {
		parse(t, text)
	}
}

func TestKeyFromFile(t *testing.T) {
	name := t.TempDir() + "/key"
	if err := os.WriteFile(name, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "key: {file: " + name + "}\nrules: [{mask: {headers: [x-key]}, with: pseudonym}]"
	s, err := rule.Parse("", []byte(text), rule.Options{ReadFile: os.ReadFile})
	if err != nil {
		t.Fatal(err)
	}
	x, y := exchange(), exchange()
	s.Apply(x)
	parse(t, "key: {env: KEY}\nrules: [{mask: {headers: [x-key]}, with: pseudonym}]").Apply(y)
	if x.Request.Fields[2].Value != y.Request.Fields[2].Value || x.Request.Fields[2].Value == "SECRET" {
		t.Error(x.Request.Fields[2], y.Request.Fields[2])
	}
}
