/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What a packet's headers say. */
#ifndef WIREGAUGE_BPF_PACKET_H
#define WIREGAUGE_BPF_PACKET_H

#define IPPROTO_TCP 6
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define IPV6_HEADER 40
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08

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

#endif
