/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Writing records into this CPU's ring. */
#ifndef WIREGAUGE_BPF_RING_H
#define WIREGAUGE_BPF_RING_H

/* This CPU's ring. A macro, because a reserve's size must be a constant to the verifier. */
#define reserve(size)                                                                              \
	({                                                                                         \
		__u32 cpu = bpf_get_smp_processor_id();                                            \
		void *ring = bpf_map_lookup_elem(&rings, &cpu);                                    \
		ring ? bpf_ringbuf_reserve(ring, size, 0) : NULL;                                  \
	})

/* Wakes the reader when much waits. Looked at once in eight records, by the clock's bits: the ring
 * is only a quarter full. */
static __noinline __u64 wake_flags(__u64 now)
{
	__u32 cpu = bpf_get_smp_processor_id();
	void *ring;

	if (now >> 8 & 7)
		return BPF_RB_NO_WAKEUP;
	ring = bpf_map_lookup_elem(&rings, &cpu);
	if (ring && bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >= ring_wake_bytes)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

static __always_inline void fill_header(struct wg_header *h, __u8 kind, __u64 id, __u64 now)
{
	h->kind = kind;
	h->flags = 0;
	h->captured = 0;
	h->padding = 0;
	h->connection = id;
	h->time_ns = now;
}

/*
 * Three quarters of this CPU's ring wait to be read: the room that is left is for short bursts and
 * for the heads of messages, as a body that is missing costs nothing when its length is known.
 */
static __noinline bool ring_is_short(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	void *ring = bpf_map_lookup_elem(&rings, &cpu);

	if (!ring)
		return true;
	return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >
	       bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4 * 3;
}

#endif
