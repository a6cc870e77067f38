package protocol

// Recognise tells what the first bytes of a side are, if it is something common
// that no decoder here reads.
func Recognise(b []byte, client bool) (next, server string) { return "", "" }
