/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The L7 plane: which bytes of a connection go up the ring, and in which records. */
#ifndef WIREGAUGE_BPF_CAPTURE_H
#define WIREGAUGE_BPF_CAPTURE_H

/* Tells user space of a connection, once, before its first bytes. */
static __noinline bool announce(struct __sk_buff *skb, struct connection *c,
				const struct segment *s)
{
	struct segment addressed;
	struct wg_open *r;

	if (!c || !s)
		return false;
	r = reserve(sizeof(*r));
	if (!r) {
		count(WG_LOST_OPEN_RING_FULL, 1);
		return false;
	}
	if (!c->id)
		c->id = bpf_get_socket_cookie(skb); /* back-filled */
	addressed = *s;
	read_addresses(skb, &addressed);
	r->local = s->sent ? addressed.source : addressed.destination;
	r->remote = s->sent ? addressed.destination : addressed.source;
	r->cgroup_id = bpf_skb_cgroup_id(skb);
	__builtin_memset(r->padding, 0, sizeof(r->padding));
	fill_header(&r->header, WG_RECORD_OPEN, c->id, s->now);
	r->header.flags =
	    (c->mid_stream ? WG_OPEN_MID_STREAM : 0) |
	    (c->l7 == L7_UNREAD && c->unread == WG_UNREAD_ENCRYPTED ? WG_OPEN_ENCRYPTED : 0) |
	    (c->twin ? WG_OPEN_BOTH_ENDS : 0);
	r->sent_seq = c->sent_rest.first_seq;
	r->received_seq = c->received_rest.first_seq;
	r->owner = c->owner;
	r->netns = c->netns;
	r->role = c->role;
	__builtin_memcpy(r->comm, c->comm, sizeof(r->comm));
	r->twin = c->twin;
	r->twin_owner = c->twin_owner;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	c->announced = 1;
	return true;
}

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

DEFINE_PIECE(tiny_piece, WG_CAPTURE_TINY)
DEFINE_PIECE(small_piece, WG_CAPTURE_SMALL)
DEFINE_PIECE(medium_piece, WG_CAPTURE_MEDIUM)
DEFINE_PIECE(large_piece, WG_CAPTURE_LARGE)

/* As medium_piece; a class that is no power of two needs its own way to show the bound. */
static __noinline int segment_piece(struct __sk_buff *skb, const struct segment *s, __u64 id,
				    __u32 length)
{
	struct wg_data *r;

	if (!s)
		return 0;
	r = reserve(sizeof(*r) + WG_CAPTURE_SEGMENT);
	if (!r)
		return lose_data(length);
	fill_header(&r->header, WG_RECORD_DATA, id, s->now);
	r->header.flags = s->sent ? WG_DATA_SENT : 0;
	r->seq = s->seq;
	r->length = length;
	length = ((length - WG_CAPTURE_MEDIUM - 1) & (WG_CAPTURE_SEGMENT - WG_CAPTURE_MEDIUM - 1)) +
		 WG_CAPTURE_MEDIUM + 1;
	r->header.captured = bpf_skb_load_bytes(skb, s->offset, r + 1, length) ? 0 : length;
	bpf_ringbuf_submit(r, wake_flags(s->now));
	return 1;
}

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
	else if (s.length <= WG_CAPTURE_SEGMENT)
		segment_piece(skb, &s, id, s.length);
	else
		large_piece(skb, &s, id, s.length);
	return captured + s.length;
}

static __always_inline __u32 burst_left(const struct connection *c, const struct flow *f)
{
	__u32 left = c->burst_max > f->burst_bytes ? c->burst_max - f->burst_bytes : 0;

	if (c->burst_max == WG_BURST_UNLIMITED)
		return LARGE_BUDGET_MAX;
	if (left && f->burst_bytes >= WG_CAPTURE_LARGE && ring_is_short())
		return 0;
	return left > LARGE_BUDGET_MAX ? LARGE_BUDGET_MAX : left;
}

/* A record of bytes that are not captured, but perhaps for the last ones. */
static __noinline int tell_uncaptured(struct __sk_buff *skb, const struct segment *s, __u64 id,
				      __u64 run, bool with_tail)
{
	struct wg_data *r;

	if (!s)
		return 0;
	r = reserve(sizeof(*r) + WG_CAPTURE_TINY);
	if (!r)
		return lose_data((__u32)run);
	fill_header(&r->header, WG_RECORD_DATA, id, s->now);
	r->header.flags = s->sent ? WG_DATA_SENT : 0;
	r->seq = run >> 32;
	r->length = (__u32)run;
	if (with_tail &&
	    !bpf_skb_load_bytes(skb, s->offset + s->length - WG_TAIL_BYTES, r + 1, WG_TAIL_BYTES))
		r->header.flags |= WG_DATA_TAIL;
	bpf_ringbuf_submit(r, wake_flags(s->now));
	return 1;
}

