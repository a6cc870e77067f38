package builtin

import (
	"fmt"
	"net/url"
	"time"

	"github.com/passiflow/passiflow/sink"
	"github.com/passiflow/passiflow/sink/webhook"
)

// poster is what sinks that deliver by HTTP have in common.
type poster struct {
	config *sink.PostConfig
	token  string // name of the variable
}

// options are its settings; the address comes first.
func (p *poster) options(usage string) []Option {
	c := p.config
	return []Option{
		{Name: "url", Usage: usage, To: &c.URL},
		{Name: "token_env", Usage: "name of the environment variable that holds a token to send as Authorization: Bearer", To: &p.token},
		{Name: "headers", Usage: "more headers to send", To: &c.Headers},
		{Name: "timeout", Usage: "time for one request, answer included", To: &c.Timeout},
		{Name: "gzip", Usage: "compress the bodies", To: &c.Gzip},
		{Name: "ca", Usage: "PEM file with the authorities to trust in place of the system's", To: &c.TLS.CA},
		{Name: "certificate", Usage: "PEM file with the certificate to prove who is sending", To: &c.TLS.Certificate},
		{Name: "key", Usage: "PEM file with the key of certificate", To: &c.TLS.Key},
		{Name: "server_name", Usage: "name that the receiver's certificate must carry; default: the host in url", To: &c.TLS.Name},
		{Name: "insecure", Usage: "take any certificate of the receiver: whoever is on the way can read what is sent", To: &c.TLS.Insecure},
	}
}

// set fills in what is known when the sink is opened.
func (p *poster) set(o SinkOptions) error {
	p.config.Production, p.config.Dial = o.Production, o.Dial
	if o.Version != "" {
		p.config.Agent = "passiflow/" + o.Version
	}
	if p.token == "" {
		return nil
	}
	token := o.Getenv(p.token)
	if token == "" {
		return fmt.Errorf("token_env: the environment variable %s is not set", p.token)
	}
	p.config.Token = sink.Secret(token)
	return nil
}

// place returns scheme and host of the address.
func (p *poster) place() string {
	u, err := url.Parse(p.config.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func newWebhook() *SinkSetup {
	c := webhook.DefaultConfig()
	batch, body := string(c.Batch), "json"
	p := &poster{config: &c.Post}
	all := p.options("address to post to")
	more := []Option{
		{Name: "batch", Usage: "how records share requests: as a JSON array, as lines, or one in each", To: &batch,
			Words: []string{string(webhook.Array), string(webhook.Lines), string(webhook.Each)}},
		{Name: "concurrency", Usage: "requests under way at once with one record in each; more than 1: records may overtake each other", To: &c.Concurrency},
		{Name: "body", Usage: "form of the records: json is passiflow's, messages that of TCP Sniffer, each half alone", To: &body, Words: []string{"json", "messages"}},
	}
	return &SinkSetup{
		Options: append(all[:1:1], append(more, all[1:]...)...),
		Queue:   func(q *sink.QueueConfig) { q.Linger = 200 * time.Millisecond }, // a busy capture gives few requests
		Open: func(o SinkOptions) (Opened, error) {
			if err := p.set(o); err != nil {
				return Opened{}, err
			}
			c.Batch = webhook.Batch(batch)
			s, err := webhook.New(c, o.format(body))
			return Opened{Records: s, Place: p.place()}, err
		},
	}
}
