// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * The socket tap: what passes the sockets of a cgroup, seen where packets meet sockets. L4 totals
 * are the kernel's own and are only read; L7 bytes go up through the ring buffer. Never changes,
 * delays or drops anything.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.h"
#include "wire.h"

#ifndef NULL
#define NULL ((void *)0)
#endif

#include "maps.h"
#include "tcp.h"
#include "l7.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define IPPROTO_TCP 6
#define SOCK_STREAM 1
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define IPV6_HEADER 40
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define NANOSECONDS 1000000000ULL
#define TICKS_NS 10000000ULL   /* an owner's start time is kept in these */
#define SETTLE_NS 100000000ULL /* both ends of a new connection have met by then */

/* ---- ring buffer ---- */

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

/* Tells user space of a connection, once, before its first bytes. */
static __noinline bool announce(struct connection *c, struct wg_open *tuple_of, __u64 now)
{
	struct wg_open *r;

	if (!c || !tuple_of)
		return false;
	r = reserve(sizeof(*r));
	if (!r) {
		count(WG_LOST_OPEN_RING_FULL, 1);
		return false;
	}
	*r = *tuple_of;
	fill_header(&r->header, WG_RECORD_OPEN, c->id, now);
	r->header.flags =
	    (c->mid_stream ? WG_OPEN_MID_STREAM : 0) |
	    (c->l7 == L7_UNREAD && c->unread == WG_UNREAD_ENCRYPTED ? WG_OPEN_ENCRYPTED : 0);
	r->sent_seq = c->sent.first_seq;
	r->received_seq = c->received.first_seq;
	r->owner = c->owner;
	r->netns = c->netns;
	r->role = c->role;
	__builtin_memcpy(r->comm, c->comm, sizeof(r->comm));
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	c->announced = 1;
	return true;
}

/* What a packet says, and where its payload is. */
struct segment {
	struct wg_endpoint source;
	struct wg_endpoint destination;
	__u64 now;
	__u32 seq;
	__u32 offset; /* of the payload, from the network header */
	__u32 length; /* of the payload */
	__u8 flags;   /* of the TCP header */
	bool sent;
};

/* One record of the first `length` (1 to room) bytes of a segment, all of them captured. */
#define DEFINE_PIECE(name, room)                                                                   \
	static __noinline int name(struct __sk_buff *skb, const struct segment *s, __u64 id,       \
				   __u32 length)                                                   \
	{                                                                                          \
		struct wg_data *r;                                                                 \
                                                                                                   \
		if (!s)                                                                            \
			return 0;                                                                  \
		r = reserve(sizeof(*r) + (room));                                                  \
		if (!r)                                                                            \
			return lose_data(length);                                                  \
		fill_header(&r->header, WG_RECORD_DATA, id, s->now);                               \
		r->header.flags = s->sent ? WG_DATA_SENT : 0;                                      \
		r->seq = s->seq;                                                                   \
		r->length = length;                                                                \
		length = ((length - 1) & ((room)-1)) + 1;                                          \
		r->header.captured =                                                               \
		    bpf_skb_load_bytes(skb, s->offset, r + 1, length) ? 0 : length;                \
		bpf_ringbuf_submit(r, wake_flags(s->now));                                         \
		return 1;                                                                          \
	}

static __always_inline int lose_data(__u32 length)
{
	count(WG_LOST_DATA_RING_FULL, 1);
	count(WG_LOST_BYTES_RING_FULL, length);
	return 0;
}

DEFINE_PIECE(tiny_piece, WG_CAPTURE_TINY)
DEFINE_PIECE(small_piece, WG_CAPTURE_SMALL)
DEFINE_PIECE(medium_piece, WG_CAPTURE_MEDIUM)
DEFINE_PIECE(large_piece, WG_CAPTURE_LARGE)

/* The last bytes and the head of what is left of a segment (more than both) that is not captured
 * whole. */