/* Takes the middle of a write that is not told yet. */
static __always_inline __u64 take_skipped(struct connection *c, bool sent)
{
	struct flow_rest *rest = sent ? &c->sent_rest : &c->received_rest;

	return rest->skipped ? __sync_lock_test_and_set(&rest->skipped, 0) : 0;
}

static __noinline int tell_run(__u64 run, __u64 id, bool sent, __u64 now)
{
	struct wg_data *r;

	r = reserve(sizeof(*r));
	if (!r)
		return lose_data((__u32)run);
	fill_header(&r->header, WG_RECORD_DATA, id, now);
	r->header.flags = sent ? WG_DATA_SENT : 0;
	r->seq = run >> 32;
	r->length = (__u32)run;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 1;
}

static __always_inline void tell_skipped(struct connection *c, bool sent, __u64 now)
{
	__u64 run;

	if (!(sent ? c->sent.skips : c->received.skips))
		return;
	run = take_skipped(c, sent);
	if (run)
		tell_run(run, c->id, sent, now);
}

/*
 * False for a segment that fills a hole: what lies behind it was told before it came, the end of
 * the write perhaps, so it must not wait for that.
 */
static __noinline bool is_furthest(struct flow *f, struct flow_rest *rest, const struct segment *s)
{
	__u32 end;

	if (!f || !rest || !s)
		return true;
	end = s->seq + s->length;
	if (f->has_ahead && !after(end, rest->ahead_seq)) {
		if (!after(rest->ahead_seq, f->next_seq))
			f->has_ahead = 0;
		return false;
	}
	f->has_ahead = f->next_seq != end;
	rest->ahead_seq = end;
	return true;
}

#define SKIPPED_MAX (1U << 28) /* well below the window in which sequence numbers compare */

/*
 * A segment beyond the burst. A message begins where a write of the sender's does and ends where
 * one ends, and the kernel's TCP, like every other, sets PSH on the end of a write: what is between
 * is told as one run, with its last bytes. True when that is done; false for what may begin a
 * message.
 */
static __always_inline bool skip(struct __sk_buff *skb, struct connection *c, struct flow *f,
				 const struct segment *s, bool mid_write, bool furthest)
{
	struct flow_rest *rest = s->sent ? &c->sent_rest : &c->received_rest;
	__u64 old = rest->skipped;
	__u64 run = (__u64)s->seq << 32 | s->length;

	if (f->next_seq != s->seq + s->length || !mid_write || !furthest) {
		tell_skipped(c, s->sent, s->now); /* out of order, or the run is over */
		return false;
	}
	if (!(s->flags & (TCP_PSH | TCP_FIN)) && (__u32)old < SKIPPED_MAX) {
		if (old && __sync_val_compare_and_swap(&rest->skipped, old, old + s->length) == old)
			return true;
		f->skips = 1;
		rest->skipped = run; /* the first, or the other direction has told what there was */
		return true;
	}
	old = take_skipped(c, s->sent);
	if (old)
		run = old + s->length;
	tell_uncaptured(skb, s, c->id, run, true);
	return true;
}

/* All of a segment; only its head and tail when the other side has been silent for long. */
static __always_inline void tell(struct __sk_buff *skb, struct connection *c, struct flow *f,
				 struct segment *s)
{
	struct large what = {.length = s->length, .offset = s->offset, .sent = s->sent};
	__u64 packed;

	bool mid_write = f->mid_write;
	bool furthest = true;

	if (f->has_ahead || f->next_seq != s->seq + s->length)
		furthest = is_furthest(f, s->sent ? &c->sent_rest : &c->received_rest, s);
	if (furthest)
		f->mid_write = !(s->flags & TCP_PSH);
	if (c->last_direction != s->sent) {
		c->last_direction = s->sent;
		f->burst_bytes = 0;
		mid_write = false;
		tell_skipped(c, !s->sent, s->now);
	}
	if (s->length <= WG_CAPTURE_SMALL) {
		tell_skipped(c, s->sent, s->now);
		f->burst_bytes += s->length;
		if (s->length <= WG_CAPTURE_TINY)
			tiny_piece(skb, s, c->id, s->length);
		else
			small_piece(skb, s, c->id, s->length);
		return;
	}
	what.budget = burst_left(c, f);
	if (!what.budget && skip(skb, c, f, s, mid_write, furthest))
		return;
	tell_skipped(c, s->sent, s->now);
	__builtin_memcpy(&packed, &what, sizeof(packed));
	f->burst_bytes += tell_large(skb, c->id, s->now, s->seq, packed);
}

/* False when there are not so many: what is too short to tell is captured. */
static __always_inline bool read_first_bytes(struct __sk_buff *skb, const struct segment *s,
					     union first_bytes *first)
{
	return s->length >= sizeof(*first) &&
	       !bpf_skb_load_bytes(skb, s->offset, first, sizeof(*first));
}

