//go:build !linux || (libpcap && cgo)

package builtin

// one says that there is one source where more workers were asked for.
func (o *LiveOptions) one() {
	if o.Workers > 1 && o.Log != nil {
		o.Log.Warn("live capture here has one worker; several need AF_PACKET, which is Linux", "asked", o.Workers)
	}
}