static __noinline int head_and_tail(struct __sk_buff *skb, const struct segment *s, __u64 id)
{
	struct wg_data *r;
	__u8 *room;

	if (!s)
		return 0;
	r = reserve(sizeof(*r) + WG_CAPTURE_SMALL);
	if (!r)
		return lose_data(s->length);
	room = (__u8 *)(r + 1);
	fill_header(&r->header, WG_RECORD_DATA, id, s->now);
	r->header.flags = WG_DATA_TAIL | (s->sent ? WG_DATA_SENT : 0);
	r->seq = s->seq;
	r->length = s->length;
	r->header.captured = WG_CAPTURE_HEAD;
	if (bpf_skb_load_bytes(skb, s->offset + s->length - WG_TAIL_BYTES, room, WG_TAIL_BYTES) ||
	    bpf_skb_load_bytes(skb, s->offset, room + WG_TAIL_BYTES, WG_CAPTURE_HEAD)) {
		r->header.flags &= ~WG_DATA_TAIL;
		r->header.captured = 0;
	}
	bpf_ringbuf_submit(r, wake_flags(s->now));
	return 1;
}

/* What tell_large needs beside the packet, in one word: a global function has five arguments. */
struct large {
	__u32 length;
	__u32 offset : 8;  /* of the payload: at most two headers of 60 bytes */
	__u32 budget : 23; /* bytes that may still be captured of this burst */
	__u32 sent : 1;
};
#define LARGE_BUDGET_MAX ((1U << 23) - 1) /* more than any segment */

/*
 * A segment of more than one small record: in pieces while the burst's budget lasts, then its head
 * and tail. Returns the bytes captured. Global, so that the verifier walks its loop once.
 */
__noinline int tell_large(struct __sk_buff *skb, __u64 id, __u64 now, __u32 seq, __u64 packed)
{
	struct large what;
	struct segment s = {.now = now, .seq = seq};
	__u32 captured = 0;

	__builtin_memcpy(&what, &packed, sizeof(what));
	s.offset = what.offset;
	s.sent = what.sent;
	s.length = what.length;
	for (int i = 0; i < WG_CAPTURE_PIECES - 1; i++) {
		if (s.length <= WG_CAPTURE_LARGE || captured >= what.budget)
			break;
		large_piece(skb, &s, id, WG_CAPTURE_LARGE);
		captured += WG_CAPTURE_LARGE;
		s.seq += WG_CAPTURE_LARGE;
		s.offset += WG_CAPTURE_LARGE;
		s.length -= WG_CAPTURE_LARGE;
	}
	if (s.length <= WG_CAPTURE_SMALL)
		small_piece(skb, &s, id, s.length);
	else if (s.length > WG_CAPTURE_LARGE || captured >= what.budget)
		return captured + head_and_tail(skb, &s, id) * WG_CAPTURE_HEAD;
	else if (s.length <= WG_CAPTURE_MEDIUM)
		medium_piece(skb, &s, id, s.length);
	else
		large_piece(skb, &s, id, s.length);
	return captured + s.length;
}

static __always_inline __u32 burst_left(const struct connection *c, const struct flow *f)
{
	__u32 left = c->burst_max > f->burst_bytes ? c->burst_max - f->burst_bytes : 0;

	if (left > LARGE_BUDGET_MAX || c->burst_max == WG_BURST_UNLIMITED)
		return LARGE_BUDGET_MAX;
	return left;
}

/* All of a segment; only its head and tail when the other side has been silent for long. */
static __always_inline void tell(struct __sk_buff *skb, struct connection *c, struct flow *f,
				 struct segment *s)
{
	struct large what = {.length = s->length, .offset = s->offset, .sent = s->sent};
	__u64 packed;

	if (c->last_direction != s->sent) {
		c->last_direction = s->sent;
		f->burst_bytes = 0;
	}
	if (s->length <= WG_CAPTURE_SMALL) {
		f->burst_bytes += s->length;
		if (s->length <= WG_CAPTURE_TINY)
			tiny_piece(skb, s, c->id, s->length);
		else
			small_piece(skb, s, c->id, s->length);
		return;
	}
	what.budget = burst_left(c, f);
	__builtin_memcpy(&packed, &what, sizeof(packed));
	f->burst_bytes += tell_large(skb, c->id, s->now, s->seq, packed);
}

