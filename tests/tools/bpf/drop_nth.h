/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What drop_nth.bpf.c counts, for its loader. */
#ifndef WIREGAUGE_TESTS_DROP_NTH_H
#define WIREGAUGE_TESTS_DROP_NTH_H

#include <linux/types.h>

struct drop_counts {
	__u64 segments; /* with payload that came by */
	__u64 dropped;
	__u64 joined; /* of segments: packets of more than one segment; must stay 0 */
};

#endif
