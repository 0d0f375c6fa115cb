// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * A lossy link that loses the same share every time: on a tc hook, drops every Nth TCP segment that
 * carries payload (retransmitted ones are counted and dropped like any other) and lets everything
 * else pass. Segments are counted one by one, so the sender's segmentation offload must be off;
 * packets of more than one segment are counted apart, so that a wrong set-up shows.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "drop_nth.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 every = 20;
const volatile __u16 port = 0; /* of either end; 0 = all */

struct locked_counts {
	struct bpf_spin_lock lock;
	struct drop_counts counts;
};

/* 0 -> counts; the lock because which segment is the Nth must not depend on the number of CPUs */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked_counts);
} counts SEC(".maps");

/* Payload bytes of the TCP segment at `offset`, `size` bytes with its header; -1 when it is none of
 * ours. */
static __always_inline int tcp_payload(struct __sk_buff *skb, __u32 offset, int size)
{
	struct tcphdr tcp;

	if (bpf_skb_load_bytes(skb, offset, &tcp, sizeof(tcp)))
		return -1;
	if (port && tcp.source != bpf_htons(port) && tcp.dest != bpf_htons(port))
		return -1;
	return size - tcp.doff * 4;
}

static __always_inline int payload_of(struct __sk_buff *skb)
{
	struct ipv6hdr ip6;
	struct iphdr ip;

	/* Lengths come from the headers: short frames are padded. */
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) ||
		    ip.protocol != IPPROTO_TCP)
			return -1;
		return tcp_payload(skb, ETH_HLEN + ip.ihl * 4, bpf_ntohs(ip.tot_len) - ip.ihl * 4);
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip6, sizeof(ip6)) ||
		    ip6.nexthdr != IPPROTO_TCP)
			return -1;
		return tcp_payload(skb, ETH_HLEN + sizeof(ip6), bpf_ntohs(ip6.payload_len));
	}
	return -1;
}

SEC("tc")
int drop_nth(struct __sk_buff *skb)
{
	struct locked_counts *all;
	__u32 zero = 0;
	int drop = 0;

	if (payload_of(skb) <= 0)
		return TC_ACT_OK;
	all = bpf_map_lookup_elem(&counts, &zero);
	if (!all)
		return TC_ACT_OK;
	bpf_spin_lock(&all->lock);
	all->counts.segments++;
	if (skb->gso_segs > 1)
		all->counts.joined++;
	if (every && all->counts.segments % every == 0) {
		all->counts.dropped++;
		drop = 1;
	}
	bpf_spin_unlock(&all->lock);
	return drop ? TC_ACT_SHOT : TC_ACT_OK;
}