/* ---- packets ---- */

static __always_inline bool parse_tcp(struct __sk_buff *skb, struct segment *s, void *tcp,
				      void *end, __u32 tcp_offset)
{
	__u8 *t = tcp;
	__u32 header;

	if (tcp + 20 > end)
		return false;
	header = (t[12] >> 4) * 4;
	s->flags = t[13];
	s->seq =
	    bpf_ntohl(*(__be32 *)(t + 4)) + !!(s->flags & TCP_SYN); /* a SYN is a byte of its own */
	s->source.port = bpf_ntohs(*(__be16 *)t);
	s->destination.port = bpf_ntohs(*(__be16 *)(t + 2));
	s->offset = tcp_offset + header;
	if (skb->len < s->offset)
		return false;
	s->length = skb->len - s->offset;
	return true;
}

/* False when the headers cannot be read. A v6 extension header is not looked behind: none precedes
 * TCP in practice. */
static __always_inline bool parse(struct __sk_buff *skb, struct segment *s)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u8 *ip = data;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		__u32 header;

		if (data + 20 > end || ip[9] != IPPROTO_TCP)
			return false;
		header = (ip[0] & 0x0f) * 4;
		if (header < 20)
			return false;
		return parse_tcp(skb, s, data + header, end, header);
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6) || data + IPV6_HEADER > end ||
	    ip[6] != IPPROTO_TCP)
		return false;
	return parse_tcp(skb, s, data + IPV6_HEADER, end, IPV6_HEADER);
}

static __always_inline void read_addresses(struct __sk_buff *skb, struct segment *s)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u8 *ip = data;

	s->source.padding = 0;
	s->destination.padding = 0;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (data + 20 > end)
			return;
		map_v4(s->source.address, *(__be32 *)(ip + 12));
		map_v4(s->destination.address, *(__be32 *)(ip + 16));
		return;
	}
	if (data + IPV6_HEADER > end)
		return;
	__builtin_memcpy(s->source.address, ip + 8, 16);
	__builtin_memcpy(s->destination.address, ip + 24, 16);
}

/* False when there are not so many: what is too short to tell is captured. */
static __always_inline bool read_first_bytes(struct __sk_buff *skb, const struct segment *s,
					     union first_bytes *first)
{
	return s->length >= sizeof(*first) &&
	       !bpf_skb_load_bytes(skb, s->offset, first, sizeof(*first));
}

static __always_inline void begin_capture(struct __sk_buff *skb, struct connection *c,
					  const struct segment *s)
{
	union first_bytes first;

	c->l7 = L7_CAPTURED;
	c->segments = 0;
	c->next_look = FIRST_LOOK;
	c->burst_max = capture_burst_bytes;
	if (!read_first_bytes(skb, s, &first))
		return;
	if (is_tls_hello(&first)) {
		c->l7 = L7_UNREAD;
		c->unread = WG_UNREAD_ENCRYPTED;
	} else if (is_http2_preface(&first)) {
		c->burst_max = WG_BURST_UNLIMITED;
	}
}

/* What user space has decided since the last look. */
static __noinline int take_verdict(struct connection *c)
{
	struct wg_capture *verdict;

	if (!c)
		return 0;
	c->next_look += c->next_look < LOOK_EVERY ? c->next_look : LOOK_EVERY;
	verdict = bpf_map_lookup_elem(&captures, &c->id);
	if (!verdict)
		return 0;
	c->burst_max = verdict->burst_bytes;
	if (!verdict->capture) {
		c->unread = verdict->unread;
		c->l7 = L7_UNREAD;
	}
	bpf_map_delete_elem(&captures, &c->id);
	return 0;
}

/*
 * Payload that reaches a listening socket: with a deferred accept, or when the third ACK of the
 * handshake was lost, the first data makes the connection and is never seen on the connection's own
 * socket.
 */
