// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * Plaintext, where programs hand it to their TLS library and get it back: uprobes on the functions
 * of OpenSSL's interface, which BoringSSL and LibreSSL have too. It goes up as data of the socket
 * that carries the session's records; the tap finds out which one that is (encrypted.h).
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"
#include "wire.h"

#ifndef NULL
#define NULL ((void *)0)
#endif

#include "l7.h"
#include "ring.h"
#include "tls.h"

#define E2BIG 7

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Configuration: set by exporter/probe between open and load. */
const volatile __u64 scopes[WG_SCOPES];	      /* cgroup ids whose processes are observed */
const volatile __u32 scope_levels[WG_SCOPES]; /* how deep below the root each is */
const volatile __u32 scope_count;
const volatile __u32 capture_burst_bytes = WG_CAPTURE_BURST;

/* What a return takes off the stack: the address where it returns to. */
#if defined(__TARGET_ARCH_x86)
#define RETURN_BYTES 8
#else
#define RETURN_BYTES 0
#endif

/* exporter/probe tries on itself how programs can be attached. */
__u64 trial_runs;

SEC("uprobe")
int tls_trial(void *ctx __attribute__((unused)))
{
	__sync_fetch_and_add(&trial_runs, 1);
	return 0;
}

/* A file may be mapped by processes that are none of ours. */
static __always_inline bool in_scope(void)
{
	for (__u32 i = 0; i < WG_SCOPES; i++)
		if (i < scope_count &&
		    bpf_get_current_ancestor_cgroup_id(scope_levels[i]) == scopes[i])
			return true;
	return false;
}

/* ---- calls ---- */

static __always_inline struct tls_thread *find_thread(void)
{
	__u64 task = bpf_get_current_task();
	struct tls_thread *t = bpf_map_lookup_elem(&tls_threads, &task);

	return t && t->pid_tgid == bpf_get_current_pid_tgid() ? t : NULL;
}

static __always_inline struct tls_thread *find_or_add_thread(void)
{
	__u64 task = bpf_get_current_task();
	struct tls_thread *t = find_thread();
	struct tls_thread fresh = {};

	if (t)
		return t;
	fresh.pid_tgid = bpf_get_current_pid_tgid();
	bpf_map_update_elem(&tls_threads, &task, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&tls_threads, &task);
}

/* The place for a call: one that was left without a return (longjmp) has the same stack pointer
 * again, or is the oldest. */
static __always_inline struct tls_call *place_for(struct tls_thread *t, __u64 sp)
{
	struct tls_call *oldest = &t->calls[0];

	for (int i = 0; i < TLS_CALLS; i++)
		if (t->calls[i].sp == sp)
			return &t->calls[i];
	for (int i = 0; i < TLS_CALLS; i++) {
		if (!t->calls[i].sp)
			return &t->calls[i];
		if (t->calls[i].entered_ns < oldest->entered_ns)
			oldest = &t->calls[i];
	}
	return oldest;
}

static __always_inline struct tls_call *enter(struct pt_regs *ctx, __u32 kind)
{
	struct tls_thread *t;
	struct tls_call *c;

	if (!in_scope())
		return NULL;
	t = find_or_add_thread();
	if (!t)
		return NULL;
	c = place_for(t, PT_REGS_SP(ctx) + RETURN_BYTES);
	c->sp = PT_REGS_SP(ctx) + RETURN_BYTES;
	c->ssl = PT_REGS_PARM1(ctx);
	c->buffer = PT_REGS_PARM2(ctx);
	c->count_at = PT_REGS_PARM4(ctx);
	c->entered_ns = bpf_ktime_get_ns();
	c->first_sent_ns = 0;
	c->last_sent_ns = 0;
	c->kind = kind;
	return c;
}

SEC("uprobe")
int tls_read(struct pt_regs *ctx)
{
	enter(ctx, TLS_READ);
	return 0;
}

SEC("uprobe")
int tls_read_ex(struct pt_regs *ctx)
{
	enter(ctx, TLS_READ_EX);
	return 0;
}

SEC("uprobe")
int tls_write(struct pt_regs *ctx)
{
	enter(ctx, TLS_WRITE);
	return 0;
}

