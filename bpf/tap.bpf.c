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

#include "ring.h"
#include "tls.h"
#include "maps.h"
#include "tcp.h"
#include "packet.h"
#include "l7.h"
#include "capture.h"
#include "encrypted.h"
#include "datagrams.h"
#include "backfill.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define NANOSECONDS 1000000000ULL
#define TICKS_NS 10000000ULL   /* an owner's start time is kept in these */
#define SETTLE_NS 100000000ULL /* both ends of a new connection have met by then */

/* ---- packets ---- */

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
		c->sent_rest.fin_seq = fin_seq;
		c->fin_sent = 1;
	} else if (s->flags & TCP_FIN) {
		c->received_rest.fin_seq = fin_seq;
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

	c = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		count(WG_LOST_CONNECTION_NO_MEMORY, 1);
		return NULL;
	}
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return NULL;
	read_totals(&c->reported, tp);
	c->sent.next_seq = tp->snd_nxt;
	c->received.next_seq = tp->rcv_nxt;
	if (s->sent)
		c->sent.next_seq = s->seq;
	else
		c->received.next_seq = s->seq;
	read_addresses(skb, &addressed);
	t.remote = s->sent ? addressed.destination : addressed.source;
	classify_peer(c, &t);
	c->id = bpf_get_socket_cookie(skb);
	c->mid_stream = 1;
	c->established = 1;
	return c;
}

/* A packet of a socket that has no connection, or none that is established. Gives the connection
 * when it is to be taken up in the middle. */
static __noinline struct connection *
unestablished(struct __sk_buff *skb, struct connection *listener, const struct segment *s)
{
	struct segment addressed;
	struct bpf_sock *sk = skb->sk;

	if (!sk || !s)
		return NULL;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != IPPROTO_TCP || sk->type != SOCK_STREAM)
		return NULL;
	/* On its own socket too, while another CPU is about to establish that. */
	if (sk->state == BPF_TCP_LISTEN || sk->state == BPF_TCP_SYN_RECV) {
		if (!listener || s->sent || !s->length)
			return NULL;
		addressed = *s;
		addressed.now = bpf_ktime_get_ns();
		read_addresses(skb, &addressed);
		tell_before_accept(skb, &addressed, listener->id);
		return NULL;
	}
	if (listener && sk->state != BPF_TCP_ESTABLISHED)
		return NULL;
	if (listener && listener->established) /* since, on another CPU */
		return listener;
	return adopt(skb, sk, s);
}

/* Not TCP, or not readable. */
static __noinline int tap_other(struct __sk_buff *skb, __u8 protocol, bool sent)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	if (sk->protocol == IPPROTO_UDP)
		tap_datagram(skb, sk, sent);
	else if (sk->protocol == IPPROTO_TCP && protocol != IPPROTO_TCP)
		count(WG_LOST_HEADER_UNREADABLE, 1);
	return 0;
}

static __always_inline int tap(struct __sk_buff *skb, bool sent)
{
	struct segment s = {.sent = sent};
	struct connection *c;
	struct bpf_sock *sk = skb->sk;
	struct flow *f;
	__u32 header;
	__u8 protocol;

	if (!sk)
		return 1;
	/* The packet says what it is; the socket's own fields for it would cost a cache line. */
	protocol = read_ip(skb, &header);
	if (protocol != IPPROTO_TCP) {
		tap_other(skb, protocol, sent);
		return 1;
	}
	if (!parse_tcp(skb, &s, header)) {
		count(WG_LOST_HEADER_UNREADABLE, 1);
		return 1;
	}
	if (!s.length && !(s.flags & (TCP_FIN | TCP_RST)))
		return 1;
	c = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!c || !c->established) {
		c = unestablished(skb, c, &s);
		if (!c)
			return 1;
	}
	note_flags(c, &s);
	if (!s.length || (c->l7 == L7_TWIN && told_by_twin(skb, c, &s)))
		return 1;
	f = sent ? &c->sent : &c->received;
	if (seen_before(f, sk, &s))
		return 1;
	if (c->l7 == L7_NEW)
		begin_capture(skb, c, &s);
	else if (c->l7 == L7_CAPTURED)
		continue_capture(skb, c, &s);
	if (c->l7 == L7_TWIN)
		return 1;
	if (c->l7 == L7_UNREAD) {
		/* Packets of one connection may be in work on two CPUs. */
		__sync_fetch_and_add(
		    sent ? &c->sent_rest.unread_bytes : &c->received_rest.unread_bytes, s.length);
		if (!is_encrypted(c) || (c->announced && !tls_wanted))
			return 1;
	}
	s.now = bpf_ktime_get_ns();
	if (!c->announced && !announce(skb, c, &s)) {
		count(WG_LOST_BYTES_RING_FULL, c->l7 == L7_UNREAD ? 0 : s.length);
		return 1;
	}
	if (c->l7 == L7_UNREAD) {
		if (tls_wanted)
			watch_encrypted(skb, sk, c, &s);
		return 1;
	}
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

