/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Sockets older than the program: found once, at attach, by iterators over the kernel's tables. */
#ifndef WIREGAUGE_BPF_BACKFILL_H
#define WIREGAUGE_BPF_BACKFILL_H

#define CGROUP_DEPTH 32 /* cgroup.max.depth is unlimited; deeper than this nobody nests */

static __always_inline bool is_scope(__u64 cgroup_id)
{
	for (__u32 i = 0; i < WG_SCOPES; i++)
		if (i < scope_count && scopes[i] == cgroup_id)
			return true;
	return false;
}

static __always_inline struct cgroup *cgroup_of(struct sock *sk)
{
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	struct sock_cgroup_data___before_5_15 *old = (void *)&sk->sk_cgrp_data;
	__u64 tagged = BPF_CORE_READ(old, val);

	return tagged & 1 ? NULL : (struct cgroup *)tagged;
}

static __always_inline bool in_scope(struct sock *sk)
{
	struct cgroup *cgroup = cgroup_of(sk);

	for (int i = 0; i < CGROUP_DEPTH && cgroup; i++) {
		struct cgroup_subsys_state *parent;

		if (is_scope(BPF_CORE_READ(cgroup, kn, id)))
			return true;
		parent = BPF_CORE_READ(cgroup, self.parent);
		cgroup = parent ? BPF_CORE_READ(parent, cgroup) : NULL;
	}
	return false;
}

static __always_inline void inherit_from_proc(__u64 *owner, __u8 comm[16], struct sock *sk)
{
	struct socket_alloc *alloc = (void *)BPF_CORE_READ(sk, sk_socket);
	struct wg_socket_owner *known;
	__u64 inode;

	if (!alloc)
		return;
	inode = BPF_CORE_READ(alloc, vfs_inode.i_ino);
	known = bpf_map_lookup_elem(&backfill_owners, &inode);
	if (!known)
		return;
	*owner = known->owner;
	__builtin_memcpy(comm, known->comm, sizeof(known->comm));
}

/* Gives storage to the sockets in scope of one network namespace: listeners come first, so roles
 * are known. */
SEC("iter/tcp")
int tap_backfill(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sc = ctx->sk_common;
	struct listener where = {};
	struct tcp_sock *tp;
	struct connection *c;
	struct wg_tuple t;
	__u8 one = 1;

	if (!sc)
		return 0;
	tp = bpf_skc_to_tcp_sock(sc);
	if (!tp || !in_scope((struct sock *)tp))
		return 0;
	read_tuple(&t, (struct sock *)tp, &where.netns);
	where.port = t.local.port;
	if (sc->skc_state == BPF_TCP_LISTEN)
		bpf_map_update_elem(&backfill_listeners, &where, &one, BPF_ANY);
	c = bpf_sk_storage_get(&connections, tp, NULL, 0);
	if (c && c->owner && c->established)
		return 0; /* younger than the program after all */
	c = bpf_sk_storage_get(&connections, tp, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		count(WG_LOST_CONNECTION_NO_MEMORY, 1);
		return 0;
	}
	if (!c->owner)
		inherit_from_proc(&c->owner, c->comm, (struct sock *)tp);
	if (sc->skc_state == BPF_TCP_LISTEN || c->established)
		return 0;
	read_totals(&c->reported, tp);
	c->netns = where.netns;
	c->last_direction = 0xff;
	c->sent_rest.first_seq = c->sent.next_seq = tp->snd_nxt;
	c->received_rest.first_seq = c->received.next_seq = tp->rcv_nxt;
	c->role =
	    bpf_map_lookup_elem(&backfill_listeners, &where) ? WG_ROLE_SERVER : WG_ROLE_CLIENT;
	c->mid_stream = 1;
	classify_peer(c, &t);
	meet(c, &t);
	c->established = 1;
	return 0;
}

/* UDP sockets: only their owners, the rest shows when they speak. */
SEC("iter/udp")
int tap_backfill_udp(struct bpf_iter__udp *ctx)
{
	struct sock *sk = (void *)ctx->udp_sk;
	struct datagram_socket *d;

	if (!sk || !in_scope(sk))
		return 0;
	d = bpf_sk_storage_get(&datagram_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!d)
		count(WG_LOST_CONNECTION_NO_MEMORY, 1);
	else if (!d->owner)
		inherit_from_proc(&d->owner, d->comm, sk);
	return 0;
}

#endif