static __noinline int tell_before_accept(struct __sk_buff *skb, const struct segment *s, __u64 id)
{
	struct wg_before_accept *where;
	union first_bytes first;
	struct wg_data *r;
	__u32 n;

	if (!s || !s->length || (read_first_bytes(skb, s, &first) && is_tls_hello(&first)))
		return 0;
	r = reserve(sizeof(*r) + sizeof(*where) + WG_CAPTURE_LARGE);
	if (!r)
		return lose_data(s->length);
	fill_header(&r->header, WG_RECORD_DATA, id, s->now);
	r->header.flags = WG_DATA_BEFORE_ACCEPT;
	r->seq = s->seq;
	r->length = s->length;
	where = (struct wg_before_accept *)(r + 1);
	where->local = s->destination;
	where->remote = s->source;
	n = s->length < WG_CAPTURE_LARGE ? s->length : WG_CAPTURE_LARGE;
	n = ((n - 1) & (WG_CAPTURE_LARGE - 1)) +
	    1; /* known; verifiers up to 6.1 learn nothing from n != 0 */
	r->header.captured = bpf_skb_load_bytes(skb, s->offset, where + 1, n) ? 0 : n;
	bpf_ringbuf_submit(r, wake_flags(s->now));
	return 1;
}

/* True when every byte was told before: a retransmission, or a copy of what has arrived. Moves the
 * flow on otherwise. */
static __always_inline bool seen_before(struct flow *f, struct bpf_sock *sk,
					const struct segment *s)
{
	__u32 end = s->seq + s->length;
	struct bpf_tcp_sock *tp;

	if (s->seq == f->next_seq) {
		f->next_seq = end;
		return false;
	}
	if (s->sent) {
		if (!after(end, f->next_seq))
			return true;
		f->next_seq = end;
		return false;
	}
	/* Received out of order, or again: the kernel knows how far it has come. */
	tp = bpf_tcp_sock(sk);
	if (!tp)
		return false;
	if (!after(end, tp->rcv_nxt))
		return true;
	if (after(tp->rcv_nxt, f->next_seq))
		f->next_seq = tp->rcv_nxt;
	if (!after(s->seq, f->next_seq) && after(end, f->next_seq))
		f->next_seq = end;
	return false;
}

static __always_inline void note_flags(struct connection *c, const struct segment *s)
{
	__u32 fin_seq = s->seq + s->length;

	if ((s->flags & TCP_FIN) && s->sent) {
		c->sent.fin_seq = fin_seq;
		c->fin_sent = 1;
	} else if (s->flags & TCP_FIN) {
		c->received.fin_seq = fin_seq;
		c->fin_received = 1;
	}
	if ((s->flags & TCP_RST) && s->sent)
		c->reset_sent = 1;
	else if (s->flags & TCP_RST)
		c->reset_received = 1;
}

/*
 * A socket that the tap meets in the middle: older than the program, and not back-filled because
 * the kernel has no such iterator or the socket was in between. What it did before does not count.
 */
static __always_inline struct connection *adopt(struct __sk_buff *skb, struct bpf_sock *sk,
						const struct segment *s)
{
	struct segment addressed = *s;
	struct wg_tuple t = {};
	struct connection *c;
	struct tcp_sock *tp;

	if (sk->state == BPF_TCP_LISTEN)
		return NULL;
	c = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		count(WG_LOST_CONNECTION_NO_MEMORY, 1);
		return NULL;
	}
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return NULL;
	read_totals(&c->reported, tp);
	c->sent.next_seq = s->sent ? s->seq : tp->snd_nxt;
	c->received.next_seq = s->sent ? tp->rcv_nxt : s->seq;
	read_addresses(skb, &addressed);
	t.remote = s->sent ? addressed.destination : addressed.source;
	classify_peer(c, &t);
	c->id = bpf_get_socket_cookie(skb);
	c->mid_stream = 1;
	c->established = 1;
	return c;
}

static __always_inline void describe(struct wg_open *o, struct __sk_buff *skb,
				     const struct segment *s)
{
	struct segment addressed = *s;

	read_addresses(skb, &addressed);
	o->local = s->sent ? addressed.source : addressed.destination;
	o->remote = s->sent ? addressed.destination : addressed.source;
	o->cgroup_id = bpf_skb_cgroup_id(skb);
}

