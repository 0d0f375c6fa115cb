/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Every map, the configuration, and the counters. Included once in a program. */
#ifndef WIREGAUGE_BPF_MAPS_H
#define WIREGAUGE_BPF_MAPS_H

/* Configuration: set by exporter/probe between open and load. */
const volatile __u64 scopes[WG_SCOPES]; /* cgroup ids whose sockets are observed */
const volatile __u32 scope_count;
const volatile __u32 capture_burst_bytes = WG_CAPTURE_BURST;
const volatile __u8 one_end_tells; /* over loopback, for both */
const volatile __u32 tls_wanted;   /* tls.bpf.c is at work */

enum l7 {
	L7_NEW = 0,  /* nothing was told yet */
	L7_CAPTURED, /* its bytes go up */
	L7_UNREAD,   /* its bytes are only counted */
	L7_TWIN,     /* its other end tells for it */
};

/* User space's verdict on a connection is looked for at its 4th, 8th, 16th, ... payload segment,
 * and then at each 64th: a map lookup a packet would cost more than the rest of an unread one. */
#define FIRST_LOOK 4
#define LOOK_EVERY 64
#define TLS_BEGINS_BEFORE 8 /* so many payload segments */

#pragma clang diagnostic push
#pragma clang diagnostic error "-Wpadded"

/* The kernel's running totals of a socket, as last read. */
struct totals {
	__u64 sent_bytes;
	__u64 received_bytes;
	__u64 unread_bytes;
	__u32 sent_segments;
	__u32 received_segments;
	__u32 retransmitted_segments;
	__u32 retransmission_timeouts;
	__u32 out_of_order_segments;
	__u32 opened; /* in deltas: 1 when this is the connection's first report */
};

/* One direction: what each packet needs. */
struct flow {
	__u32 next_seq;	   /* one past the last byte told in order */
	__u32 burst_bytes; /* captured since the other direction spoke */
	__u8 mid_write; /* the segment furthest in the stream did not end a write of the sender's */
	__u8 skips;	/* skipped was ever used */
	__u8 has_ahead; /* segments behind a hole have arrived, up to ahead_seq */
	__u8 padding;
};

struct flow_rest {
	__u32 first_seq;
	__u32 fin_seq;	    /* sequence number of the FIN, when it was seen */
	__u64 unread_bytes; /* payload that passed and was not to be captured */
	/*
	 * The middle of a long write, not told yet: sequence number of its first byte in the upper
	 * half, length in the lower; 0 when there is none. Either direction may take it to tell.
	 */
	__u64 skipped;
	__u32 ahead_seq;
	__u32 padding;
};

/*
 * A TCP socket. Its memory lives and dies with the socket; children of a listener inherit a copy.
 * Both directions may run at once on two CPUs: each yes or no is a byte of its own, so that no
 * write undoes another.
 */
struct connection {
	/* What a packet needs is first: 56 bytes, which share the cache line that finding them
	 * takes. */
	__u8 established; /* baselines are set; counted as opened or back-filled */
	__u8 mid_stream;  /* older than the tap */
	__u8 announced;	  /* WG_RECORD_OPEN has reached the ring */
	__u8 in_tuples;
	__u8 reset_sent;
	__u8 reset_received;
	__u8 fin_sent;
	__u8 fin_received;
	__u8 unreported_open; /* not yet counted as opened */
	__u8 role;
	__u8 l7;     /* enum l7 */
	__u8 unread; /* enum wg_unread: why */
	__u8 last_direction;
	__u8 loopback;	    /* both ends are in this network namespace */
	__u8 has_plaintext; /* there is an entry in tls_streams */
	__u8 marks_tried;   /* encrypted: segments that no session was found for */
	__u64 id;	    /* socket cookie; 0 until known */
	struct flow received;
	struct flow sent;
	__u32 segments;	 /* with payload, as far as they were told */
	__u32 next_look; /* for a verdict, at this many segments */
	/* 56 bytes */
	struct flow_rest received_rest;
	struct flow_rest sent_rest;
	__u32 burst_max;	   /* bytes captured in one direction until the other speaks */
	struct bpf_spin_lock lock; /* guards reported and unreported_open */
	__u64 owner;
	__u64 peer_owner;
	__u64 connect_ns; /* clients: when the SYN left */
	__u64 established_ns;
	__u64 rtt_next_ns; /* the next RTT sample is due then */
	__u64 twin;	   /* the other end, when this one tells for both; and who that is */
	__u64 twin_owner;
	struct totals reported;
	__u32 peer;
	__u32 netns;
	__u8 comm[16];
};

/* A UDP socket. */
struct datagram_socket {
	__u64 id; /* socket cookie; 0 until needed */
	__u64 owner;
	__u8 comm[16];
	__u32 passed_over; /* datagrams not looked at */
	__u8 strangers;	   /* datagrams that were no DNS, in a row, as far as is counted */
	__u8 proven;	   /* DNS messages, as far as is counted */
	__u8 padding[2];
};

#pragma clang diagnostic pop

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct connection);
} connections SEC(".maps"); /* socket -> connection */

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct datagram_socket);
} datagram_sockets SEC(".maps"); /* UDP socket -> what is known of it */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WG_CAPTURES);
	__type(key, __u64);
	__type(value, struct wg_capture);
} captures
    SEC(".maps"); /* connection -> verdict of user space that the connection has not taken yet */

struct tcp_deltas {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WG_TCP_KEYS);
	__type(key, struct wg_tcp_key);
	__type(value, struct wg_tcp_counters);
} tcp_deltas_a SEC(".maps"), tcp_deltas_b
    SEC(".maps"); /* who talks to whom -> deltas since the last drain */

/*
 * Slot 0 is the one that programs add to. The reader puts the other in its place; the kernel's
 * update of a map in a map returns only when no program still uses the old one, so what is then
 * drained is complete and nothing is lost.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct tcp_deltas);
} tcp_current SEC(".maps") = {.values = {[0] = &tcp_deltas_a}};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wg_tcp_counters);
} tcp_zero SEC(".maps"); /* never written: what a new entry starts as, too large for the stack */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WG_OWNERS);
	__type(key, __u64);
	__type(value, struct wg_owner);
} owners SEC(".maps"); /* owner -> who that is */

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WG_PEER_PREFIXES);
	__type(key, struct wg_peer_prefix);
	__type(value, __u32);
} peers SEC(".maps"); /* address prefix -> peer number */

enum speaker {
	SPEAKER_NONE = 0, /* not decided */
	SPEAKER_EACH,
	SPEAKER_SERVER, /* for both */
	SPEAKER_CLIENT, /* for itself: the server's end told for both and is gone */
};

struct tuple_ends {
	struct bpf_spin_lock lock; /* guards speaker */
	__u32 speaker;		   /* enum speaker; of the client's entry */
	__u64 id;
	__u64 owner;
	__u64 peer_owner; /* written by the other end */
	__u64 server;	  /* its connection, when it speaks */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WG_TUPLES);
	__type(key, struct wg_tuple);
	__type(value, struct tuple_ends);
} tuples SEC(".maps"); /* connection as its end names it -> owners of both ends */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WG_BACKFILL_SOCKETS);
	__type(key, __u64);
	__type(value, struct wg_socket_owner);
} backfill_owners SEC(".maps"); /* socket inode -> owner, emptied after the back-fill */

struct listener {
	__u32 netns;
	__u16 port;
	__u16 padding;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WG_BACKFILL_LISTENERS);
	__type(key, struct listener);
	__type(value, __u8);
} backfill_listeners SEC(".maps"); /* where someone listens -> 1 */

#endif
