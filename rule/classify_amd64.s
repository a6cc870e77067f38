#include "textflag.h"

DATA quote<>+0(SB)/8, $0x2222222222222222
DATA quote<>+8(SB)/8, $0x2222222222222222
GLOBL quote<>(SB), RODATA|NOPTR, $16
DATA slash<>+0(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA slash<>+8(SB)/8, $0x5c5c5c5c5c5c5c5c
GLOBL slash<>(SB), RODATA|NOPTR, $16
DATA space<>+0(SB)/8, $0x2020202020202020
DATA space<>+8(SB)/8, $0x2020202020202020
GLOBL space<>(SB), RODATA|NOPTR, $16
DATA open<>+0(SB)/8, $0x7b7b7b7b7b7b7b7b
DATA open<>+8(SB)/8, $0x7b7b7b7b7b7b7b7b
GLOBL open<>(SB), RODATA|NOPTR, $16
DATA close<>+0(SB)/8, $0x7d7d7d7d7d7d7d7d
DATA close<>+8(SB)/8, $0x7d7d7d7d7d7d7d7d
GLOBL close<>(SB), RODATA|NOPTR, $16
DATA colon<>+0(SB)/8, $0x3a3a3a3a3a3a3a3a
DATA colon<>+8(SB)/8, $0x3a3a3a3a3a3a3a3a
GLOBL colon<>(SB), RODATA|NOPTR, $16
DATA comma<>+0(SB)/8, $0x2c2c2c2c2c2c2c2c
DATA comma<>+8(SB)/8, $0x2c2c2c2c2c2c2c2c
GLOBL comma<>(SB), RODATA|NOPTR, $16

// SIXTEEN puts the masks of the sixteen bytes at OFF below what the registers
// hold. A bracket differs from a brace in the bit of a space.
#define SIXTEEN(OFF) \
	MOVOU OFF(SI), X0 \
	MOVO X0, X1 \
	PCMPEQB X8, X1 \
	PMOVMSKB X1, AX \
	SHLQ $16, R8 \
	ORQ AX, R8 \
	MOVO X0, X1 \
	PCMPEQB X9, X1 \
	PMOVMSKB X1, AX \
	SHLQ $16, R9 \
	ORQ AX, R9 \
	MOVO X0, X1 \
	POR X10, X1 \
	MOVO X1, X2 \
	PCMPEQB X11, X1 \
	PMOVMSKB X1, AX \
	SHLQ $16, R10 \
	ORQ AX, R10 \
	PCMPEQB X12, X2 \
	PMOVMSKB X2, AX \
	SHLQ $16, R11 \
	ORQ AX, R11 \
	MOVO X0, X1 \
	PCMPEQB X13, X1 \
	PMOVMSKB X1, AX \
	SHLQ $16, R12 \
	ORQ AX, R12 \
	MOVO X0, X1 \
	PMINUB X10, X1 \
	PCMPEQB X0, X1 \
	PCMPEQB X14, X0 \
	POR X0, X1 \
	PMOVMSKB X1, AX \
	SHLQ $16, R13 \
	ORQ AX, R13

// func classify(p *byte, blocks *block, n int)
TEXT ·classify(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), SI
	MOVQ blocks+8(FP), DI
	MOVQ n+16(FP), CX
	MOVOU quote<>(SB), X8
	MOVOU slash<>(SB), X9
	MOVOU space<>(SB), X10
	MOVOU open<>(SB), X11
	MOVOU close<>(SB), X12
	MOVOU colon<>(SB), X13
	MOVOU comma<>(SB), X14

loop:
	TESTQ CX, CX
	JLE done
	SIXTEEN(48)
	SIXTEEN(32)
	SIXTEEN(16)
	SIXTEEN(0)
	MOVQ R8, 0(DI)
	MOVQ R9, 8(DI)
	MOVQ R10, 16(DI)
	MOVQ R11, 24(DI)
	MOVQ R12, 32(DI)
	MOVQ R13, 40(DI)
	ADDQ $64, SI
	ADDQ $48, DI
	DECQ CX
	JMP loop

done:
	RET

#define COLONS(OFF) \
	MOVOU OFF(SI), X0 \
	PCMPEQB X13, X0 \
	PMOVMSKB X0, AX \
	SHLQ $16, R8 \
	ORQ AX, R8

// func colons(p *byte, masks *uint64, n int)
TEXT ·colons(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), SI
	MOVQ masks+8(FP), DI
	MOVQ n+16(FP), CX
	MOVOU colon<>(SB), X13

next:
	TESTQ CX, CX
	JLE end
	COLONS(48)
	COLONS(32)
	COLONS(16)
	COLONS(0)
	MOVQ R8, (DI)
	ADDQ $64, SI
	ADDQ $8, DI
	DECQ CX
	JMP next

end:
	RET
