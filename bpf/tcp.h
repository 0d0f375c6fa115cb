/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The L4 plane: reading a socket's own totals and adding what is new to the current deltas. */
#ifndef WIREGAUGE_BPF_TCP_H
#define WIREGAUGE_BPF_TCP_H

static __always_inline bool after(__u32 a, __u32 b)
{
	return (__s32)(a - b) > 0;
}

static __always_inline void read_totals(struct totals *t, struct tcp_sock *tp)
{
	t->sent_bytes = tp->bytes_acked;
	t->received_bytes = tp->bytes_received;
	t->sent_segments = tp->segs_out;
	t->received_segments = tp->segs_in;
	t->retransmitted_segments = tp->total_retrans;
	t->retransmission_timeouts = 0;
	if (bpf_core_field_exists(tp->total_rto))
		t->retransmission_timeouts = tp->total_rto;
	t->out_of_order_segments = tp->rcv_ooopack;
	t->unread_bytes = 0;
	t->opened = 0;
}

/* The kernel counts an acknowledged or received FIN as a byte; payload does not. */
static __always_inline void without_fins(struct totals *t, struct connection *c,
					 struct tcp_sock *tp)
{
	if (c->fin_sent && after(tp->snd_una, c->sent_rest.fin_seq))
		t->sent_bytes--;
	if (c->fin_received && after(tp->rcv_nxt, c->received_rest.fin_seq))
		t->received_bytes--;
}

/* now - *reported, and *reported becomes now; 0 when another CPU has already reported more. Under
 * c->lock. */
static __always_inline __u64 advance64(__u64 *reported, __u64 now)
{
	__u64 delta = now - *reported;

	if ((__s64)delta <= 0)
		return 0;
	*reported = now;
	return delta;
}

static __always_inline __u32 advance32(__u32 *reported, __u32 now)
{
	__u32 delta = now - *reported;

	if ((__s32)delta <= 0)
		return 0;
	*reported = now;
	return delta;
}

static __always_inline void take_deltas(struct totals *delta, struct connection *c,
					const struct totals *now)
{
	struct totals *reported = &c->reported;

	bpf_spin_lock(&c->lock);
	delta->sent_bytes = advance64(&reported->sent_bytes, now->sent_bytes);
	delta->received_bytes = advance64(&reported->received_bytes, now->received_bytes);
	delta->sent_segments = advance32(&reported->sent_segments, now->sent_segments);
	delta->received_segments = advance32(&reported->received_segments, now->received_segments);
	delta->retransmitted_segments =
	    advance32(&reported->retransmitted_segments, now->retransmitted_segments);
	/* 16 bits in the kernel: a difference of 16-bit numbers. */
	delta->retransmission_timeouts =
	    (__u16)(now->retransmission_timeouts - reported->retransmission_timeouts);
	if (delta->retransmission_timeouts >= 0x8000)
		delta->retransmission_timeouts = 0;
	else
		reported->retransmission_timeouts = now->retransmission_timeouts;
	delta->out_of_order_segments =
	    advance32(&reported->out_of_order_segments, now->out_of_order_segments);
	delta->unread_bytes = advance64(&reported->unread_bytes, now->unread_bytes);
	delta->opened = c->unreported_open;
	c->unreported_open = 0;
	bpf_spin_unlock(&c->lock);
}

