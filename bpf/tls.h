/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What the TLS programs (in a process, at its library's functions) and the tap (at its sockets)
 * know together: which thread is inside the library for which session, and which connection a
 * session's records go through. Included by both objects, which share these maps.
 */
#ifndef WIREGAUGE_BPF_TLS_H
#define WIREGAUGE_BPF_TLS_H

#pragma clang diagnostic push
#pragma clang diagnostic error "-Wpadded"

struct tls_session {
	__u64 connection; /* 0: not known */
	__u64 bound_ns;
	__u64 freed_ns; /* in tls_freed only */
	__u8 whole;	/* seen since before its handshake */
	__u8 padding[7];
};

enum tls_call_kind {
	TLS_READ,
	TLS_READ_EX,
	TLS_WRITE,
	TLS_WRITE_EX,
	TLS_SENDFILE,
	TLS_HANDSHAKE,
};

/* A call into the library that has not returned. */
struct tls_call {
	__u64 sp; /* of the caller, which tells it from the thread's other calls; 0: none */
	__u64 ssl;
	__u64 buffer;
	__u64 count_at; /* where the library writes how many bytes it read or wrote */
	__u64 entered_ns;
	__u64 first_sent_ns; /* segments that the call itself sent; 0: none */
	__u64 last_sent_ns;
	__u32 kind;
	__u32 padding;
};

/* Calls nest when one session's records are another's plaintext, and interleave in coroutines. */
#define TLS_CALLS 4

struct tls_thread {
	__u64 pid_tgid; /* the kernel may use the task's address again */
	struct tls_call calls[TLS_CALLS];
};

#pragma clang diagnostic pop

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WG_TLS_THREADS);
	__type(key, __u64);
	__type(value, struct tls_thread);
} tls_threads SEC(".maps"); /* task_struct -> calls that it is in */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WG_TLS_SESSIONS);
	__type(key, struct wg_tls_session_key);
	__type(value, struct tls_session);
} tls_sessions SEC(".maps"); /* session -> its connection */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WG_TLS_SESSIONS);
	__type(key, __u64);
	__type(value, struct wg_tls_stream);
} tls_streams SEC(".maps"); /* connection -> its plaintext */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096); /* written to a session's buffer and not sent yet */
	__type(key, __u64);
	__type(value, struct wg_tls_session_key);
} tls_records SEC(".maps"); /* mark of a record -> the session that wrote it */

/*
 * A record of ciphertext is known again by eight bytes of it, which no two have in common: of a
 * hello, they are in its random (RFC 8446 section 4.1.2); of application data, behind the longest
 * explicit nonce (RFC 5288 section 3), and the shortest record reaches so far. Other records may
 * begin alike (a certificate) and have no mark.
 */
#define TLS_MARK_AT 13
#define TLS_MARKED_BYTES (TLS_MARK_AT + 8)
/* The random of a HelloRetryRequest is always the same (RFC 8446 section 4.1.3). */
#define TLS_RETRY_MARK 0x1dbe11619ae574adULL

/* The mark of the record that begins there, or 0. */
static __always_inline __u64 tls_mark(const __u8 b[TLS_MARKED_BYTES])
{
	__u64 mark;

	if (b[1] != 3 || b[2] > 4 || !(b[0] == 0x17 || (b[0] == 0x16 && (b[5] == 1 || b[5] == 2))))
		return 0;
	__builtin_memcpy(&mark, b + TLS_MARK_AT, sizeof(mark));
	return mark == TLS_RETRY_MARK ? 0 : mark;
}

static __always_inline bool same_session(const struct wg_tls_session_key *a,
					 const struct wg_tls_session_key *b)
{
	return a->ssl == b->ssl && a->tgid == b->tgid;
}

#endif
