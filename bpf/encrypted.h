/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Which TLS session an encrypted connection belongs to, found where its segments leave. Two signs
 * count, each certain:
 * - the thread that sends is in a call into the library, for one session, and has the socket to
 *   itself. Whoever else sends on this CPU meanwhile (a softirq, which may have interrupted the
 *   call) does so on a socket that nobody owns;
 * - the segment begins with a record that the library wrote for a session: memory BIOs, from which
 *   the program sends later, on any thread.
 */
#ifndef WIREGAUGE_BPF_ENCRYPTED_H
#define WIREGAUGE_BPF_ENCRYPTED_H

/* A connection that is relayed has no session: after so many segments it is left alone. */
#define TLS_MARKS_TRIED_MAX 64

static __always_inline bool is_encrypted(const struct connection *c)
{
	return c->unread == WG_UNREAD_ENCRYPTED || c->unread == WG_UNREAD_PLAINTEXT;
}

#define TLS_HANDSHAKE_NS 1000000000ULL

/* Its session may yet be found: a server's is when it answers the client's hello. */
static __always_inline bool is_handshaking(const struct connection *c, __u64 now)
{
	return tls_wanted && c->unread == WG_UNREAD_ENCRYPTED &&
	       now - c->established_ns < TLS_HANDSHAKE_NS;
}

/* From now on, and what was not reported yet, the connection's bytes are told as plaintext. */
static __noinline int bind(struct connection *c, struct wg_tls_session_key *key, __u64 now,
			   bool hello)
{
	struct wg_tls_stream fresh = {.burst_max = capture_burst_bytes, .last_direction = 0xff};
	struct tls_session new_session = {.whole = hello};
	struct tls_session *session, *former;
	struct wg_tls_stream *stream;

	if (!c || !key)
		return 0;
	session = bpf_map_lookup_elem(&tls_sessions, key);
	if (!session) {
		bpf_map_update_elem(&tls_sessions, key, &new_session, BPF_NOEXIST);
		session = bpf_map_lookup_elem(&tls_sessions, key);
	}
	if (!session) {
		count(WG_LOST_TLS_SESSIONS_FULL, 1);
		return 0;
	}
	stream = bpf_map_lookup_elem(&tls_streams, &c->id);
	if (stream && !same_session(&stream->session, key)) {
		/* Handed over, by fork or by a library that forgot to tell. */
		former = bpf_map_lookup_elem(&tls_sessions, &stream->session);
		if (former && former->connection == c->id)
			former->connection = 0;
		stream->session = *key;
	} else if (!stream) {
		fresh.session = *key;
		fresh.mid_stream = !session->whole && !hello;
		if (bpf_map_update_elem(&tls_streams, &c->id, &fresh, BPF_ANY)) {
			count(WG_LOST_TLS_SESSIONS_FULL, 1);
			return 0;
		}
	}
	session->connection = c->id;
	session->bound_ns = now;
	c->has_plaintext = 1;
	c->unread = WG_UNREAD_PLAINTEXT;
	return 0;
}

/* The session that the calling thread is inside the library for; false when there is none or more
 * than one. */
static __always_inline bool calling_session(const struct tls_thread *t,
					    struct wg_tls_session_key *key)
{
	key->ssl = 0;
	key->tgid = t->pid_tgid >> 32;
	for (int i = 0; i < TLS_CALLS; i++) {
		if (!t->calls[i].sp)
			continue;
		if (key->ssl && key->ssl != t->calls[i].ssl)
			return false;
		key->ssl = t->calls[i].ssl;
	}
	return key->ssl;
}

static __always_inline bool is_owned(struct bpf_sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	return tp && ((struct sock *)tp)->sk_lock.owned;
}

static __always_inline bool is_current(const struct tls_thread *t)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, tgid) == (int)(t->pid_tgid >> 32) &&
	       BPF_CORE_READ(task, pid) == (int)t->pid_tgid;
}

/* Notes that the calls of this session have sent something. */
static __always_inline void note_sent(struct tls_thread *t, __u64 now)
{
	for (int i = 0; i < TLS_CALLS; i++) {
		if (!t->calls[i].sp)
			continue;
		if (!t->calls[i].first_sent_ns)
			t->calls[i].first_sent_ns = now;
		t->calls[i].last_sent_ns = now;
	}
}

static __always_inline bool bind_by_call(struct bpf_sock *sk, struct connection *c, __u64 now,
					 bool hello)
{
	__u64 task = bpf_get_current_task();
	struct tls_thread *t = bpf_map_lookup_elem(&tls_threads, &task);
	struct tls_session *session;
	struct wg_tls_session_key key = {};

	if (!t || !calling_session(t, &key) || !is_owned(sk) || !is_current(t))
		return false;
	session = bpf_map_lookup_elem(&tls_sessions, &key);
	if (!session || session->connection != c->id)
		bind(c, &key, now, hello);
	note_sent(t, now);
	return true;
}

static __noinline int bind_by_mark(struct connection *c, __u64 mark, __u64 now, bool hello)
{
	struct wg_tls_session_key *found, key;

	if (!c)
		return 0;
	found = bpf_map_lookup_elem(&tls_records, &mark);
	if (!found) {
		c->marks_tried++;
		return 0;
	}
	key = *found;
	bpf_map_delete_elem(&tls_records, &mark);
	bind(c, &key, now, hello);
	return 0;
}

/* User space may have decided on the plaintext meanwhile. */
static __always_inline void look_for_verdict(struct connection *c, struct wg_tls_stream *stream)
{
	if (++c->segments < c->next_look)
		return;
	if (!take_verdict(c))
		return;
	stream->burst_max = c->burst_max;
	stream->unread = c->unread != WG_UNREAD_PLAINTEXT;
}

static __always_inline void note_received(struct connection *c, __u64 now)
{
	struct wg_tls_stream *stream = bpf_map_lookup_elem(&tls_streams, &c->id);

	if (!stream)
		return;
	stream->received_ns = now;
	look_for_verdict(c, stream);
}

/* A new segment of an encrypted connection, which has been announced. */
static __noinline int watch_encrypted(struct __sk_buff *skb, struct bpf_sock *sk,
				      struct connection *c, const struct segment *s)
{
	__u8 record[TLS_MARKED_BYTES] = {};
	bool unbound, hello;
	__u64 mark;

	if (!sk || !c || !s)
		return 0;
	unbound = c->unread == WG_UNREAD_ENCRYPTED;
	if (!s->sent) {
		if (!unbound)
			note_received(c, s->now);
		return 0;
	}
	if (unbound && (s->length < sizeof(record) ||
			bpf_skb_load_bytes(skb, s->offset, record, sizeof(record))))
		record[0] = 0;
	hello = record[0] == 0x16;
	if (bind_by_call(sk, c, s->now, hello) || !unbound || c->marks_tried >= TLS_MARKS_TRIED_MAX)
		return 0;
	mark = tls_mark(record);
	if (mark)
		bind_by_mark(c, mark, s->now, hello);
	return 0;
}

#endif
