package replay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"time"

	"github.com/passiflow/passiflow/flow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
)

// maxLine bounds one record, in bytes.
const maxLine = 512 << 20

// The schemas of records.
const (
	exchangeSchema = "passiflow.exchange/1"
	messageSchema  = "passiflow.message/1"
	flowSchema     = "passiflow.flow/1"
)

// written is what is read of one line (docs/reference/record.md).
type written struct {
	Schema   string `json:"schema"`
	ID       string `json:"id"`
	Protocol string `json:"protocol"`
	Source   string `json:"source"`
	Client   end    `json:"client"`
	Server   end    `json:"server"`
	Pair     string `json:"pair"`
	Duration int64  `json:"duration_ns"`
	Request  *half  `json:"request"`
	Response *half  `json:"response"`
}

type end struct {
	IP   netip.Addr `json:"ip"`
	Port uint16     `json:"port"`
}

type half struct {
	Time      time.Time `json:"time"`
	Method    string    `json:"method"`
	Target    string    `json:"target"`
	Status    int       `json:"status"`
	Reason    string    `json:"reason"`
	Version   string    `json:"version"`
	Headers   headers   `json:"headers"`
	Body      string    `json:"body"`
	Encoding  string    `json:"body_encoding"`
	Size      *int64    `json:"body_size"`
	WireSize  *int64    `json:"body_wire_size"`
	Truncated bool      `json:"body_truncated"`
	Marks     []string  `json:"marks"`
	Interim   bool      `json:"interim"`
}

// headers keeps the order of the fields.
type headers []message.Field

// UnmarshalJSON implements json.Unmarshaler.
func (h *headers) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("headers are not an object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		var values []string
		if err := d.Decode(&values); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
		for _, v := range values {
			*h = append(*h, message.Field{Name: name, Value: v})
		}
	}
	return nil
}

// readRecords reads NDJSON.
func (r *Recording) readRecords(ctx context.Context, in *bufio.Reader) error {
	flows := map[uint64]*flow.Flow{}
	seen := map[string]*message.Exchange{}
	marks := markNames()
	for n := 1; ; n++ {
		line, err := readLine(in)
		torn := errors.Is(err, io.EOF)
		if err != nil && !torn {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\ufeff"))); len(line) > 0 {
			var one written
			if err := json.Unmarshal(line, &one); err != nil {
				if torn && !json.Valid(line) { // whoever wrote it was ended in the middle of a line
					r.skip("torn line", 1)
					return nil
				}
				if n == 1 && !json.Valid(line) {
					err = fmt.Errorf("%w: neither a capture nor records with one on each line, as --json writes them", err)
				}
				return fmt.Errorf("line %d: %w", n, err)
			}
			x, err := r.exchange(&one, flows, marks)
			if err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			// Delivered twice, or told as a message and in an exchange.
			if y := seen[one.ID]; x != nil && y != nil {
				if y.Response == nil {
					y.Response = x.Response
				}
				r.skip("duplicate", 1)
			} else if x != nil {
				seen[one.ID] = x
				if err := r.add(x); err != nil {
					return err
				}
			}
		}
		if torn {
			return nil
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// readLine reads a line of any length up to maxLine.
func readLine(in *bufio.Reader) ([]byte, error) {
	var all []byte
	for {
		part, err := in.ReadSlice('\n')
		if err == nil && all == nil {
			return part, nil
		}
		if all = append(all, part...); !errors.Is(err, bufio.ErrBufferFull) {
			return all, err
		}
		if len(all) > maxLine {
			return nil, fmt.Errorf("longer than %d MiB", maxLine>>20)
		}
	}
}

// exchange makes an exchange of a record; nil: there is nothing of one in it.
func (r *Recording) exchange(one *written, flows map[uint64]*flow.Flow, marks map[string]message.Mark) (*message.Exchange, error) {
	switch one.Schema {
	case exchangeSchema, messageSchema:
	case flowSchema:
		r.skip("record of a conversation", 1)
		return nil, nil
	default:
		return nil, fmt.Errorf("schema %q is none of a record: a file is to hold what the json format writes", one.Schema)
	}
	if !r.wanted(one.Server.Port) {
		return nil, nil // before anything is kept of it
	}
	if len(one.ID) < 16 {
		return nil, fmt.Errorf("id %q is none of a record", one.ID)
	}
	id, err := strconv.ParseUint(one.ID[:16], 16, 64)
	if err != nil {
		return nil, fmt.Errorf("id %q is none of a record", one.ID)
	}
	f := flows[id]
	if f == nil {
		f = &flow.Flow{ID: id, Transport: packet.TCP, Source: one.Source,
			Client: netip.AddrPortFrom(one.Client.IP, one.Client.Port), Server: netip.AddrPortFrom(one.Server.IP, one.Server.Port)}
		flows[id] = f
	}
	x := &message.Exchange{Flow: f, Protocol: one.Protocol}
	if one.Pair != "" {
		if x.Pair, err = strconv.ParseUint(one.Pair, 16, 64); err != nil {
			return nil, fmt.Errorf("pair %q is no hexadecimal number", one.Pair)
		}
	}
	if x.Request, err = one.Request.message(flow.Client, marks); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if one.Response != nil && one.Response.Interim {
		return nil, nil
	}
	if x.Response, err = one.Response.message(flow.Server, marks); err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	if x.Request != nil && x.Response != nil && one.Duration > 0 {
		x.Response.End = x.Request.Start.Add(time.Duration(one.Duration))
	}
	return x, nil
}

// message makes a message of h; its End is not known.
func (h *half) message(from flow.Side, marks map[string]message.Mark) (*message.Message, error) {
	if h == nil {
		return nil, nil
	}
	m := &message.Message{From: from, Start: packet.Time(h.Time.UnixNano()), Op: h.Method, Target: h.Target, Reason: h.Reason,
		Version: h.Version, Fields: h.Headers, Body: []byte(h.Body), Size: -1, WireSize: -1}
	if h.Status > 0 {
		m.Status = strconv.Itoa(h.Status)
	}
	switch h.Encoding {
	case "":
	case "base64":
		var err error
		if m.Body, err = base64.StdEncoding.DecodeString(h.Body); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
	default:
		return nil, fmt.Errorf("body_encoding %q is not base64", h.Encoding)
	}
	if h.Size != nil {
		m.Size, m.WireSize = *h.Size, *h.Size
	}
	if h.WireSize != nil {
		m.WireSize = *h.WireSize
	}
	if h.Truncated {
		m.Marks |= message.BodyTruncated
	}
	for _, name := range h.Marks {
		m.Marks |= marks[name]
	}
	return m, nil
}

// markNames returns the marks by name.
func markNames() map[string]message.Mark {
	all := map[string]message.Mark{}
	for m := message.Mark(1); m.String() != ""; m <<= 1 {
		all[m.String()] = m
	}
	return all
}
