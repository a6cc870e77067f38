package rule

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// masking reads a rule that masks. Rules without conditions that stand behind
// each other become one step, so that a body is walked through once.
func (p *parser) masking(st step, v *yaml.Node, fields map[string]*yaml.Node) {
	st.kind = maskRule
	w := p.with(st.rule, fields)
	k := p.open
	if k == nil || st.when != nil {
		k = &masks{first: st.rule}
		st.masks = k
		p.set.steps = append(p.set.steps, st)
	}
	if p.open = k; st.when != nil {
		p.open = nil
	}
	if st.rule.what == "detect" {
		p.detect(k, w, v, fields["in"])
		return
	}
	parts := p.mapping(v, "headers", "query", "form", "cookies", "json", "xml", "body")
	if len(v.Content) == 0 {
		p.fault(v, "names nothing to mask")
	}
	k.headers = p.names(k.headers, w, parts["headers"])
	k.query = p.names(k.query, w, parts["query"])
	k.form = p.names(k.form, w, parts["form"])
	k.cookies = p.names(k.cookies, w, parts["cookies"])
	if n := parts["json"]; n != nil {
		for _, item := range p.list(n) {
			p.jsonPath(k, st, w, item)
		}
	}
	if n := parts["xml"]; n != nil {
		if k.xml == nil {
			k.xml = &xmlPaths{}
		}
		for _, item := range p.list(n) {
			if at, err := k.xml.add(item.Value, w); err != nil {
				p.inside(item, at, err)
			}
		}
	}
	if n := parts["body"]; n != nil {
		if n.Value != "true" {
			p.fault(n, "can only be true: the whole body is masked; name parts of it with json, xml or form")
		}
		k.body = w
	}
}

// inside tells a fault at a place in the text of n.
func (p *parser) inside(n *yaml.Node, at int, err error) {
	f := *n
	p.place(&f, n.Style, &Fault{Line: 1, Column: at + 1})
	p.fault(&f, "%s: %v", n.Value, err)
}

func (p *parser) names(to *names, w *with, n *yaml.Node) *names {
	if n == nil {
		return to
	}
	if to == nil {
		to = &names{}
	}
	for _, item := range p.list(n) {
		if strings.TrimSpace(item.Value) == "" {
			p.fault(item, "a name is missing")
		} else if err := to.add(item.Value, w); err != nil {
			p.inside(item, 0, err)
		}
	}
	return to
}

func (p *parser) jsonPath(k *masks, st step, w *with, n *yaml.Node) {
	steps, at, err := parsePath(n.Value, w)
	if err != nil {
		p.inside(n, at, err)
		return
	}
	if simple(steps) {
		if k.json == nil {
			k.json = &jsonNames{}
		}
		_ = k.json.add(steps[0].source(), w) // parsePath has read it
		k.simple = append(k.simple, steps)
		return
	}
	if k.paths == nil {
		k.paths = &jsonPaths{}
	}
	if err := k.paths.add(steps); err != nil {
		if k.first != st.rule { // other rules take the room
			k = &masks{first: st.rule, paths: &jsonPaths{}}
			p.set.steps = append(p.set.steps, step{kind: maskRule, rule: st.rule, masks: k})
			p.open = k
			err = k.paths.add(steps)
		}
		if err != nil {
			p.fault(n, "%v", err)
		}
	}
}

// detect reads which detectors look where.
func (p *parser) detect(k *masks, w *with, v, in *yaml.Node) {
	d := &detector{with: w}
	for _, item := range p.list(v) {
		switch item.Value {
		case kindCard:
			d.card = true
		case kindEmail:
			d.email = true
		case kindJWT:
			d.jwt = true
		case kindBearer:
			d.bearer = true
		case kindKey:
			d.key = true
		default:
			text, ok := strings.CutPrefix(item.Value, "/")
			if ok = ok && strings.HasSuffix(text, "/") && len(text) > 1; !ok {
				p.fault(item, "is no detector: there are %s and /expressions/%s", strings.Join(shapes(), ", "), didYouMean(item.Value, shapes()))
				continue
			}
			re, err := regexp.Compile(strings.TrimSuffix(text, "/"))
			if err != nil {
				p.inside(item, 0, err)
				continue
			}
			d.matches = append(d.matches, re)
		}
	}
	places := []string{"body", "headers", "query", "target"}
	if in == nil {
		d.body, d.headers, d.query, d.target = true, true, true, true
	} else {
		for _, item := range p.list(in) {
			switch item.Value {
			case "body":
				d.body = true
			case "headers":
				d.headers = true
			case "query":
				d.query = true
			case "target":
				d.target = true
			default:
				p.fault(item, "must be one of %s%s", strings.Join(places, ", "), didYouMean(item.Value, places))
			}
		}
	}
	k.detect = append(k.detect, d)
	k.looks |= d.looks()
}

func (d *detector) looks() (at uint8) {
	for bit, on := range map[uint8]bool{inBody: d.body, inHeaders: d.headers, inQuery: d.query, inTarget: d.target} {
		if on {
			at |= bit
		}
	}
	return at
}
