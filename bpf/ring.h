/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The way to user space, the same for all objects: a ring of records a CPU, and counts of what was
 * lost. */
#ifndef WIREGAUGE_BPF_RING_H
#define WIREGAUGE_BPF_RING_H

const volatile __u32
    ring_wake_bytes; /* the reader is woken when this much waits; otherwise it polls */

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* exporter/probe makes them, of the size it wants */
};

/*
 * A ring a CPU: producers on two CPUs never wait for each other's lock, nor for its cache line. The
 * reader merges them by time.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1); /* the number of possible CPUs, set before load */
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps"); /* CPU -> records of wire.h */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WG_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps"); /* enum wg_counter -> count */

static __always_inline void count(__u32 counter, __u64 amount)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		__sync_fetch_and_add(value,
				     amount); /* programs on one CPU may interrupt each other */
}

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
	h->age_ns = 0;
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

static __always_inline int lose_data(__u32 length)
{
	count(WG_LOST_DATA_RING_FULL, 1);
	count(WG_LOST_BYTES_RING_FULL, length);
	return 0;
}

#endif
