/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Choosing by the first bytes whether a connection is worth capturing. Meaning is decided in user
 * space. */
#ifndef WIREGAUGE_BPF_L7_H
#define WIREGAUGE_BPF_L7_H

#define L7_PROBE_BYTES 16
#define L7_TRIES                                                                                   \
	32 /* segments with payload, both directions, before a connection is given up as unknown   \
	    */

/* "HTTP/1." and "CONNECT" as the first seven bytes of a little-endian word. */
#define VERSION_WORD 0x002e312f50545448ULL
#define CONNECT_WORD 0x005443454e4e4f43ULL

/* Do the first seven of n bytes (as far as they are there) equal the word? */
static __always_inline bool begins_with(__u64 low, __u64 word, __u32 n)
{
	__u64 mask = ~0ULL >> (64 - 8 * (n < 7 ? n : 7));

	return !((low ^ word) & mask);
}

/*
 * HTTP/1: "HTTP/1." or a token of capital letters, a space and the start of a target. A segment may
 * end anywhere, so what fits as far as it goes is taken: n bytes (1 to 16) are there, the rest of
 * both words is zero. A global function, so that the verifier looks at it once and not once a path
 * that leads here.
 */
__noinline int may_be_http1(__u64 low, __u64 high, __u32 n)
{
	if (!n || n > L7_PROBE_BYTES)
		return 0;
	if (begins_with(low, VERSION_WORD, n) || begins_with(low, CONNECT_WORD, n))
		return 1;
	for (__u32 i = 0; i < L7_PROBE_BYTES - 1; i++) {
		__u8 byte = low;
		__u8 next = low >> 8;

		if (i >= n)
			return 1; /* a token as far as it goes */
		if (byte == ' ')
			return i >= 3 &&
			       (i + 1 == n || next == '/' || next == '*' || (next | 0x20) == 'h');
		if (!((byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_'))
			return 0;
		low = low >> 8 | high << 56;
		high >>= 8;
	}
	return 0; /* 15 capitals are no method */
}

#endif
