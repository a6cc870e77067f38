package protocol

import "testing"

func TestSampleShowsNoPayload(t *testing.T) {
	got := Sample([]byte("Set-Cookie: k=\"s3cret\"\x00\xff\r\n and what follows is too long"))
	if want := "aaa-aaaaaa:_a=.a0aaaa.....____"; got[:24] != want[:24] || len(got) != 32 {
		t.Errorf("sample %q", got)
	}
}

func TestOpaqueSaysWhatFollows(t *testing.T) {
	for _, c := range []struct {
		o    Opaque
		want string
	}{
		{Opaque{Protocol: "http", Sample: "aa"}, "http: not spoken here, begins aa"},
		{Opaque{Next: "http2", Sample: "aa"}, "of no known protocol, now http2, begins aa"},
		{Opaque{Protocol: "http", Cause: Tunnelled, Next: "tls", Server: "a.example"}, "http: tunnel, now tls for a.example"},
		{Opaque{Protocol: "http", Cause: Upgraded, Next: "websocket"}, "http: upgraded, now websocket"},
	} {
		if got := c.o.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if Tunnelled.String() != "tunnelled" || NotSpoken.String() != "not_spoken" || Upgraded.String() != "upgraded" {
		t.Error("names of the causes")
	}
}