/* Who tells of this client: decided by its server's end, else by the first payload that passes it. */
static __noinline __u32 speaker_of(struct __sk_buff *skb, const struct connection *c,
				   const struct segment *s)
{
	struct segment addressed;
	struct wg_tuple own = {};
	struct tuple_ends *client;
	__u32 speaker;

	if (!c || !s)
		return SPEAKER_EACH;
	addressed = *s;
	read_addresses(skb, &addressed);
	own.local = s->sent ? addressed.source : addressed.destination;
	own.remote = s->sent ? addressed.destination : addressed.source;
	own.netns = c->netns;
	client = bpf_map_lookup_elem(&tuples, &own);
	if (!client)
		return SPEAKER_EACH;
	bpf_spin_lock(&client->lock);
	if (client->speaker == SPEAKER_NONE)
		client->speaker = SPEAKER_EACH;
	speaker = client->speaker;
	bpf_spin_unlock(&client->lock);
	return speaker;
}

static __always_inline void become_encrypted(struct connection *c)
{
	c->l7 = L7_UNREAD;
	c->unread = WG_UNREAD_ENCRYPTED;
	c->twin = 0; /* each end has its own plaintext */
}

static __noinline int begin_capture(struct __sk_buff *skb, struct connection *c,
				    const struct segment *s)
{
	union first_bytes first = {};
	bool known, encrypted;
	__u8 l7 = L7_CAPTURED;

	if (!c || !s)
		return 0;
	known = read_first_bytes(skb, s, &first);
	encrypted = known && (is_tls_hello(&first) || (c->mid_stream && is_tls_data(&first)));
	c->segments = 0;
	c->next_look = FIRST_LOOK;
	c->burst_max = capture_burst_bytes;
	if (known && wants_every_byte(&first))
		c->burst_max = WG_BURST_UNLIMITED;
	if (one_end_tells && c->loopback && c->role == WG_ROLE_CLIENT && !encrypted &&
	    speaker_of(skb, c, s) == SPEAKER_SERVER)
		l7 = L7_TWIN;
	if (encrypted)
		become_encrypted(c);
	else
		c->l7 = l7; /* once: the other direction may be at work on another CPU */
	return 0;
}

/* TLS may begin after a few words in the clear (STARTTLS, a database's SSL request). */
static __always_inline bool begins_tls(struct __sk_buff *skb, const struct connection *c,
				       const struct segment *s)
{
	union first_bytes first;

	return c->segments < TLS_BEGINS_BEFORE && read_first_bytes(skb, s, &first) &&
	       is_tls_hello(&first);
}

/* What user space has decided since the last look; false when nothing. */
static __noinline int take_verdict(struct connection *c)
{
	bool encrypted = c && c->l7 == L7_UNREAD;
	struct wg_capture *verdict;
	bool applies;

	if (!c)
		return 0;
	c->next_look += c->next_look < LOOK_EVERY ? c->next_look : LOOK_EVERY;
	verdict = bpf_map_lookup_elem(&captures, &c->id);
	if (!verdict)
		return 0;
	applies = verdict->plaintext == encrypted;
	if (applies) {
		c->burst_max = verdict->burst_bytes;
		if (!verdict->capture) {
			c->unread = verdict->unread;
			c->l7 = L7_UNREAD;
		}
	}
	bpf_map_delete_elem(&captures, &c->id);
	return applies;
}

static __always_inline void continue_capture(struct __sk_buff *skb, struct connection *c,
					     const struct segment *s)
{
	union first_bytes first;

	if (++c->segments >= c->next_look)
		take_verdict(c);
	if (c->segments >= TLS_BEGINS_BEFORE || !read_first_bytes(skb, s, &first))
		return;
	if (is_tls_hello(&first))
		become_encrypted(c);
	else if (is_http2_preface(&first)) /* behind the server's SETTINGS, or an upgrade */
		c->burst_max = WG_BURST_UNLIMITED;
}

/*
 * What is sent to a server whose end is gone: only the client can tell of it. Its FIN has come, so
 * nothing is left to be received.
 */
static __noinline bool outlives_twin(struct __sk_buff *skb, struct connection *c,
				     const struct segment *s)
{
	if (!c || !s || speaker_of(skb, c, s) != SPEAKER_CLIENT)
		return false;
	c->mid_stream = 1;
	c->sent.next_seq = s->seq;
	c->received.next_seq = c->received_rest.fin_seq;
	c->l7 = L7_CAPTURED;
	return true;
}

/* The other end tells for this one, until TLS begins: from then on each has its own plaintext. */
static __always_inline bool told_by_twin(struct __sk_buff *skb, struct connection *c,
					 const struct segment *s)
{
	if (c->fin_received && s->sent && outlives_twin(skb, c, s))
		return false;
	if (c->segments >= TLS_BEGINS_BEFORE)
		return true;
	c->segments++;
	if (!begins_tls(skb, c, s))
		return true;
	become_encrypted(c);
	return false;
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

#endif
