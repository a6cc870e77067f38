package filter

// The tree of an expression. The nodes of a condition:
type (
	andNode struct{ left, right node }
	orNode  struct{ left, right node }
	notNode struct{ x node }

	// valueNode is a name, number or address with what qualifies it.
	valueNode struct {
		span
		q     qualifiers
		kind  kind // kName, kNumber, kIPv4, kIPv6, kMAC or kARCNET
		text  string
		value uint32 // of kNumber
		mask  string // "… mask 255.0.0.0", or ""
		bits  int64  // "…/8", or -1
	}

	// protoNode is a protocol by itself: "tcp".
	protoNode struct {
		span
		proto proto
	}

	// castNode is "broadcast" or "multicast".
	castNode struct {
		span
		proto proto
		multi bool
	}

	// wordNode is one of the other primitives, with its number if it has one.
	wordNode struct {
		span
		kind   kind
		value  uint32
		has    bool
		op     uint32 // of kByte
		second uint32 // of kByte
		name   string // of kLLC
	}

	// relationNode compares two numbers.
	relationNode struct {
		span
		op          uint32
		left, right arith
	}

	// eitherNode is a union of whole expressions, each with offsets of its own.
	eitherNode struct{ members []*Expression }

	// everyoneNode is an intersection of such.
	everyoneNode struct{ members []*Expression }

	// everyNode is the empty expression.
	everyNode struct{}
)

type node interface{}

// The nodes of a number:
type (
	constNode  struct{ value uint32 }
	lengthNode struct{}
	loadNode   struct {
		span
		proto proto
		index arith
		size  uint32
	}
	negNode struct{ x arith }
	binNode struct {
		span
		op          uint32
		left, right arith
	}
)

type arith interface{}

// span is where in the text a node stands.
type span struct{ off, end int }
