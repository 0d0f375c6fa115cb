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

/* False when the header cannot be read. */
static __always_inline bool parse_tcp(struct __sk_buff *skb, struct segment *s, __u32 tcp_offset)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u8 *t = data + tcp_offset;
	__u32 header;

	if ((void *)t + 20 > end)
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

/* The protocol that a packet carries, 0 when that cannot be read, and the size of the header before
 * it. A v6 extension header is not looked behind: none precedes TCP in practice. */
static __always_inline __u8 read_ip(struct __sk_buff *skb, __u32 *header)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u8 *ip = data;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (data + 20 > end)
			return 0;
		*header = (ip[0] & 0x0f) * 4;
		return *header < 20 ? 0 : ip[9];
	}
	*header = IPV6_HEADER;
	if (skb->protocol != bpf_htons(ETH_P_IPV6) || data + IPV6_HEADER > end)
		return 0;
	return ip[6];
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
