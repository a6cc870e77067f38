package mirror_test

import (
	"bytes"
	"context"
	"log"
	"os"
	"regexp"

	"github.com/gopacket/gopacket"

	getwayServer "github.com/passiflow/passiflow/mirror"
)

var mySource = func() getwayServer.ObservedPacketSource {
	packets := make(chan gopacket.Packet)
	close(packets)
	return getwayServer.NewChannelObservedPacketSource(packets)
}()

func redactAuthHeader(b []byte) []byte {
	return regexp.MustCompile(`(?mi)^authorization:.*\r\n`).ReplaceAll(b, nil)
}

// The example of the original's documentation. Only the import is another.
func Example() {
	recordFile, _ := os.Create("./mirror.log")
	defer recordFile.Close()

	mirror := getwayServer.NewGopacketTrafficMirror(getwayServer.GopacketMirrorConfig{
		ObservedPort: 8090,
		TargetAddr:   "127.0.0.1:18090",
		Writer:       recordFile,

		// Inject an X-Mirror header before forwarding, but only for the request direction
		ForwardHook: getwayServer.TrafficMirrorHookFunc(func(ctx context.Context, chunk *getwayServer.ObservedTrafficChunk) ([]byte, bool, error) {
			if chunk.Direction != getwayServer.TrafficDirectionToObserved {
				return nil, false, nil
			}
			injected := bytes.Replace(chunk.Data, []byte("\r\n\r\n"), []byte("\r\nX-Mirror: 1\r\n\r\n"), 1)
			return injected, true, nil
		}),

		// Strip the Authorization header before recording
		RecordHook: getwayServer.TrafficMirrorHookFunc(func(ctx context.Context, chunk *getwayServer.ObservedTrafficChunk) ([]byte, bool, error) {
			if chunk.Direction != getwayServer.TrafficDirectionToObserved {
				return nil, false, nil
			}
			sanitized := redactAuthHeader(chunk.Data)
			return sanitized, true, nil
		}),
	})

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := mirror.Start(ctx, mySource); err != nil {
		log.Fatal(err)
	}
}
