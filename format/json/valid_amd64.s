#include "textflag.h"

// func validate(src *byte, n int, last *[16]byte, tables *[7][16]byte) (faults uint32)
TEXT ·validate(SB), NOSPLIT, $0-36
	MOVQ  src+0(FP), SI
	MOVQ  n+8(FP), CX
	MOVQ  last+16(FP), DX
	MOVQ  tables+24(FP), R8
	MOVOU 0(R8), X10          // by the high half of the byte before
	MOVOU 16(R8), X11         // by its low half
	MOVOU 32(R8), X12         // by the high half of the byte itself
	MOVOU 48(R8), X13         // 0x0f
	MOVOU 64(R8), X14         // 0xe0-0x80
	MOVOU 80(R8), X15         // 0xf0-0x80
	MOVOU 96(R8), X7          // 0x80
	PXOR  X9, X9              // faults
	PXOR  X8, X8              // the sixteen bytes before
	XORL  R9, R9              // which of them are above 0x7f
	ADDQ  SI, CX              // behind the last byte

loop:
	CMPQ  SI, CX
	JGE   tail
	MOVOU (SI), X0
	ADDQ  $16, SI

check:
	PMOVMSKB X0, AX
	ANDL  $0xe000, R9         // a character may reach over from the last three
	ORL   AX, R9
	JZ    next
	MOVO  X0, X1
	PALIGNR $15, X8, X1       // each byte's forerunner
	MOVO  X1, X2
	PSRLW $4, X2
	PAND  X13, X2
	MOVO  X10, X3
	PSHUFB X2, X3
	PAND  X13, X1
	MOVO  X11, X4
	PSHUFB X1, X4
	PAND  X4, X3
	MOVO  X0, X2
	PSRLW $4, X2
	PAND  X13, X2
	MOVO  X12, X4
	PSHUFB X2, X4
	PAND  X4, X3              // what all three agree on is a fault, or a second continuation
	MOVO  X0, X1
	PALIGNR $14, X8, X1
	PSUBUSB X14, X1
	MOVO  X0, X2
	PALIGNR $13, X8, X2
	PSUBUSB X15, X2
	POR   X2, X1
	PAND  X7, X1              // a second continuation is due
	PXOR  X1, X3
	POR   X3, X9

next:
	MOVL  AX, R9
	MOVO  X0, X8
	JMP   loop

tail:
	TESTQ DX, DX
	JZ    done
	MOVOU (DX), X0
	XORL  DX, DX
	JMP   check

done:
	PXOR  X1, X1
	PCMPEQB X1, X9
	PMOVMSKB X9, AX
	XORL  $0xffff, AX
	MOVL  AX, faults+32(FP)
	RET
