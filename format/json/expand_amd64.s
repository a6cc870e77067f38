#include "textflag.h"

DATA quote<>+0(SB)/8, $0x2222222222222222
DATA quote<>+8(SB)/8, $0x2222222222222222
GLOBL quote<>(SB), RODATA|NOPTR, $16
DATA slash<>+0(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA slash<>+8(SB)/8, $0x5c5c5c5c5c5c5c5c
GLOBL slash<>(SB), RODATA|NOPTR, $16
DATA control<>+0(SB)/8, $0x1f1f1f1f1f1f1f1f
DATA control<>+8(SB)/8, $0x1f1f1f1f1f1f1f1f
GLOBL control<>(SB), RODATA|NOPTR, $16

// By the low half of a byte: the control characters with a letter of their own
// (8 b, 9 t, 10 n, 12 f, 13 r; 0xff is equal to no index), and those letters.
DATA known<>+0(SB)/8, $0xffffffffffffffff
DATA known<>+8(SB)/8, $0xffff0d0cff0a0908
GLOBL known<>(SB), RODATA|NOPTR, $16
DATA letter<>+0(SB)/8, $0x0000000000000000
DATA letter<>+8(SB)/8, $0x00007266006e7462
GLOBL letter<>(SB), RODATA|NOPTR, $16

// func expand(dst, src *byte, n int, shuffles *[256][16]byte) (written, read int, high uint32)
TEXT ·expand(SB), NOSPLIT, $0-52
	MOVQ  dst+0(FP), DI
	MOVQ  src+8(FP), SI
	MOVQ  n+16(FP), CX
	MOVQ  shuffles+24(FP), R8
	MOVQ  DI, R9
	MOVQ  SI, R10
	ADDQ  SI, CX              // behind the last byte
	MOVOU quote<>(SB), X10
	MOVOU slash<>(SB), X11
	MOVOU control<>(SB), X12
	MOVOU known<>(SB), X13
	MOVOU letter<>(SB), X14
	PXOR  X9, X9              // all bytes or-ed together

loop:
	CMPQ  SI, CX
	JGE   done
	MOVOU (SI), X0
	MOVO  X0, X1
	PCMPEQB X10, X1           // quotes
	MOVO  X0, X2
	PCMPEQB X11, X2           // backslashes
	MOVO  X0, X3
	PMINUB X12, X3
	PCMPEQB X0, X3            // control characters
	POR   X2, X1
	POR   X3, X1
	PMOVMSKB X1, AX
	TESTL AX, AX
	JNZ   escape
	POR   X0, X9
	MOVOU X0, (DI)
	ADDQ  $16, SI
	ADDQ  $16, DI
	JMP   loop

escape:
	PMOVMSKB X3, BX
	TESTL BX, BX
	JZ    spread
	MOVO  X13, X4
	PSHUFB X0, X4
	PCMPEQB X0, X4            // control characters with a letter
	PMOVMSKB X4, DX
	CMPL  BX, DX
	JNE   done                // one that needs \u00: the caller's
	MOVO  X14, X5
	PSHUFB X0, X5
	PAND  X4, X5
	PANDN X0, X4
	POR   X5, X4
	MOVO  X4, X0              // what stands behind the backslash

spread:
	POR   X0, X9
	MOVBLZX AL, DX
	SHRL  $8, AX
	MOVO  X0, X1
	PUNPCKLQDQ X11, X1        // eight bytes of text, eight backslashes
	PUNPCKHQDQ X11, X0
	POPCNTL DX, BX
	POPCNTL AX, R11
	SHLQ  $4, DX
	SHLQ  $4, AX
	MOVOU (R8)(DX*1), X2
	MOVOU (R8)(AX*1), X3
	PSHUFB X2, X1
	PSHUFB X3, X0
	MOVOU X1, (DI)
	MOVOU X0, 8(DI)(BX*1)
	ADDQ  R11, BX
	LEAQ  16(DI)(BX*1), DI
	ADDQ  $16, SI
	JMP   loop

done:
	PMOVMSKB X9, AX
	SUBQ  R9, DI
	SUBQ  R10, SI
	MOVQ  DI, written+32(FP)
	MOVQ  SI, read+40(FP)
	MOVL  AX, high+48(FP)
	RET
