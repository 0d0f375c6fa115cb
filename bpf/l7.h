/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Choosing by the first bytes whether a connection is worth capturing. Meaning is decided in user space. */
#ifndef WIREGAUGE_BPF_L7_H
#define WIREGAUGE_BPF_L7_H

#define L7_PROBE_BYTES 16
#define L7_TRIES 32 /* segments with payload, both directions, before a connection is given up as unknown */

/*
 * HTTP/1: "HTTP/1." or a token of capital letters, a space and the start of a target. A segment may end anywhere, so what
 * fits as far as it goes is taken: n bytes (1 to 16) are there.
 */
static __always_inline bool may_be_http1(const __u8 *b, __u32 n)
{
	static const char version[8] = "HTTP/1.";
	bool is_version = true, in_token = true, connect = true;
	static const char connect_token[8] = "CONNECT";

#pragma unroll
	for (__u32 i = 0; i < 7; i++)
		if (i < n && b[i] != version[i])
			is_version = false;
	if (is_version)
		return true;
#pragma unroll
	for (__u32 i = 0; i < 7; i++)
		if (i < n && b[i] != connect_token[i])
			connect = false;
	if (connect)
		return true;
#pragma unroll
	for (__u32 i = 0; i < L7_PROBE_BYTES - 1; i++) {
		if (!in_token || i >= n)
			continue;
		if (b[i] == ' ') {
			if (i < 3)
				return false;
			if (i + 1 == n)
				return true;
			return b[i + 1] == '/' || b[i + 1] == '*' || b[i + 1] == 'h' || b[i + 1] == 'H';
		}
		if (!((b[i] >= 'A' && b[i] <= 'Z') || b[i] == '-' || b[i] == '_'))
			return false;
	}
	return n < L7_PROBE_BYTES; /* a token as far as it goes; 16 capitals are no method */
}

#endif