static __always_inline struct wg_tcp_counters *find_or_add(void *deltas, struct wg_tcp_key *key)
{
	struct wg_tcp_counters *entry = bpf_map_lookup_elem(deltas, key);
	__u32 zero = 0;
	void *fresh;

	if (entry)
		return entry;
	fresh = bpf_map_lookup_elem(&tcp_zero, &zero);
	if (!fresh)
		return NULL;
	bpf_map_update_elem(deltas, key, fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(deltas, key);
}

/* The entry that the connection's deltas are added to; the overflow entry when the map is full. */
static __always_inline struct wg_tcp_counters *current_deltas(struct wg_tcp_key *key)
{
	struct wg_tcp_key overflow = {.role = key->role};
	struct wg_tcp_counters *entry;
	__u32 zero = 0;
	void *deltas = bpf_map_lookup_elem(&tcp_current, &zero);

	if (!deltas)
		return NULL;
	if (key->peer_owner)
		key->peer = 0;
	entry = find_or_add(deltas, key);
	if (entry)
		return entry;
	count(WG_LOST_TCP_KEYS_FULL, 1);
	return bpf_map_lookup_elem(deltas, &overflow);
}

static const __u32 bucket_bounds_us[WG_TCP_BUCKETS - 1] = {WG_TCP_BUCKET_BOUNDS_US};

static __always_inline void observe(struct wg_tcp_histogram *h, __u64 us)
{
	__u32 bucket = 0;

	/* Without branches, of which the verifier would follow every combination: the sign of bound
	 * - us. */
#pragma unroll
	for (int i = 0; i < WG_TCP_BUCKETS - 1; i++) {
		__u64 room = bucket_bounds_us[i] - us;

		asm volatile("" : "+r"(room)); /* or the compiler would make it a branch again */
		bucket += room >> 63;
	}
	bucket &= WG_TCP_BUCKETS - 1;
	__sync_fetch_and_add(&h->buckets[bucket], 1);
	__sync_fetch_and_add(&h->sum_us, us);
}

static __always_inline void add(__u64 *total, __u64 delta)
{
	if (delta)
		__sync_fetch_and_add(total, delta);
}

/* What was not captured passed both ends. */
static __noinline int report_unread_twin(const struct connection *c, __u64 bytes)
{
	struct wg_tcp_key key = {.role = WG_ROLE_CLIENT};
	struct wg_tcp_counters *entry;

	if (!c)
		return 0;
	key.owner = c->twin_owner;
	key.peer_owner = c->owner;
	entry = current_deltas(&key);
	if (entry)
		add(&entry->unread_bytes[c->unread & (WG_UNREADS - 1)], bytes);
	else
		count(WG_LOST_TCP_NO_ROOM, 1);
	return 0;
}

/* Adds what the socket did since the last report; but for unread bytes when it is undecided why
 * they are not read. Returns the entry that it went to, for events of the caller's. */
static __always_inline struct wg_tcp_counters *report(struct connection *c, struct tcp_sock *tp,
						      bool undecided)
{
	struct wg_tcp_key key = {
	    .owner = c->owner, .peer_owner = c->peer_owner, .peer = c->peer, .role = c->role};
	struct wg_tcp_counters *entry;
	struct totals now, delta;

	read_totals(&now, tp);
	without_fins(&now, c, tp);
	now.unread_bytes = undecided ? c->reported.unread_bytes
				     : c->sent_rest.unread_bytes + c->received_rest.unread_bytes;
	entry = current_deltas(&key);
	if (!entry) {
		count(WG_LOST_TCP_NO_ROOM, 1);
		return NULL; /* not taken: the next report tries again */
	}
	take_deltas(&delta, c, &now);
	/* Counted as opened only now, when both ends have met and the peer has a name. */
	if (delta.opened) {
		add(&entry->opened, 1);
		if (c->role == WG_ROLE_CLIENT && c->connect_ns)
			observe(&entry->connect_duration,
				(c->established_ns - c->connect_ns) / 1000);
	}
	add(&entry->sent_bytes, delta.sent_bytes);
	add(&entry->received_bytes, delta.received_bytes);
	add(&entry->sent_segments, delta.sent_segments);
	add(&entry->received_segments, delta.received_segments);
	add(&entry->retransmitted_segments, delta.retransmitted_segments);
	add(&entry->retransmission_timeouts, delta.retransmission_timeouts);
	add(&entry->out_of_order_segments, delta.out_of_order_segments);
	add(&entry->unread_bytes[c->unread & (WG_UNREADS - 1)], delta.unread_bytes);
	if (c->twin && delta.unread_bytes)
		report_unread_twin(c, delta.unread_bytes);
	return entry;
}

static __always_inline void map_v4(__u8 address[16], __be32 v4)
{
	__u32 *words = (__u32 *)address;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = v4;
}

#define AF_INET 2
#define AF_INET6 10

static __always_inline bool is_loopback(const __u8 a[16])
{
	const __u32 *words = (const __u32 *)a;

	if (words[0] || words[1])
		return false;
	if (words[2] == bpf_htonl(0xffff))
		return (bpf_ntohl(words[3]) >> 24) == 127;
	return !words[2] && words[3] == bpf_htonl(1);
}

/* Both ends of the socket, and its network namespace. */
static __always_inline void read_tuple(struct wg_tuple *t, struct sock *sk, __u32 *netns)
{
	struct sock_common *sc = &sk->__sk_common;

	__builtin_memset(t, 0, sizeof(*t));
	if (sc->skc_family == AF_INET6) {
		bpf_probe_read_kernel(t->local.address, 16, &sc->skc_v6_rcv_saddr);
		bpf_probe_read_kernel(t->remote.address, 16, &sc->skc_v6_daddr);
	} else {
		map_v4(t->local.address, sc->skc_rcv_saddr);
		map_v4(t->remote.address, sc->skc_daddr);
	}
	t->local.port = sc->skc_num;
	t->remote.port = bpf_ntohs(sc->skc_dport);
	*netns = sc->skc_net.net->ns.inum;
	if (is_loopback(t->remote.address))
		t->netns = *netns;
}

static __always_inline void reverse(struct wg_tuple *out, const struct wg_tuple *in)
{
	out->local = in->remote;
	out->remote = in->local;
	out->netns = in->netns;
}

static __always_inline void classify_peer(struct connection *c, const struct wg_tuple *t)
{
	struct wg_peer_prefix prefix = {.prefix_bits = 128};
	__u32 *peer;

	__builtin_memcpy(prefix.address, t->remote.address, 16);
	peer = bpf_map_lookup_elem(&peers, &prefix);
	c->peer = peer ? *peer : 0;
}

/*
 * Over loopback the same bytes pass both ends, microseconds apart and without loss: when both are
 * observed the server's end tells for both, and the client's costs next to nothing. Decided when
 * the server's end is established, before any payload can reach it, unless the client's has told
 * some.
 */
static __always_inline void speak_for_both(struct connection *server, struct tuple_ends *client)
{
	__u32 speaker;

	if (!server->owner || !client->owner)
		return;
	bpf_spin_lock(&client->lock);
	if (client->speaker == SPEAKER_NONE) {
		client->speaker = SPEAKER_SERVER;
		client->server = server->id;
	}
	speaker = client->speaker;
	bpf_spin_unlock(&client->lock);
	if (speaker != SPEAKER_SERVER)
		return;
	server->twin = client->id;
	server->twin_owner = client->owner;
}

/* Makes the two ends of a connection on this host know each other's owner, whichever comes first.
 */
static __always_inline void meet(struct connection *c, const struct wg_tuple *t)
{
	/* What passed one end of an older connection unseen, nobody knows: each tells what it sees.
	 */
	struct tuple_ends own = {
	    .id = c->id, .owner = c->owner, .speaker = c->mid_stream ? SPEAKER_EACH : SPEAKER_NONE};
	struct tuple_ends *other;
	struct wg_tuple mirror;

	reverse(&mirror, t);
	other = bpf_map_lookup_elem(&tuples, &mirror);
	if (other) {
		own.peer_owner = other->owner;
		c->peer_owner = other->owner;
		other->peer_owner = c->owner;
		if (one_end_tells && c->loopback && c->role == WG_ROLE_SERVER && !c->mid_stream)
			speak_for_both(c, other);
	}
	if (bpf_map_update_elem(&tuples, t, &own, BPF_ANY))
		count(WG_LOST_TUPLES_FULL, 1);
	else
		c->in_tuples = 1;
}

/* The end that told for both is gone; its client may be there yet, and send. */
static __always_inline void leave_twin(const struct connection *c, const struct wg_tuple *t)
{
	struct tuple_ends *client;
	struct wg_tuple mirror;

	reverse(&mirror, t);
	client = bpf_map_lookup_elem(&tuples, &mirror);
	if (!client)
		return;
	bpf_spin_lock(&client->lock);
	if (client->speaker == SPEAKER_SERVER && client->server == c->id)
		client->speaker = SPEAKER_CLIENT;
	bpf_spin_unlock(&client->lock);
}

/* What the other end may have written since. */
static __always_inline void learn_peer(struct connection *c, const struct wg_tuple *t)
{
	struct tuple_ends *own;

	if (c->peer_owner || !c->in_tuples)
		return;
	own = bpf_map_lookup_elem(&tuples, t);
	if (own)
		c->peer_owner = own->peer_owner;
}

#endif