SEC("uprobe")
int tls_write_ex(struct pt_regs *ctx)
{
	enter(ctx, TLS_WRITE_EX);
	return 0;
}

SEC("uprobe")
int tls_sendfile(struct pt_regs *ctx)
{
	enter(ctx, TLS_SENDFILE);
	return 0;
}

SEC("uprobe")
int tls_handshake(struct pt_regs *ctx)
{
	struct tls_call *c = enter(ctx, TLS_HANDSHAKE);
	struct tls_session fresh = {.whole = 1};
	struct wg_tls_session_key key = {};
	struct tls_session *session;

	if (!c)
		return 0;
	key.ssl = c->ssl;
	key.tgid = bpf_get_current_pid_tgid() >> 32;
	session = bpf_map_lookup_elem(&tls_sessions, &key);
	if (session) {
		session->whole |= !session->connection;
		return 0;
	}
	if (bpf_map_update_elem(&tls_sessions, &key, &fresh, BPF_NOEXIST) == -E2BIG)
		count(WG_LOST_TLS_SESSIONS_FULL, 1);
	return 0;
}

/* ---- forks ---- */

/* A server that forks after each handshake may be so many ahead of a child that has not run yet. */
#define TLS_FORMER 16

/* The last sessions that were freed at an address. */
struct tls_former {
	__u64 freed; /* so many */
	struct tls_session last[TLS_FORMER];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024); /* addresses of what is perhaps not used by a forked child yet */
	__type(key, struct wg_tls_session_key);
	__type(value, struct tls_former);
} tls_freed SEC(".maps");

static const struct tls_former none_freed;

static __always_inline bool was_there(const struct tls_session *s, __u64 forked_ns)
{
	return s && s->connection && s->bound_ns < forked_ns &&
	       (!s->freed_ns || s->freed_ns > forked_ns);
}

/*
 * The session at that address in the process that this one was forked from, if it was bound at the
 * time. The parent may have freed it since, and may have another one there now.
 */
static __always_inline struct tls_session *inherited(const struct wg_tls_session_key *key,
						     struct wg_tls_session_key *parents)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 forked_ns = BPF_CORE_READ(task, group_leader, start_time);
	struct tls_session *session;
	struct tls_former *former;

	parents->ssl = key->ssl;
	parents->tgid = BPF_CORE_READ(task, real_parent, tgid);
	parents->padding = 0;
	session = bpf_map_lookup_elem(&tls_sessions, parents);
	if (was_there(session, forked_ns))
		return session;
	former = bpf_map_lookup_elem(&tls_freed, parents);
	for (int i = 0; former && i < TLS_FORMER; i++)
		if (was_there(&former->last[i], forked_ns))
			return &former->last[i];
	return NULL;
}

/* A child goes on with a session that its parent began (accept, handshake, fork). */
static __noinline int inherit(const struct wg_tls_session_key *key)
{
	struct wg_tls_session_key parents;
	struct tls_session *session, own;
	struct wg_tls_stream *stream;

	if (!key)
		return 0;
	session = inherited(key, &parents);
	if (!session)
		return 0;
	own = *session;
	own.freed_ns = 0;
	stream = bpf_map_lookup_elem(&tls_streams, &own.connection);
	if (!stream || !same_session(&stream->session, &parents))
		return 0;
	if (bpf_map_update_elem(&tls_sessions, key, &own, BPF_NOEXIST)) {
		count(WG_LOST_TLS_SESSIONS_FULL, 1);
		return 0;
	}
	stream->session = *key;
	return 1;
}

static __always_inline void remember_freed(const struct wg_tls_session_key *key,
					   const struct tls_session *session)
{
	struct tls_former *former = bpf_map_lookup_elem(&tls_freed, key);
	struct tls_session *place;

	if (!former) {
		bpf_map_update_elem(&tls_freed, key, &none_freed, BPF_NOEXIST);
		former = bpf_map_lookup_elem(&tls_freed, key);
	}
	if (!former)
		return;
	place = &former->last[former->freed++ % TLS_FORMER];
	*place = *session;
	place->freed_ns = bpf_ktime_get_ns();
}

