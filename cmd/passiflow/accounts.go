package main

import (
	"log/slog"

	"github.com/passiflow/passiflow"
	"github.com/passiflow/passiflow/message"
	"github.com/passiflow/passiflow/packet"
	"github.com/passiflow/passiflow/sink"
)

const oneSided = message.OneSided

// elsewhere names packets that another worker has not read yet.
const elsewhere = "on their way to another worker"

// accounts makes the ledger of what was counted.
func accounts(st *passiflow.Stats, out *outputs) []account {
	w, f, c := &st.Walk, &st.Flow, &st.Core
	packets := account{what: "packets", metric: "packets", in: w.Packets, out: []entry{{"filtered", w.Filtered}, {"beyond --count", w.BeyondCount}, {"on other ports", w.OtherPort}},
		beside: []entry{{"dropped by the kernel", st.Source.Dropped}, {"unread at the end", st.Source.Unread}, {"refused network ids, control", st.Source.Filtered}, {"unreadable", st.Source.Cut}, {"cut by the snaplen", w.Cut}, {"written", w.Written}, {"handed over to another worker", w.Given}, {"had no room until a record came", w.TapeLost}}}
	for r := packet.Malformed; int(r) < packet.Reasons; r++ {
		packets.out = append(packets.out, entry{words(r.String()), w.Parsed[r]})
	}
	packets.out = append(packets.out, entry{"fragments of others", w.Parsed[packet.Held]}, entry{elsewhere, w.Given - w.Taken}, entry{"in conversations", w.Parsed[packet.OK] - w.OtherPort})

	all := []account{packets}
	if n := w.Parsed[packet.Held]; n > 0 {
		g := &st.Fragments
		all = append(all, account{what: "fragments of others", metric: "fragments", in: n,
			out:    []entry{{"in whole datagrams", g.Completed}, {"without the rest in time", g.Expired}, {"shed at a bound", g.Shed}, {"before their id came again", g.Replaced}, {"held", g.Pending}},
			beside: []entry{{"datagrams put together", g.Datagrams}, {"contradicted others", g.Overlaps}}})
	}
	if f.Packets > 0 {
		all = append(all, account{what: "bytes of TCP payload", metric: "payload_bytes", in: f.Payload,
			out: []entry{{"in order", f.Delivered}, {"seen before", f.Duplicate}, {"out of window", f.OutOfWindow}, {"after a reset or close", f.AfterReset},
				{"refused at a bound", f.Refused}, {"outside of the sample", f.Unsampled}, {"copies from a tunnel", f.Copies}, {"held", uint64(st.Pending)}},
			beside: []entry{{"missing in gaps", f.Lost}, {"acknowledged and never seen", f.AckedUnseen}}},
			account{what: "conversations", metric: "conversations", in: f.Opened,
				out:    []entry{{"finished", f.Finished}, {"idle", f.Idle}, {"evicted", f.Evicted}, {"at the end", f.Stopped}, {"open", uint64(st.Flows)}},
				beside: []entry{{"begun before the capture", f.MidStream}, {"TLS", w.TLS}, {"of no known protocol", c.Unknown}, {"refused at a bound", f.RefusedFlows}, {"gaps told early at a bound", f.Hurried}, {"decoder failed", c.Broken}}})
	}
	if c.Decoded+c.SkippedBytes+c.OpaqueBytes > 0 {
		all = append(all, account{what: "bytes in order", metric: "ordered_bytes", in: f.Delivered, out: []entry{{"read as messages", c.Decoded}, {"before or between messages", c.SkippedBytes},
			{"of other protocols and tunnels", c.OpaqueBytes}, {"held", uint64(st.Undecoded)}}})
	}
	if n := c.Requests + c.Answers + c.Interim; n > 0 {
		m := account{what: "messages", metric: "messages", in: n, out: []entry{{"in pairs", 2 * c.Pairs}, {"interim answers", c.Interims}}, beside: []entry{{"in presumed pairs", 2 * c.Presumed}, {"own deliveries, not told", w.Own}, {"refused by a rule", w.Dropped}, {"rules failed, not handed on", w.RuleFailed}}}
		for h := range c.HalfBy {
			if c.HalfBy[h] > 0 {
				m.out = append(m.out, entry{"halves: " + words(message.Half(h).String()), c.HalfBy[h]})
			}
		}
		m.out = append(m.out, entry{"shed at a bound", c.ShedMessages}, entry{"waiting", uint64(st.Waiting)})
		all = append(all, m)
	}
	for _, x := range out.all {
		all = append(all, outgoing(x, x.queue.Stats()))
		if c, ok := x.queue.(*sink.Chunks); ok {
			all = append(all, streams(x, c.Streams()))
		}
	}
	return all
}

func outgoing(x *output, s sink.Stats) account {
	a := account{what: x.name, metric: "output_records", of: x.label, in: uint64(s.Pushed.Records + s.Recovered.Records), out: []entry{{"written", uint64(s.Written.Records)},
		{"spooled", uint64(s.Spooled.Records)}, {"held", uint64(s.Depth.Records)}}, beside: []entry{{"from an earlier run", uint64(s.Recovered.Records)},
		{"deliveries tried again", uint64(s.Retries)}, {"times the circuit was opened", uint64(s.Opened)}, {"errors of the spool", uint64(s.Spool.Errors)}, {"torn bytes cut off the spool", uint64(s.Spool.Torn)}, {"decayed in the spool", uint64(s.Spool.Decayed)}}}
	for r := sink.Reason(0); r < sink.Reasons; r++ {
		a.out = append(a.out, entry{"dropped: " + words(r.String()), uint64(s.Dropped[r].Records)})
	}
	return a
}

// streams are the sides of conversations that went to an output of bytes.
func streams(x *output, s sink.StreamStats) account {
	return account{what: "streams, " + x.name, metric: "output_streams", of: x.label, in: uint64(s.Opened + s.Refused), out: []entry{{"whole", uint64(s.Whole)},
		{"shed for want of room", uint64(s.Shed)}, {"refused for want of room", uint64(s.Refused)}, {"cut by the sink or at the end", uint64(s.Cut)}, {"open", uint64(s.Open)}}}
}

// words makes a counter's name readable.
func words(name string) string {
	b := []byte(name)
	for i := range b {
		if b[i] == '_' {
			b[i] = ' '
		}
	}
	return string(b)
}

// attr makes an account a group of a log message.
func (a *account) attr() slog.Attr {
	attrs := []any{slog.Uint64("in", a.in)}
	for _, e := range append(append([]entry{}, a.out...), a.beside...) {
		if e.n > 0 {
			attrs = append(attrs, slog.Uint64(e.name, e.n))
		}
	}
	if rest := a.open(); rest != 0 {
		attrs = append(attrs, slog.Int64("unexplained", rest))
	}
	return slog.Group(a.what, attrs...)
}
