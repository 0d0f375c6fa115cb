/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The contract between the BPF programs and exporter/probe: everything that crosses, and nothing
 * else. Fixed-size integers, explicit padding, host byte order (ports too). Both sides compile this
 * file; exporter/probe asserts the sizes again (record_test.cc).
 */
#ifndef WIREGAUGE_BPF_WIRE_H
#define WIREGAUGE_BPF_WIRE_H

#ifndef __cplusplus
#define WG_STATIC_ASSERT _Static_assert
#else
#define WG_STATIC_ASSERT static_assert
#endif

#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic error "-Wpadded"
#endif

typedef unsigned char wg_u8;
typedef unsigned short wg_u16;
typedef unsigned int wg_u32;
typedef unsigned long long wg_u64;

/* ---- ring buffer records ---- */

enum wg_record_kind {
	WG_RECORD_OPEN = 1,
	WG_RECORD_DATA = 2,
	WG_RECORD_CLOSE = 3,
	WG_RECORD_DATAGRAM = 4,
};

enum wg_role {
	WG_ROLE_UNKNOWN = 0,
	WG_ROLE_CLIENT = 1,
	WG_ROLE_SERVER = 2,
};

struct wg_endpoint {
	wg_u8 address[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	wg_u16 port;
	wg_u16 padding;
};

struct wg_header {
	wg_u8 kind; /* enum wg_record_kind */
	wg_u8 flags;
	wg_u16 captured;   /* data and datagrams: payload bytes that follow the struct */
	wg_u32 age_ns;	   /* it happened so long before time_ns; 0 but for plaintext */
	wg_u64 connection; /* socket cookie */
	wg_u64 time_ns;	   /* CLOCK_MONOTONIC */
};

#define WG_OPEN_MID_STREAM 1 /* flags of WG_RECORD_OPEN */
#define WG_OPEN_ENCRYPTED 2  /* began with a TLS hello: no data but plaintext will follow */
#define WG_OPEN_BOTH_ENDS 4  /* a server's: tells for its client too, which tells nothing */

struct wg_open {
	struct wg_header header;
	struct wg_endpoint local;
	struct wg_endpoint remote;
	wg_u32 sent_seq;
	wg_u32 received_seq;
	wg_u64 owner;
	wg_u64 cgroup_id;
	wg_u32 netns;
	wg_u8 role; /* enum wg_role */
	wg_u8 padding[3];
	wg_u8 comm[16];
	wg_u64 twin; /* with WG_OPEN_BOTH_ENDS: the client's connection and owner */
	wg_u64 twin_owner;
};

#define WG_DATA_SENT 1 /* flags of WG_RECORD_DATA: direction */
#define WG_DATA_TAIL                                                                               \
	2 /* the segment's last WG_TAIL_BYTES come first, in the room of the capture class */
#define WG_DATA_BEFORE_ACCEPT                                                                      \
	4 /* a struct wg_before_accept comes first, in the room of the capture class */

/* Bytes that a TLS library took or gave. `seq` counts them from 0, each direction of a connection
 * for itself; `length` may be larger than any segment. */
#define WG_DATA_PLAINTEXT 8
#define WG_DATA_MID_STREAM                                                                         \
	16 /* with WG_DATA_PLAINTEXT: not all from the session's beginning is told */

#define WG_TAIL_BYTES 8

/*
 * What follows is what the flags announce, then `captured` payload bytes. Most records are small
 * and there are many: what few need is not in all.
 */
struct wg_data {
	struct wg_header header;
	wg_u32 seq;
	wg_u32 length;
};

/* `connection` is the listener's; these name the connection to come. */
struct wg_before_accept {
	struct wg_endpoint local;
	struct wg_endpoint remote;
};

#define WG_CLOSE_RESET_SENT 1 /* flags of WG_RECORD_CLOSE */
#define WG_CLOSE_RESET_RECEIVED 2
#define WG_CLOSE_TWIN 4 /* not the connection but the client's end, which it tells for */

struct wg_close {
	struct wg_header header;
};

/* A UDP datagram that looks like DNS; its first `captured` payload bytes follow. Flags as
 * WG_RECORD_DATA's. */
struct wg_datagram {
	struct wg_header header; /* connection: of the socket */
	struct wg_endpoint local;
	struct wg_endpoint remote;
	wg_u64 owner; /* of the socket; 0 when it is older than the tap */
	wg_u64 cgroup_id;
	wg_u32 length;
	wg_u32 padding;
	wg_u8 comm[16];
};

/*
 * A record's room for payload is one of these: a reserve needs a constant size before Linux 5.19. A
 * larger segment comes as several records.
 */
#define WG_CAPTURE_TINY 64
#define WG_CAPTURE_SMALL 256
#define WG_CAPTURE_MEDIUM 1024
#define WG_CAPTURE_SEGMENT 1536 /* what an Ethernet frame carries */
#define WG_CAPTURE_LARGE 4096
/* Payload captured of one direction until the other one speaks, unless configured or decided
 * otherwise; beyond it only the head and tail of each segment. */
#define WG_CAPTURE_BURST 65536
#define WG_CAPTURE_HEAD (WG_CAPTURE_SMALL - WG_TAIL_BYTES)
/* One segment, at most 128 KiB: TCP puts two of the largest segments into a packet whatever the
 * device says, and loopback's have 64 KiB each. What BIG TCP has beyond is a declared gap. */
#define WG_CAPTURE_PIECES 32

/* Why a connection's bytes are only counted. */
enum wg_unread {
	WG_UNREAD_UNKNOWN_PROTOCOL,
	WG_UNREAD_ENCRYPTED,
	WG_UNREAD_UPGRADED,
	WG_UNREAD_TUNNEL,
	WG_UNREAD_COMPRESSED,
	WG_UNREAD_PLAINTEXT, /* encrypted, and its plaintext is told instead */
	WG_UNREAD_REPLICATION,
	WG_UNREADS = 8, /* room for more; a power of two, so that an index is bounded by a mask */
};

/* connection -> what user space wants of it; taken out by the kernel when it has seen it. */
struct wg_capture {
	wg_u32 burst_bytes; /* as WG_CAPTURE_BURST, for this connection */
	wg_u8 capture;	    /* 0: nothing more, for good */
	wg_u8 unread;	    /* enum wg_unread, when nothing more */
	wg_u8 plaintext;    /* 1: of the plaintext, once TLS has begun; 0: of what is before */
	wg_u8 padding;
};
#define WG_BURST_UNLIMITED 0xffffffffU
/* Verdicts on their way. They are taken within a few segments or at the close, so few wait. */
#define WG_CAPTURES 16384

/* ---- L4 plane ---- */

#define WG_TCP_BUCKETS 16
/* Upper bounds in microseconds of all buckets but the last. */
#define WG_TCP_BUCKET_BOUNDS_US                                                                    \
	100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000,     \
	    2500000, 5000000

struct wg_tcp_key {
	wg_u64 owner;
	wg_u64 peer_owner;
	wg_u32 peer;
	wg_u32 role;
};

struct wg_tcp_histogram {
	wg_u64 buckets[WG_TCP_BUCKETS];
	wg_u64 sum_us;
};

struct wg_tcp_counters {
	wg_u64 opened;
	wg_u64 closed;
	wg_u64 active;
	wg_u64 sent_bytes;
	wg_u64 received_bytes;
	wg_u64 sent_segments;
	wg_u64 received_segments;
	wg_u64 retransmitted_segments;
	wg_u64 retransmission_timeouts;
	wg_u64 out_of_order_segments;
	wg_u64 resets_sent;
	wg_u64 resets_received;
	wg_u64 unread_bytes[WG_UNREADS]; /* payload not captured, by enum wg_unread */
	struct wg_tcp_histogram connect_duration;
	struct wg_tcp_histogram rtt;
};

/* Distinct (owner, peer, role) between two drains, one second apart; what is beyond is added to key
 * {0, 0, 0, role}. */
#define WG_TCP_KEYS 4096

#define WG_EXECUTABLE 128 /* of NAME_MAX + 1; what is longer is cut */

/* owner -> who that was when it made its latest socket. */
struct wg_owner {
	wg_u64 cgroup_id;
	wg_u8 comm[16];
	wg_u8 executable[WG_EXECUTABLE]; /* file name; empty for a thread of the kernel's */
};
#define WG_OWNERS 16384

/* Longest-prefix match of a remote address -> the peer number of wg_tcp_key. */
struct wg_peer_prefix {
	wg_u32 prefix_bits; /* 0 to 128 */
	wg_u8 address[16];
};
#define WG_PEER_PREFIXES 4096

/* A connection as its two ends name it, to find the other end on this host. */
struct wg_tuple {
	struct wg_endpoint local;
	struct wg_endpoint remote;
	wg_u32 netns; /* only for loopback addresses, which mean another host in each namespace;
			 else 0 */
};
#define WG_TUPLES 131072

/* Back-fill: inode number of an older socket -> its owner, filled from /proc before the iterator
 * runs. */
struct wg_socket_owner {
	wg_u64 owner;
	wg_u8 comm[16];
};
#define WG_BACKFILL_SOCKETS 65536
#define WG_BACKFILL_LISTENERS 8192

/* TLS sessions of all processes, and threads that are inside a TLS library. */
#define WG_TLS_SESSIONS 65536
#define WG_TLS_THREADS 8192

/* A session as its process names it: the address of its SSL object. */
struct wg_tls_session_key {
	wg_u64 ssl;
	wg_u32 tgid;
	wg_u32 padding;
};

/* The plaintext of a connection. Lives until the connection closes. */
struct wg_tls_stream {
	struct wg_tls_session_key session;
	wg_u64 received_ns; /* the latest segment with ciphertext */
	wg_u64 told_ns;
	wg_u32 next_seq[2];    /* received, sent */
	wg_u32 burst_bytes[2]; /* captured since the other direction spoke */
	wg_u32 burst_max;
	wg_u8 last_direction;
	wg_u8 mid_stream;
	wg_u8 unread; /* user space wants no more of it */
	wg_u8 padding;
};

#define WG_SCOPES 16 /* cgroup folders; a fixed array, so that the program can look through it */

/* ---- per-CPU counters: what was lost. What was told, the reader counts. ---- */

enum wg_counter {
	WG_LOST_OPEN_RING_FULL,
	WG_LOST_DATA_RING_FULL,
	WG_LOST_CLOSE_RING_FULL,
	WG_LOST_BYTES_RING_FULL,      /* payload bytes of the data records lost */
	WG_LOST_CONNECTION_NO_MEMORY, /* socket storage could not be had: the socket is not observed
				       */
	WG_LOST_HEADER_UNREADABLE,
	WG_LOST_TCP_KEYS_FULL, /* L4 deltas that went to the overflow key */
	WG_LOST_TCP_NO_ROOM,   /* L4 deltas that found not even that */
	WG_LOST_OWNERS_FULL,
	WG_LOST_TUPLES_FULL,
	WG_LOST_DATAGRAM_RING_FULL,
	WG_LOST_DATAGRAM_FRAGMENT,    /* of IPv4, sent as such: only the first would have ports */
	WG_LOST_PLAINTEXT_UNBOUND,    /* bytes of a session whose connection is not known */
	WG_LOST_PLAINTEXT_UNREADABLE, /* bytes that were no longer in the process's memory */
	WG_LOST_TLS_CALLS,	      /* returns from a TLS library whose call is not known */
	WG_LOST_TLS_SESSIONS_FULL,
	WG_COUNTERS,
};

#ifdef __clang__
#pragma clang diagnostic pop
#endif

WG_STATIC_ASSERT(sizeof(struct wg_endpoint) == 20, "wg_endpoint");
WG_STATIC_ASSERT(sizeof(struct wg_header) == 24, "wg_header");
WG_STATIC_ASSERT(sizeof(struct wg_open) == 128, "wg_open");
WG_STATIC_ASSERT(sizeof(struct wg_data) == 32, "wg_data");
WG_STATIC_ASSERT(sizeof(struct wg_before_accept) == 40, "wg_before_accept");
WG_STATIC_ASSERT(sizeof(struct wg_close) == 24, "wg_close");
WG_STATIC_ASSERT(sizeof(struct wg_datagram) == 104, "wg_datagram");
WG_STATIC_ASSERT(sizeof(struct wg_tcp_key) == 24, "wg_tcp_key");
WG_STATIC_ASSERT(sizeof(struct wg_tcp_counters) == 8 * (12 + 8 + 2 * 17), "wg_tcp_counters");
WG_STATIC_ASSERT(sizeof(struct wg_capture) == 8, "wg_capture");
WG_STATIC_ASSERT(sizeof(struct wg_tls_session_key) == 16, "wg_tls_session_key");
WG_STATIC_ASSERT(sizeof(struct wg_tls_stream) == 56, "wg_tls_stream");
WG_STATIC_ASSERT(sizeof(struct wg_tuple) == 44, "wg_tuple");
WG_STATIC_ASSERT(sizeof(struct wg_owner) == 24 + WG_EXECUTABLE, "wg_owner");
WG_STATIC_ASSERT(sizeof(struct wg_socket_owner) == 24, "wg_socket_owner");

#endif