static __always_inline void note_owner(__u64 *owner, __u8 comm[16])
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct wg_owner who = {};
	const unsigned char *name;

	*owner = current_owner();
	/* Of the process, as /proc has it: any of its threads may make the socket. */
	BPF_CORE_READ_INTO(&who.comm, task, group_leader, comm);
	name = BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name);
	bpf_probe_read_kernel_str(who.executable, sizeof(who.executable), name);
	who.cgroup_id = bpf_get_current_cgroup_id();
	__builtin_memcpy(comm, who.comm, sizeof(who.comm));
	if (bpf_map_update_elem(&owners, owner, &who, BPF_ANY))
		count(WG_LOST_OWNERS_FULL, 1);
}

/* Who makes the socket owns it; what a listener accepts inherits it. */
SEC("cgroup/sock_create")
int tap_sock_create(struct bpf_sock *sk)
{
	struct datagram_socket *d;
	struct connection *c;

	if (sk->type == SOCK_STREAM && sk->protocol == IPPROTO_TCP) {
		c = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (c)
			note_owner(&c->owner, c->comm);
		else
			count(WG_LOST_CONNECTION_NO_MEMORY, 1);
	} else if (sk->type == SOCK_DGRAM && sk->protocol == IPPROTO_UDP) {
		d = bpf_sk_storage_get(&datagram_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (d)
			note_owner(&d->owner, d->comm);
		else
			count(WG_LOST_CONNECTION_NO_MEMORY, 1);
	}
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
	c->has_plaintext = 0;
	c->marks_tried = 0;
	c->last_direction = 0xff;
	c->peer_owner = 0;
	c->rtt_next_ns = 0;
	c->twin = 0;
	c->established_ns = bpf_ktime_get_ns();
	__builtin_memset(&c->received, 0, sizeof(c->received));
	__builtin_memset(&c->sent, 0, sizeof(c->sent));
	__builtin_memset(&c->received_rest, 0, sizeof(c->received_rest));
	__builtin_memset(&c->sent_rest, 0, sizeof(c->sent_rest));
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
	c->sent_rest.first_seq = c->sent.next_seq = tp->snd_nxt;
	c->received_rest.first_seq = c->received.next_seq = tp->rcv_nxt;
	read_tuple(&t, (struct sock *)tp, &c->netns);
	c->loopback = !!t.netns;
	classify_peer(c, &t);
	meet(c, &t);
	c->unreported_open = 1;
	c->established = 1;
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

static __noinline int tell_close(const struct connection *c, __u64 id, __u8 flags)
{
	struct wg_close *r;

	if (!c)
		return 0;
	r = reserve(sizeof(*r));
	if (!r) {
		count(WG_LOST_CLOSE_RING_FULL, 1);
		return 0;
	}
	fill_header(&r->header, WG_RECORD_CLOSE, id, bpf_ktime_get_ns());
	r->header.flags = flags;
	if (c->reset_sent)
		r->header.flags |= WG_CLOSE_RESET_SENT;
	if (c->reset_received)
		r->header.flags |= WG_CLOSE_RESET_RECEIVED;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline void part(struct connection *c, const struct wg_tuple *t)
{
	struct tuple_ends *own;

	if (c->twin) {
		leave_twin(c, t);
	} else if (c->l7 == L7_TWIN) {
		own = bpf_map_lookup_elem(&tuples, t);
		if (own)
			tell_close(c, own->server, WG_CLOSE_TWIN);
	}
	if (c->in_tuples)
		bpf_map_delete_elem(&tuples, t);
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
	entry = report(c, tp, false);
	if (entry) {
		add(&entry->closed, 1);
		add(&entry->resets_sent, c->reset_sent);
		add(&entry->resets_received, c->reset_received);
	}
	part(c, &t);
	tell_skipped(c, false, bpf_ktime_get_ns());
	tell_skipped(c, true, bpf_ktime_get_ns());
	if (c->announced)
		tell_close(c, c->id, 0);
	bpf_map_delete_elem(&captures, &c->id);
	if (c->has_plaintext)
		bpf_map_delete_elem(&tls_streams, &c->id);
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
	entry = report(c, tp, is_handshaking(c, now));
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
