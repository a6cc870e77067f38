package diff

import (
	"encoding/json"
	"strings"

	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/rule"
)

// Hide returns what keeps secrets out of a report: it lets r look at each value
// as it would stand in a record, and shows what r leaves of it.
func Hide(r rule.Rule) func(k Kind, name, value string) string {
	return func(k Kind, name, value string) string {
		switch {
		case k == Header:
			x := &message.Exchange{Protocol: "http", Response: &message.Message{Status: "200", Fields: []message.Field{{Name: name, Value: value}}}}
			if !r.Apply(x) {
				return rule.Redacted
			}
			return x.Response.Fields[0].Value
		case k == Body:
			kind, body := "text/plain", value
			if strings.HasPrefix(name, "$") {
				kind, body = "application/json", inside(name, value)
			}
			x := &message.Exchange{Protocol: "http", Response: &message.Message{Status: "200", Body: []byte(body), Size: int64(len(body)), WireSize: int64(len(body)),
				Fields: []message.Field{{Name: "Content-Type", Value: kind}}}}
			if !r.Apply(x) || string(x.Response.Body) != body {
				return rule.Redacted
			}
			return value
		}
		x := &message.Exchange{Protocol: "http", Request: &message.Message{Op: "GET", Target: value}}
		if !r.Apply(x) {
			return rule.Redacted
		}
		return x.Request.Target
	}
}

// inside puts a value where it stood, so that a rule that goes by names knows
// them: $.a[0].b becomes {"a":[{"b":value}]}, about.
func inside(path, value string) string {
	if !json.Valid([]byte(value)) {
		quoted, err := json.Marshal(value)
		if err != nil {
			return value
		}
		value = string(quoted)
	}
	parts := strings.FieldsFunc(path[1:], func(r rune) bool { return r == '.' || r == '[' || r == ']' || r == '\'' })
	for i := len(parts) - 1; i >= 0; i-- {
		if strings.Trim(parts[i], "0123456789") == "" {
			value = "[" + value + "]"
			continue
		}
		name, err := json.Marshal(parts[i])
		if err != nil {
			return value
		}
		value = "{" + string(name) + ":" + value + "}"
	}
	return value
}