static __always_inline int tap(struct __sk_buff *skb, bool sent)
{
	struct segment s = {.sent = sent};
	struct connection *c;
	struct bpf_sock *sk = skb->sk;
	struct flow *f;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != IPPROTO_TCP)
		return 1;
	if (!parse(skb, &s)) {
		count(WG_LOST_HEADER_UNREADABLE, 1);
		return 1;
	}
	if (!s.length && !(s.flags & (TCP_FIN | TCP_RST)))
		return 1;
	c = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!c || (!c->established && sk->state == BPF_TCP_ESTABLISHED))
		c = adopt(skb, sk, &s);
	if (!c)
		return 1;
	note_flags(c, &s);
	if (!s.length)
		return 1;
	if (sk->state == BPF_TCP_LISTEN) {
		if (!sent) {
			s.now = bpf_ktime_get_ns();
			read_addresses(skb, &s);
			tell_before_accept(skb, &s, c->id);
		}
		return 1;
	}
	if (!c->established)
		return 1;
	f = sent ? &c->sent : &c->received;
	if (seen_before(f, sk, &s))
		return 1;
	if (c->l7 == L7_NEW)
		begin_capture(skb, c, &s);
	else if (c->l7 == L7_CAPTURED && ++c->segments >= c->next_look)
		take_verdict(c);
	if (c->l7 == L7_UNREAD) {
		f->unread_bytes += s.length;
		if (c->announced || c->unread != WG_UNREAD_ENCRYPTED)
			return 1;
	}
	s.now = bpf_ktime_get_ns();
	if (!c->announced) {
		struct wg_open o = {};

		if (!c->id)
			c->id = bpf_get_socket_cookie(skb); /* back-filled */
		describe(&o, skb, &s);
		if (!announce(c, &o, s.now)) {
			count(WG_LOST_BYTES_RING_FULL, c->l7 == L7_UNREAD ? 0 : s.length);
			return 1;
		}
	}
	if (c->l7 == L7_UNREAD)
		return 1;
	tell(skb, c, f, &s);
	return 1;
}

SEC("cgroup_skb/ingress")
int tap_ingress(struct __sk_buff *skb)
{
	return tap(skb, false);
}

SEC("cgroup_skb/egress")
int tap_egress(struct __sk_buff *skb)
{
	return tap(skb, true);
}

/* ---- sockets ---- */

static __always_inline __u64 current_owner(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 start = BPF_CORE_READ(task, group_leader, start_boottime);
	__u64 tgid = bpf_get_current_pid_tgid() >> 32;

	return tgid << 32 | (__u32)(start / TICKS_NS);
}

/* Who makes the socket owns it; what a listener accepts inherits it. */
SEC("cgroup/sock_create")
int tap_sock_create(struct bpf_sock *sk)
{
	struct connection *c;
	struct wg_owner who = {};

	if (sk->type != SOCK_STREAM || sk->protocol != IPPROTO_TCP)
		return 1;
	c = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		count(WG_LOST_CONNECTION_NO_MEMORY, 1);
		return 1;
	}
	c->owner = current_owner();
	bpf_get_current_comm(c->comm, sizeof(c->comm));
	who.cgroup_id = bpf_get_current_cgroup_id();
	__builtin_memcpy(who.comm, c->comm, sizeof(who.comm));
	if (bpf_map_update_elem(&owners, &c->owner, &who, BPF_ANY))
		count(WG_LOST_OWNERS_FULL, 1);
	return 1;
}

/* A child starts with its listener's storage: what describes the listener's own life is wiped. */
static __always_inline void begin(struct connection *c, __u8 role)
{
	c->established = 0;
	c->mid_stream = 0;
	c->announced = 0;
	c->in_tuples = 0;
	c->reset_sent = 0;
	c->reset_received = 0;
	c->fin_sent = 0;
	c->fin_received = 0;
	c->role = role;
	c->l7 = L7_NEW;
	c->unread = WG_UNREAD_UNKNOWN_PROTOCOL;
	c->last_direction = 0xff;
	c->peer_owner = 0;
	c->rtt_next_ns = 0;
	c->established_ns = bpf_ktime_get_ns();
	__builtin_memset(&c->received, 0, sizeof(c->received));
	__builtin_memset(&c->sent, 0, sizeof(c->sent));
}