/* SSL_free, SSL_clear: what has this address next is another session, and none of the parent's. */
SEC("uprobe")
int tls_forget(struct pt_regs *ctx)
{
	struct wg_tls_session_key key = {.ssl = PT_REGS_PARM1(ctx),
					 .tgid = bpf_get_current_pid_tgid() >> 32};
	struct tls_session *session = bpf_map_lookup_elem(&tls_sessions, &key);
	struct wg_tls_session_key parents;
	struct tls_session none = {};

	if (session && session->connection)
		remember_freed(&key, session);
	if (inherited(&key, &parents)) {
		bpf_map_update_elem(&tls_sessions, &key, &none, BPF_ANY);
	} else {
		bpf_map_delete_elem(&tls_sessions, &key);
	}
	return 0;
}

/*
 * BIO_write: the library writes a record of ciphertext, to a socket or to memory from which the
 * program sends it later, perhaps on another thread. Only for a session without a connection.
 */
SEC("uprobe")
int tls_record(struct pt_regs *ctx)
{
	struct tls_thread *t = find_thread();
	__u64 sp = PT_REGS_SP(ctx), nearest = ~0ULL, mark;
	__u8 record[TLS_MARKED_BYTES];
	struct tls_session *session;
	struct wg_tls_session_key key = {};

	if (!t || (__s32)PT_REGS_PARM3(ctx) < TLS_MARKED_BYTES)
		return 0;
	/* The call that this one is inside of: the next frame up its stack. */
	for (int i = 0; i < TLS_CALLS; i++) {
		__u64 above = t->calls[i].sp - sp;

		if (t->calls[i].sp > sp && above < nearest) {
			nearest = above;
			key.ssl = t->calls[i].ssl;
		}
	}
	if (!key.ssl)
		return 0;
	key.tgid = bpf_get_current_pid_tgid() >> 32;
	session = bpf_map_lookup_elem(&tls_sessions, &key);
	if (session && session->connection)
		return 0;
	if (bpf_probe_read_user(record, sizeof(record), (void *)PT_REGS_PARM2(ctx)))
		return 0;
	mark = tls_mark(record);
	if (mark)
		bpf_map_update_elem(&tls_records, &mark, &key, BPF_ANY);
	return 0;
}

/* ---- plaintext ---- */

/* What is left to tell of a call's bytes. */
struct plaintext {
	__u64 connection;
	__u64 now;
	__u64 at; /* address in the process */
	__u32 seq;
	__u32 length;
	__u32 age_ns;
	__u8 flags;
	__u8 padding[3];
};

static __always_inline void fill_data(struct wg_data *r, const struct plaintext *p, __u32 length)
{
	fill_header(&r->header, WG_RECORD_DATA, p->connection, p->now);
	r->header.flags = p->flags;
	r->header.age_ns = p->age_ns;
	r->seq = p->seq;
	r->length = length;
}

static __always_inline void unreadable(struct wg_data *r, __u32 length)
{
	r->header.captured = 0;
	r->header.flags &= ~WG_DATA_TAIL;
	count(WG_LOST_PLAINTEXT_UNREADABLE, length);
}

/* One record of the first `length` (1 to room) bytes, all of them captured. Global, so that the
 * verifier walks it once and not for each call. */
#define DEFINE_PIECE(name, room)                                                                   \
	__noinline int name(const struct plaintext *p, __u32 length)                               \
	{                                                                                          \
		struct wg_data *r;                                                                 \
                                                                                                   \
		if (!p)                                                                            \
			return 0;                                                                  \
		r = reserve(sizeof(*r) + (room));                                                  \
		if (!r)                                                                            \
			return lose_data(length);                                                  \
		fill_data(r, p, length);                                                           \
		length = ((length - 1) & ((room)-1)) + 1;                                          \
		r->header.captured = length;                                                       \
		if (bpf_probe_read_user(r + 1, length, (void *)p->at))                             \
			unreadable(r, length);                                                     \
		bpf_ringbuf_submit(r, wake_flags(p->now));                                         \
		return 1;                                                                          \
	}

