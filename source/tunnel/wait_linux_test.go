package tunnel

import (
	"testing"
	"time"

	"github.com/passiflow/passiflow/source/sourcetest"
)

func TestSignalsDoNotEndTheWait(t *testing.T) {
	const wait = 50 * time.Millisecond
	sourcetest.Signalled(t, listen(t, func(c *Config) { c.Wait = wait }), wait)
}