static __always_inline void established(struct bpf_sock_ops *ops, struct bpf_sock *sk,
					struct connection *c, __u8 role)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct wg_tuple t;

	if (!tp)
		return;
	begin(c, role);
	c->id = bpf_get_socket_cookie(ops);
	/* Before the first byte: the kernel's totals hold the SYNs, which are not payload, and no
	 * more. */
	read_totals(&c->reported, tp);
	c->reported.sent_segments = 0;
	c->reported.received_segments = 0;
	c->reported.retransmitted_segments = 0;
	c->reported.retransmission_timeouts = 0;
	c->sent.first_seq = c->sent.next_seq = tp->snd_nxt;
	c->received.first_seq = c->received.next_seq = tp->rcv_nxt;
	read_tuple(&t, (struct sock *)tp, &c->netns);
	classify_peer(c, &t);
	meet(c, &t);
	c->unreported_open = 1;
	c->established = 1;
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

static __always_inline void tell_close(struct connection *c)
{
	struct wg_close *r;

	if (!c->announced)
		return;
	r = reserve(sizeof(*r));
	if (!r) {
		count(WG_LOST_CLOSE_RING_FULL, 1);
		return;
	}
	fill_header(&r->header, WG_RECORD_CLOSE, c->id, bpf_ktime_get_ns());
	if (c->reset_sent)
		r->header.flags |= WG_CLOSE_RESET_SENT;
	if (c->reset_received)
		r->header.flags |= WG_CLOSE_RESET_RECEIVED;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

static __always_inline void closed(struct bpf_sock *sk, struct connection *c)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct wg_tcp_counters *entry;
	struct wg_tuple t;
	__u32 netns;

	if (!tp || !c->established)
		return;
	read_tuple(&t, (struct sock *)tp, &netns);
	learn_peer(c, &t);
	entry = report(c, tp);
	if (entry) {
		add(&entry->closed, 1);
		add(&entry->resets_sent, c->reset_sent);
		add(&entry->resets_received, c->reset_received);
	}
	if (c->in_tuples)
		bpf_map_delete_elem(&tuples, &t);
	tell_close(c);
	bpf_map_delete_elem(&captures, &c->id);
	c->established = 0;
	c->in_tuples = 0;
	c->announced = 0;
	c->l7 = L7_UNREAD;
}

SEC("sockops")
int tap_sockops(struct bpf_sock_ops *ops)
{
	struct connection *c;
	struct bpf_sock *sk;
	__u32 op = ops->op;

	if (op != BPF_SOCK_OPS_TCP_CONNECT_CB && op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB &&
	    op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB && op != BPF_SOCK_OPS_STATE_CB)
		return 1;
	sk = ops->sk;
	if (!sk)
		return 1;
	c = bpf_sk_storage_get(&connections, sk, NULL,
			       op == BPF_SOCK_OPS_STATE_CB ? 0 : BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		count(WG_LOST_CONNECTION_NO_MEMORY, 1);
		return 1;
	}
	switch (op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		begin(c, WG_ROLE_CLIENT);
		c->connect_ns = c->established_ns;
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		established(ops, sk, c, WG_ROLE_CLIENT);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		established(ops, sk, c, WG_ROLE_SERVER);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (ops->args[1] == BPF_TCP_CLOSE)
			closed(sk, c);
		break;
	}
	return 1;
}

/* ---- reading at scrape ---- */

/* Once for every observed socket: what is new since the last time goes to the current deltas. */
SEC("iter/bpf_sk_storage_map")
int tap_report(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	struct wg_tcp_counters *entry;
	struct sock *sk = ctx->sk;
	struct connection *c;
	struct tcp_sock *tp;
	struct wg_tuple t;
	__u32 netns, segments;

	if (!sk)
		return 0;
	c = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!c || !c->established)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	read_tuple(&t, sk, &netns);
	learn_peer(c, &t);
	if (c->unreported_open && !c->peer_owner && now - c->established_ns < SETTLE_NS)
		return 0;
	segments = c->reported.received_segments;
	entry = report(c, tp);
	if (!entry)
		return 0;
	add(&entry->active, 1);
	/* An idle connection's RTT says nothing new. */
	if (now >= c->rtt_next_ns && segments != c->reported.received_segments && tp->srtt_us) {
		c->rtt_next_ns = now + NANOSECONDS;
		observe(&entry->rtt, tp->srtt_us >> 3);
	}
	return 0;
}

