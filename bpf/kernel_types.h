/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The kernel structs and fields that the programs read, and no others. Field offsets are relocated
 * to the running kernel's (CO-RE), so order and gaps mean nothing here; names and nesting do. The
 * path after each struct is where the kernel declares it.
 */
#ifndef WIREGAUGE_BPF_KERNEL_TYPES_H
#define WIREGAUGE_BPF_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common { /* include/linux/ns_common.h */
	unsigned int inum;
};

struct net { /* include/net/net_namespace.h */
	struct ns_common ns;
};

typedef struct { /* include/net/net_namespace.h */
	struct net *net;
} possible_net_t;

struct in6_addr { /* include/uapi/linux/in6.h */
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common { /* include/net/sock.h */
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct kernfs_node { /* include/linux/kernfs.h; `id` is 64 bits since 5.5 */
	__u64 id;
};

struct cgroup;

struct cgroup_subsys_state { /* include/linux/cgroup-defs.h */
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup { /* include/linux/cgroup-defs.h */
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct sock_cgroup_data { /* include/linux/cgroup-defs.h, since 5.15 */
	struct cgroup *cgroup;
};

struct sock_cgroup_data___before_5_15 { /* a tagged pointer: bit 0 set means that it is none */
	__u64 val;
};

struct inode { /* include/linux/fs.h */
	unsigned long i_ino;
};

struct socket { /* include/linux/net.h */
	struct sock *sk;
};

struct socket_alloc { /* include/net/sock.h */
	struct socket socket;
	struct inode vfs_inode;
};

typedef struct {   /* include/net/sock.h */
	int owned; /* a process is in a system call on the socket, and has it to itself */
} socket_lock_t;

struct sock { /* include/net/sock.h */
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct socket *sk_socket;
	struct sock_cgroup_data sk_cgrp_data;
};

struct tcp_sock { /* include/linux/tcp.h */
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 srtt_us; /* eight times the smoothed round-trip time */
	__u32 segs_in;
	__u32 segs_out;
	__u32 total_retrans;
	__u16 total_rto; /* since 6.7 */
	__u32 rcv_ooopack;
	__u64 bytes_acked;
	__u64 bytes_received;
};

struct qstr { /* include/linux/dcache.h */
	const unsigned char *name;
};

struct dentry { /* include/linux/dcache.h */
	struct qstr d_name;
};

struct path { /* include/linux/path.h */
	struct dentry *dentry;
};

struct file { /* include/linux/fs.h */
	struct path f_path;
};

struct mm_struct { /* include/linux/mm_types.h */
	struct file *exe_file;
};

struct task_struct { /* include/linux/sched.h */
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	__u64 start_time;     /* CLOCK_MONOTONIC */
	__u64 start_boottime; /* since 5.5 */
	int pid;
	int tgid;
	char comm[16];
	struct mm_struct *mm; /* NULL: a thread of the kernel's */
};

struct seq_file;

struct bpf_iter_meta { /* include/linux/bpf.h */
	struct seq_file *seq;
};

struct bpf_iter__tcp { /* net/ipv4/tcp_ipv4.c */
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct udp_sock;

struct bpf_iter__udp { /* net/ipv4/udp.c, since 5.9 */
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
};

struct bpf_iter__bpf_sk_storage_map { /* net/core/bpf_sk_storage.c */
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

#pragma clang attribute pop

#endif