DEFINE_PIECE(tiny_piece, WG_CAPTURE_TINY)
DEFINE_PIECE(small_piece, WG_CAPTURE_SMALL)
DEFINE_PIECE(medium_piece, WG_CAPTURE_MEDIUM)
DEFINE_PIECE(large_piece, WG_CAPTURE_LARGE)

/* The head and the last bytes of what is left (more than both) and is not captured whole. */
static __noinline int head_and_tail(const struct plaintext *p)
{
	struct wg_data *r;
	__u8 *room;

	if (!p)
		return 0;
	r = reserve(sizeof(*r) + WG_CAPTURE_SMALL);
	if (!r)
		return lose_data(p->length);
	room = (__u8 *)(r + 1);
	fill_data(r, p, p->length);
	r->header.flags |= WG_DATA_TAIL;
	r->header.captured = WG_CAPTURE_HEAD;
	if (bpf_probe_read_user(room, WG_TAIL_BYTES, (void *)(p->at + p->length - WG_TAIL_BYTES)) ||
	    bpf_probe_read_user(room + WG_TAIL_BYTES, WG_CAPTURE_HEAD, (void *)p->at))
		unreadable(r, p->length);
	bpf_ringbuf_submit(r, wake_flags(p->now));
	return 1;
}

static __noinline int whole_piece(const struct plaintext *p)
{
	if (!p)
		return 0;
	if (p->length <= WG_CAPTURE_TINY)
		return tiny_piece(p, p->length);
	if (p->length <= WG_CAPTURE_SMALL)
		return small_piece(p, p->length);
	if (p->length <= WG_CAPTURE_MEDIUM)
		return medium_piece(p, p->length);
	return large_piece(p, p->length);
}

/* Without its bytes. */
static __noinline int tell_length(const struct plaintext *p)
{
	struct wg_data *r;

	if (!p)
		return 0;
	r = reserve(sizeof(*r));
	if (!r)
		return lose_data(p->length);
	fill_data(r, p, p->length);
	bpf_ringbuf_submit(r, wake_flags(p->now));
	return 1;
}

/* A program may hand over as much as it likes at once: of streams that are mixed this is read, the
 * rest is a gap. */
#define TLS_CALL_PIECES 256

/*
 * In pieces while the budget lasts, then head and tail of the rest. The first piece has the age
 * that it came with, the others `last_age_ns`. Returns the bytes captured.
 */
static __noinline __u32 tell_pieces(struct plaintext *p, __u32 budget, __u32 last_age_ns)
{
	__u32 captured = 0;

	if (!p)
		return 0;
	for (int i = 0; i < TLS_CALL_PIECES; i++) {
		if (p->length <= WG_CAPTURE_LARGE || captured >= budget)
			break;
		large_piece(p, WG_CAPTURE_LARGE);
		captured += WG_CAPTURE_LARGE;
		p->seq += WG_CAPTURE_LARGE;
		p->at += WG_CAPTURE_LARGE;
		p->length -= WG_CAPTURE_LARGE;
		p->age_ns = last_age_ns;
	}
	if (p->length > WG_CAPTURE_SMALL && (p->length > WG_CAPTURE_LARGE || captured >= budget)) {
		head_and_tail(p);
		return captured + WG_CAPTURE_HEAD;
	}
	whole_piece(p);
	return captured + p->length;
}

static __always_inline bool begins_mixed(const struct tls_call *c, __u32 length)
{
	union first_bytes first;

	return length >= sizeof(first) &&
	       !bpf_probe_read_user(&first, sizeof(first), (void *)c->buffer) &&
	       wants_every_byte(&first);
}

static __always_inline struct wg_tls_stream *stream_of(const struct wg_tls_session_key *key,
						       __u64 *connection)
{
	struct tls_session *session = bpf_map_lookup_elem(&tls_sessions, key);
	struct wg_tls_stream *stream;

	if (!session && inherit(key))
		session = bpf_map_lookup_elem(&tls_sessions, key);
	if (!session || !session->connection)
		return NULL;
	*connection = session->connection;
	stream = bpf_map_lookup_elem(&tls_streams, connection);
	if (stream && same_session(&stream->session, key))
		return stream;
	session->connection = 0; /* it has closed, or another session has it now */
	return NULL;
}