/* ---- sockets older than the program ---- */

#define CGROUP_DEPTH 32 /* cgroup.max.depth is unlimited; deeper than this nobody nests */

static __always_inline bool is_scope(__u64 cgroup_id)
{
	for (__u32 i = 0; i < WG_SCOPES; i++)
		if (i < scope_count && scopes[i] == cgroup_id)
			return true;
	return false;
}

static __always_inline struct cgroup *cgroup_of(struct sock *sk)
{
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	struct sock_cgroup_data___before_5_15 *old = (void *)&sk->sk_cgrp_data;
	__u64 tagged = BPF_CORE_READ(old, val);

	return tagged & 1 ? NULL : (struct cgroup *)tagged;
}

static __always_inline bool in_scope(struct sock *sk)
{
	struct cgroup *cgroup = cgroup_of(sk);

	for (int i = 0; i < CGROUP_DEPTH && cgroup; i++) {
		struct cgroup_subsys_state *parent;

		if (is_scope(BPF_CORE_READ(cgroup, kn, id)))
			return true;
		parent = BPF_CORE_READ(cgroup, self.parent);
		cgroup = parent ? BPF_CORE_READ(parent, cgroup) : NULL;
	}
	return false;
}

static __always_inline void inherit_from_proc(struct connection *c, struct sock *sk)
{
	struct socket_alloc *alloc = (void *)BPF_CORE_READ(sk, sk_socket);
	struct wg_socket_owner *known;
	__u64 inode;

	if (!alloc)
		return;
	inode = BPF_CORE_READ(alloc, vfs_inode.i_ino);
	known = bpf_map_lookup_elem(&backfill_owners, &inode);
	if (!known)
		return;
	c->owner = known->owner;
	__builtin_memcpy(c->comm, known->comm, sizeof(c->comm));
}

/* Gives storage to the sockets in scope of one network namespace: listeners come first, so roles
 * are known. */
SEC("iter/tcp")
int tap_backfill(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sc = ctx->sk_common;
	struct listener where = {};
	struct tcp_sock *tp;
	struct connection *c;
	struct wg_tuple t;
	__u8 one = 1;

	if (!sc)
		return 0;
	tp = bpf_skc_to_tcp_sock(sc);
	if (!tp || !in_scope((struct sock *)tp))
		return 0;
	read_tuple(&t, (struct sock *)tp, &where.netns);
	where.port = t.local.port;
	if (sc->skc_state == BPF_TCP_LISTEN)
		bpf_map_update_elem(&backfill_listeners, &where, &one, BPF_ANY);
	c = bpf_sk_storage_get(&connections, tp, NULL, 0);
	if (c && c->owner && c->established)
		return 0; /* younger than the program after all */
	c = bpf_sk_storage_get(&connections, tp, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		count(WG_LOST_CONNECTION_NO_MEMORY, 1);
		return 0;
	}
	if (!c->owner)
		inherit_from_proc(c, (struct sock *)tp);
	if (sc->skc_state == BPF_TCP_LISTEN || c->established)
		return 0;
	read_totals(&c->reported, tp);
	c->netns = where.netns;
	c->last_direction = 0xff;
	c->sent.first_seq = c->sent.next_seq = tp->snd_nxt;
	c->received.first_seq = c->received.next_seq = tp->rcv_nxt;
	c->role =
	    bpf_map_lookup_elem(&backfill_listeners, &where) ? WG_ROLE_SERVER : WG_ROLE_CLIENT;
	classify_peer(c, &t);
	meet(c, &t);
	c->mid_stream = 1;
	c->established = 1;
	return 0;
}
