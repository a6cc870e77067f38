//go:build !unix

package resurface

import "time"

// spent is the clock, where the processor's time is not asked for.
func spent() time.Duration { return time.Duration(time.Now().UnixNano()) }