/* A segment may have come on another CPU since `now`: that is no age. */
static __always_inline __u32 age(__u64 now, __u64 then)
{
	__u64 ns = now - then;

	if (now < then)
		return 0;
	return ns < 0xffffffffULL ? ns : 0xffffffffU;
}

/* `length` bytes passed the library in a call that returns. */
static __always_inline void tell(struct tls_call *c, __u32 length)
{
	struct wg_tls_session_key key = {.ssl = c->ssl, .tgid = bpf_get_current_pid_tgid() >> 32};
	bool sent = c->kind == TLS_WRITE || c->kind == TLS_WRITE_EX || c->kind == TLS_SENDFILE;
	struct plaintext p = {.now = bpf_ktime_get_ns(), .at = c->buffer, .length = length};
	struct wg_tls_stream *stream;
	__u64 first_ns, last_ns;
	__u32 budget, captured;

	stream = stream_of(&key, &p.connection);
	if (!stream) {
		count(WG_LOST_PLAINTEXT_UNBOUND, length);
		return;
	}
	/* Sent when the first segment left, or when the library was asked; received when the socket
	 * had it, unless that was before something else. */
	if (sent) {
		first_ns = c->first_sent_ns ? c->first_sent_ns : c->entered_ns;
		last_ns = c->last_sent_ns ? c->last_sent_ns : p.now;
	} else {
		first_ns = stream->received_ns > stream->told_ns ? stream->received_ns : p.now;
		last_ns = first_ns;
	}
	stream->told_ns = last_ns;
	p.age_ns = age(p.now, first_ns);
	p.flags = WG_DATA_PLAINTEXT | (sent ? WG_DATA_SENT : 0) |
		  (stream->mid_stream ? WG_DATA_MID_STREAM : 0);
	if (stream->last_direction != sent) {
		stream->last_direction = sent;
		stream->burst_bytes[sent] = 0;
	}
	p.seq = stream->next_seq[sent];
	stream->next_seq[sent] += length;
	if (stream->unread)
		return;
	if (c->kind == TLS_SENDFILE) {
		tell_length(&p);
		return;
	}
	if (!p.seq && begins_mixed(c, length))
		stream->burst_max = WG_BURST_UNLIMITED;
	budget = stream->burst_max > stream->burst_bytes[sent]
		     ? stream->burst_max - stream->burst_bytes[sent]
		     : 0;
	if (length > WG_CAPTURE_SMALL && ring_is_short())
		budget = 0;
	captured = tell_pieces(&p, budget, age(p.now, last_ns));
	if (stream->burst_max != WG_BURST_UNLIMITED)
		stream->burst_bytes[sent] += captured;
}

static __always_inline __u64 count_of(const struct tls_call *c, struct pt_regs *ctx)
{
	__s32 result = PT_REGS_RC(ctx);
	__u64 size = 0;

	if (result <= 0 || c->kind == TLS_HANDSHAKE)
		return 0;
	if (c->kind == TLS_SENDFILE)
		return PT_REGS_RC(ctx);
	if (c->kind == TLS_READ || c->kind == TLS_WRITE)
		return result;
	if (bpf_probe_read_user(&size, sizeof(size), (void *)c->count_at))
		return 0;
	return size;
}

/* All of them return here; a call is known by its stack pointer. */
SEC("uretprobe")
int tls_return(struct pt_regs *ctx)
{
	struct tls_thread *t = find_thread();
	__u64 sp = PT_REGS_SP(ctx), size;
	struct tls_call c = {};

	if (!t) {
		if (in_scope())
			count(WG_LOST_TLS_CALLS, 1);
		return 0;
	}
	for (int i = 0; i < TLS_CALLS; i++) {
		if (t->calls[i].sp != sp)
			continue;
		c = t->calls[i];
		t->calls[i].sp = 0;
		break;
	}
	if (!c.sp) {
		count(WG_LOST_TLS_CALLS, 1);
		return 0;
	}
	size = count_of(&c, ctx);
	if (size && size < 1ULL << 31)
		tell(&c, size);
	return 0;
}
