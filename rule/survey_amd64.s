#include "textflag.h"

DATA nibble<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+16(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+24(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL nibble<>(SB), RODATA|NOPTR, $32

// FACTS puts the sets of the pairs that end in the 32 bytes at OFF into Y4, those
// of the bytes themselves into Y5, and leaves the bytes in Y0, their high halves
// in Y2. The low half of a byte above 0x7f counts as in no set, which is right:
// all are sets of ASCII.
#define FACTS(OFF) \
	VMOVDQU OFF(SI), Y0 \
	VMOVDQU (OFF-1)(SI), Y1 \
	VPSRLW $4, Y0, Y2 \
	VPAND Y14, Y2, Y2 \
	VPSRLW $4, Y1, Y3 \
	VPAND Y14, Y3, Y3 \
	VPSHUFB Y0, Y8, Y4 \
	VPSHUFB Y2, Y9, Y5 \
	VPAND Y5, Y4, Y4 \
	VPSHUFB Y1, Y10, Y5 \
	VPAND Y5, Y4, Y4 \
	VPSHUFB Y3, Y11, Y5 \
	VPAND Y5, Y4, Y4 \
	VPOR Y4, Y15, Y15 \
	VPSHUFB Y0, Y12, Y5 \
	VPSHUFB Y2, Y13, Y6 \
	VPAND Y6, Y5, Y5 \
	VPOR Y5, Y7, Y7

// END keeps in Y3 the sets of which the bytes at OFF are; LOW and HIGH are the
// tables of one end.
#define END(OFF, LOW, HIGH) \
	VMOVDQU OFF(SI), Y0 \
	VPSRLW $4, Y0, Y1 \
	VPAND Y14, Y0, Y0 \
	VPAND Y14, Y1, Y1 \
	VBROADCASTI128 LOW(DX), Y2 \
	VPSHUFB Y0, Y2, Y2 \
	VPAND Y2, Y3, Y3 \
	VBROADCASTI128 HIGH(DX), Y2 \
	VPSHUFB Y1, Y2, Y2 \
	VPAND Y2, Y3, Y3

// NAMES puts into AX which of the colons in Y4 follow a name, and goes on at
// NONE if there is none: the third byte from the end is seldom worth a look.
#define NAMES(OFF, NONE) \
	VPCMPEQB Y3, Y3, Y3 \
	END(OFF-2, 128, 144) \
	END(OFF-3, 160, 176) \
	VPXOR Y5, Y5, Y5 \
	VPCMPEQB Y5, Y3, Y6 \
	VPANDN Y4, Y6, Y6 \
	VPMOVMSKB Y6, AX \
	TESTL AX, AX \
	JZ NONE \
	END(OFF-4, 192, 208) \
	VPCMPEQB Y5, Y3, Y3 \
	VPANDN Y4, Y3, Y3 \
	VPMOVMSKB Y3, AX

// BARE puts into BX which of the colons in Y4 may follow a name that stands in no
// quotation marks.
#define BARE \
	VPSLLW $7, Y4, Y6 \
	VPMOVMSKB Y6, BX

// TOKENS puts into AX which bytes belong to no token.
#define TOKENS \
	VBROADCASTI128 96(DX), Y3 \
	VPSHUFB Y0, Y3, Y3 \
	VBROADCASTI128 112(DX), Y6 \
	VPSHUFB Y2, Y6, Y6 \
	VPAND Y6, Y3, Y3 \
	VPXOR Y6, Y6, Y6 \
	VPCMPEQB Y6, Y3, Y3 \
	VPMOVMSKB Y3, AX

// ESCAPED puts into R14 which of the colons in Y4 stand behind a quotation mark,
// into BX those behind white space, and into AX which bytes in Y5 are
// backslashes.
#define ESCAPED \
	VPMOVMSKB Y4, R14 \
	VPADDB Y4, Y4, Y6 \
	VPADDB Y6, Y6, Y3 \
	VPOR Y6, Y3, Y3 \
	VPMOVMSKB Y3, BX \
	VPSLLW $7, Y5, Y6 \
	VPMOVMSKB Y6, AX

// CARDS puts into AX which bytes are digits, and into BX which are separators.
#define CARDS \
	VPMOVMSKB Y5, AX \
	VPADDB Y5, Y5, Y5 \
	VPMOVMSKB Y5, BX

// RUN leaves in M those bits that are also set N bits above, which makes runs of
// n+N of what began runs of n; T is spoilt.
#define RUN(M, N, T) \
	MOVQ M, T \
	SHRQ $N, T \
	ANDQ T, M

// NEAR puts into M what is N bits above, and into L what is N bits below, what is
// set in them; R14 is spoilt.
#define NEAR(M, L, N) \
	MOVQ M, R14 \
	SHLQ $N, R14 \
	ORQ R14, M \
	MOVQ L, R14 \
	SHRQ $N, R14 \
	ORQ R14, L

// func lookWide(p *byte, n int, t *sought, v *survey) (left int)
TEXT ·lookWide(SB), NOSPLIT, $40-40
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ t+16(FP), DX
	MOVQ v+24(FP), DI
	VBROADCASTI128 0(DX), Y8
	VBROADCASTI128 16(DX), Y9
	VBROADCASTI128 32(DX), Y10
	VBROADCASTI128 48(DX), Y11
	VBROADCASTI128 64(DX), Y12
	VBROADCASTI128 80(DX), Y13
	VMOVDQU nibble<>(SB), Y14
	VMOVDQU 0(DI), Y15
	VMOVDQU 32(DI), Y7
	MOVQ 64(DI), R10
	MOVQ 72(DI), R11
	MOVQ 88(DI), R12
	MOVQ 96(DI), R13

loop:
	TESTQ CX, CX
	JLE done
	CMPQ R13, $16
	JGE done
	MOVQ $-1, R15             // no byte belongs to a token
	MOVQ $0, names-8(SP)

	FACTS(0)
	BTQ $2, 224(DX)
	JCC digits
	ESCAPED
	MOVL R14, named-16(SP)
	MOVL BX, blank-24(SP)
	MOVL AX, slashes-32(SP)
digits:
	CARDS
	MOVL AX, R8               // digits
	MOVL BX, R9               // separators
	BTQ $1, 224(DX)
	JCC first
	TOKENS
	MOVL AX, R15
first:
	BTQ $0, 224(DX)
	JCC second
	BARE
	MOVL BX, names-8(SP)
	NAMES(0, second)
	ORL AX, names-8(SP)
second:
	// The same for the other half, whose masks go above those of the first: into
	// the upper words on the stack, or shifted. No macro, as labels in one would
	// need names for each use.
	FACTS(32)
	BTQ $2, 224(DX)
	JCC more
	ESCAPED
	MOVL R14, named-12(SP)
	MOVL BX, blank-20(SP)
	MOVL AX, slashes-28(SP)
more:
	CARDS
	SHLQ $32, AX
	ORQ AX, R8
	SHLQ $32, BX
	ORQ BX, R9
	BTQ $1, 224(DX)
	JCC third
	TOKENS
	SHLQ $32, AX
	ORQ AX, R15
third:
	BTQ $0, 224(DX)
	JCC fourth
	BARE
	MOVL BX, names-4(SP)
	NAMES(32, fourth)
	ORL AX, names-4(SP)
fourth:

	// cardSpots
	ORQ R8, R9
	MOVQ R9, AX
	RUN(AX, 1, BX)
	RUN(AX, 2, BX)
	RUN(AX, 4, BX)
	RUN(AX, 5, BX)
	ANDQ R8, AX
	SHRQ $12, R8
	ANDQ R8, AX
	NOTQ R9
	MOVQ R9, BX
	BTSQ $12, BX
	TZCNTQ BX, BX
	ADDQ $51, BX
	SHRXQ BX, R10, BX
	MOVQ R9, R10
	XORL R9, R9
	TESTQ BX, BX
	SETEQ R9
	ORQ R9, AX                // cards

	// tokenSpots
	XORL R8, R8               // tokens
	BTQ $1, 224(DX)
	JCC found
	MOVQ R15, R8
	NOTQ R8
	MOVQ R8, R9
	RUN(R8, 1, BX)
	RUN(R8, 2, BX)
	RUN(R8, 4, BX)
	RUN(R8, 8, BX)
	ADDQ R9, R9
	ANDNQ R8, R9, R8
	MOVQ R11, R9
	SHRQ $63, R9
	XORQ $1, R9
	ANDNQ R8, R9, R8
	MOVQ R15, BX
	BTSQ $15, BX
	TZCNTQ BX, BX
	ADDQ $48, BX
	SHRXQ BX, R11, BX
	SHRQ $48, R11
	XORL R9, R9
	TESTQ R11, R11
	SETNE R9
	MOVQ R15, R11
	XORL R15, R15
	TESTQ BX, BX
	SETEQ R15
	ANDQ R15, R9
	ORQ R9, R8
found:

	// afterSlashes
	MOVQ names-8(SP), R9
	BTQ $2, 224(DX)
	JCC written
	MOVQ slashes-32(SP), BX
	MOVQ 80(DI), R15          // those of the block before
	MOVQ BX, 80(DI)
	SHLQ $2, BX
	SHRQ $55, R15
	NEAR(BX, R15, 1)
	NEAR(BX, R15, 2)
	NEAR(BX, R15, 4)
	ORQ R15, BX
	ANDQ named-16(SP), BX
	ORQ blank-24(SP), BX
	ORQ BX, R9
written:
	MOVQ R9, BX
	ORQ AX, BX
	ORQ R8, BX
	JZ next
	MOVQ R13, BX
	SHLQ $5, BX
	ADDQ DI, BX
	MOVQ R12, 104(BX)
	MOVQ R9, 112(BX)
	MOVQ AX, 120(BX)
	MOVQ R8, 128(BX)
	INCQ R13

next:
	ADDQ $64, SI
	ADDQ $64, R12
	DECQ CX
	JMP loop

done:
	VMOVDQU Y15, 0(DI)
	VMOVDQU Y7, 32(DI)
	MOVQ R10, 64(DI)
	MOVQ R11, 72(DI)
	MOVQ R12, 88(DI)
	MOVQ R13, 96(DI)
	MOVQ CX, left+32(FP)
	VZEROUPPER
	RET
