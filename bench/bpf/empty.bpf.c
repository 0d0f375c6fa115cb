// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* The floor: programs on the tap's two packet hooks that do nothing. What they cost is the kernel's, not ours. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("cgroup_skb/ingress")
int empty_ingress(struct __sk_buff* skb) {
  (void)skb;
  return 1;
}

SEC("cgroup_skb/egress")
int empty_egress(struct __sk_buff* skb) {
  (void)skb;
  return 1;
}
