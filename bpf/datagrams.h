/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * DNS over UDP: datagrams that look like it go up, each as a record of its own, with everything
 * that is known of the socket: there is no connection to open or close. By content; the port only
 * keeps a socket from being left alone.
 */
#ifndef WIREGAUGE_BPF_DATAGRAMS_H
#define WIREGAUGE_BPF_DATAGRAMS_H

#define IPPROTO_UDP 17
#define UDP_HEADER 8
#define IPV4_FRAGMENT 0x3fff /* more fragments, or not the first */

#define DNS_PORT 53
#define DNS_HEADER 12
#define DNS_QUESTION_LEAST 5 /* the root, type and class */

/* A socket whose first datagrams are something else is looked at once in so many. */
#define STRANGERS_MAX 16
#define LOOK_AGAIN_EVERY 64 /* a power of two */
/* One that has told so many DNS messages is looked at always: strangers may send to it as they
 * like. */
#define PROVEN 2

enum parsed {
	PARSED,
	PARSED_UNREADABLE,
	PARSED_FRAGMENT,
};

static __always_inline enum parsed parse_udp(struct __sk_buff *skb, struct segment *s)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u8 *ip = data;
	__u32 offset = IPV6_HEADER;
	__be16 *udp;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (data + 20 > end || ip[9] != IPPROTO_UDP)
			return PARSED_UNREADABLE;
		if (*(__be16 *)(ip + 6) & bpf_htons(IPV4_FRAGMENT))
			return PARSED_FRAGMENT;
		offset = (ip[0] & 0x0f) * 4;
	} else if (skb->protocol != bpf_htons(ETH_P_IPV6) || data + IPV6_HEADER > end ||
		   ip[6] != IPPROTO_UDP) {
		return PARSED_UNREADABLE;
	}
	udp = data + offset;
	if (offset < 20 || (void *)udp + UDP_HEADER > end)
		return PARSED_UNREADABLE;
	s->source.port = bpf_ntohs(udp[0]);
	s->destination.port = bpf_ntohs(udp[1]);
	s->offset = offset + UDP_HEADER;
	if (bpf_ntohs(udp[2]) < UDP_HEADER || skb->len < s->offset)
		return PARSED_UNREADABLE;
	s->length = bpf_ntohs(udp[2]) - UDP_HEADER;
	if (s->length > skb->len - s->offset)
		s->length = skb->len - s->offset;
	return PARSED;
}

/*
 * RFC 1035 section 4.1.1: a standard query with one question, or the answer to one, whose counts
 * are no larger than a datagram can hold. A server that could not read the question may answer with
 * the header alone, which counts only where DNS is spoken.
 */
static __always_inline bool looks_like_dns(struct __sk_buff *skb, const struct segment *s,
					   bool proven)
{
	__u8 h[DNS_HEADER];
	bool answer;

	if (s->length < DNS_HEADER || bpf_skb_load_bytes(skb, s->offset, h, sizeof(h)))
		return false;
	answer = h[2] & 0x80;
	if ((h[2] & 0x78) || (h[3] & 0x40) || h[4] || h[6] || h[8] || h[10])
		return false; /* another opcode, the reserved bit, or counts over 255 */
	if (!answer && (h[3] & 0x0f))
		return false; /* a query has no result */
	if (s->length == DNS_HEADER)
		return proven && answer && (h[3] & 0x0f) && !h[5];
	return h[5] == 1 && s->length >= DNS_HEADER + DNS_QUESTION_LEAST;
}

#define DEFINE_DATAGRAM(name, room)                                                                \
	static __noinline int name(struct __sk_buff *skb, const struct segment *s,                 \
				   const struct datagram_socket *d)                                \
	{                                                                                          \
		struct wg_datagram *r;                                                             \
		__u32 n;                                                                           \
                                                                                                   \
		if (!s || !d)                                                                      \
			return 0;                                                                  \
		r = reserve(sizeof(*r) + (room));                                                  \
		if (!r)                                                                            \
			return lose_datagram();                                                    \
		fill_datagram(r, skb, s, d);                                                       \
		n = s->length < (room) ? s->length : (room);                                       \
		n = ((n - 1) & ((room)-1)) + 1;                                                    \
		r->header.captured = bpf_skb_load_bytes(skb, s->offset, r + 1, n) ? 0 : n;         \
		bpf_ringbuf_submit(r, wake_flags(s->now));                                         \
		return 1;                                                                          \
	}

static __always_inline int lose_datagram(void)
{
	count(WG_LOST_DATAGRAM_RING_FULL, 1);
	return 0;
}

static __always_inline void fill_datagram(struct wg_datagram *r, struct __sk_buff *skb,
					  const struct segment *s, const struct datagram_socket *d)
{
	fill_header(&r->header, WG_RECORD_DATAGRAM, d->id, s->now);
	r->header.flags = s->sent ? WG_DATA_SENT : 0;
	r->local = s->sent ? s->source : s->destination;
	r->remote = s->sent ? s->destination : s->source;
	r->owner = d->owner;
	r->cgroup_id = bpf_skb_cgroup_id(skb);
	r->length = s->length;
	r->padding = 0;
	__builtin_memcpy(r->comm, d->comm, sizeof(r->comm));
}

DEFINE_DATAGRAM(tiny_datagram, WG_CAPTURE_TINY)
DEFINE_DATAGRAM(small_datagram, WG_CAPTURE_SMALL)
DEFINE_DATAGRAM(medium_datagram, WG_CAPTURE_MEDIUM)
DEFINE_DATAGRAM(large_datagram, WG_CAPTURE_LARGE)

static __always_inline int tap_datagram(struct __sk_buff *skb, struct bpf_sock *sk, bool sent)
{
	struct segment s = {.sent = sent};
	struct datagram_socket *d;

	if (!sk)
		return 0;
	switch (parse_udp(skb, &s)) {
	case PARSED:
		break;
	case PARSED_UNREADABLE:
		count(WG_LOST_HEADER_UNREADABLE, 1);
		return 0;
	case PARSED_FRAGMENT:
		count(WG_LOST_DATAGRAM_FRAGMENT, 1);
		return 0;
	}
	d = bpf_sk_storage_get(&datagram_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!d) {
		count(WG_LOST_CONNECTION_NO_MEMORY, 1);
		return 0;
	}
	if (d->strangers >= STRANGERS_MAX && s.source.port != DNS_PORT &&
	    s.destination.port != DNS_PORT && (++d->passed_over & (LOOK_AGAIN_EVERY - 1)))
		return 0;
	if (!looks_like_dns(skb, &s, d->proven >= PROVEN)) {
		if (d->proven < PROVEN && d->strangers < STRANGERS_MAX)
			d->strangers++;
		return 0;
	}
	d->strangers = 0;
	if (d->proven < PROVEN)
		d->proven++;
	if (!d->id)
		d->id = bpf_get_socket_cookie(skb);
	s.now = bpf_ktime_get_ns();
	read_addresses(skb, &s);
	if (s.length <= WG_CAPTURE_TINY)
		return tiny_datagram(skb, &s, d);
	if (s.length <= WG_CAPTURE_SMALL)
		return small_datagram(skb, &s, d);
	if (s.length <= WG_CAPTURE_MEDIUM)
		return medium_datagram(skb, &s, d);
	return large_datagram(skb, &s, d);
}

#endif
