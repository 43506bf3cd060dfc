/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A miss to the agent's private namespace and its packets back, without
 * netfilter, routes or a rewritten address (tc only).
 *
 * Contract: steer_miss() either redirects the packet to nd0, as its last step,
 * or leaves it as it came, to go on to the cluster's DNS.
 */
#ifndef NODENS_STEER_BPF_H
#define NODENS_STEER_BPF_H

#define TCP_F_SYN      0x02
#define TCP_F_ACK      0x10
#define TCP_HEADER_LEN 20 /* RFC 9293, 3.1: without options */

#define AF_INET	   2 /* include/linux/socket.h */
#define AF_INET6   10
#define TCP_LISTEN 10 /* enum in include/net/tcp_states.h, the UAPI's BPF_TCP_LISTEN */

/* Who asks whom. */
struct flow {
	__be32 client[4]; /* IPv4 as ::ffff:a.b.c.d */
	__be32 served[4];
	__be16 client_port;
};

struct address_key {
	__be32 word[4]; /* IPv4 as ::ffff:a.b.c.d */
};

static __always_inline void key_ip4(__be32 word[4], __be32 addr)
{
	word[0] = 0;
	word[1] = 0;
	word[2] = bpf_htonl(0xffff);
	word[3] = addr;
}

static __always_inline void key_ip6(__be32 word[4], const struct in6_addr *addr)
{
	word[0] = addr->in6_u.u6_addr32[0];
	word[1] = addr->in6_u.u6_addr32[1];
	word[2] = addr->in6_u.u6_addr32[2];
	word[3] = addr->in6_u.u6_addr32[3];
}

static __always_inline __u32 flow_tuple(const struct pkt *p, const struct flow *flow,
					struct bpf_sock_tuple *tuple)
{
	if (p->ip6) {
		for (__u64 i = 0; i < 4; i++) {
			tuple->ipv6.saddr[i] = flow->client[i];
			tuple->ipv6.daddr[i] = flow->served[i];
		}
		tuple->ipv6.sport = flow->client_port;
		tuple->ipv6.dport = bpf_htons(DNS_PORT);
		return sizeof(tuple->ipv6);
	}
	tuple->ipv4.saddr = flow->client[3];
	tuple->ipv4.daddr = flow->served[3];
	tuple->ipv4.sport = flow->client_port;
	tuple->ipv4.dport = bpf_htons(DNS_PORT);
	return sizeof(tuple->ipv4);
}

/*
 * Is the agent there? Its UDP socket in its own namespace says so: a dead
 * process has none from that moment on. bpf_sk_lookup_udp has this on every
 * kernel since 4.20, so no sockmap and no socket of its own are needed.
 */
static __always_inline bool agent_alive(struct __sk_buff *skb, const struct pkt *p,
					const struct flow *flow, const struct nodens_ctl *ctl)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;

	if (flow_tuple(p, flow, &tuple) == sizeof(tuple.ipv6))
		sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv6), (__u32)ctl->netns_id, 0);
	else
		sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), (__u32)ctl->netns_id, 0);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

/*
 * Does the agent hold this TCP connection (open, half open or closing)? With its queue of half-open
 * ones full, its namespace keeps nothing of a new one but the cookie that it sent (RFC 4987, 3.6),
 * and of the handshake's end finds the listener alone, which is asked whether the cookie is its
 * own.
 */
static __always_inline bool agent_connected(struct __sk_buff *skb, const struct pkt *p,
					    const struct flow *flow, const struct nodens_ctl *ctl)
{
	struct bpf_sock_tuple tuple = {};
	__u64 ip[sizeof(struct ipv6hdr) / 8];
	__u32 tcp[TCP_HEADER_LEN / 4];
	__u32 tuple_len = flow_tuple(p, flow, &tuple);
	struct bpf_sock *sk;
	bool ours;

	if (tuple_len == sizeof(tuple.ipv6))
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), (__u32)ctl->netns_id, 0);
	else
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), (__u32)ctl->netns_id, 0);
	if (!sk)
		return false;
	ours = sk->state != TCP_LISTEN ||
	       /* more of the packet than IPv4's header is: what follows it is not looked at */
	       (!bpf_skb_load_bytes(skb, p->l3, ip, sizeof(ip)) &&
		!bpf_skb_load_bytes(skb, p->l4, tcp, sizeof(tcp)) &&
		!bpf_tcp_check_syncookie(sk, ip, sizeof(ip), (void *)tcp, sizeof(tcp)));
	bpf_sk_release(sk);
	return ours;
}

/* STEERED where the agent will take a query now, else the reason why not. */
static __always_inline long agent_ready(struct __sk_buff *skb, const struct pkt *p,
					const struct flow *flow, const struct nodens_ctl *ctl)
{
	if (!ctl->steer)
		return NODENS_CTR_STEER_OFF;
	/* signed: the coarse clock lags behind the one that the agent writes */
	if ((__s64)(now_ns() - ctl->heartbeat_ns) > (__s64)ctl->hung_ns)
		return NODENS_CTR_STEER_HUNG;
	if (!agent_alive(skb, p, flow, ctl))
		return NODENS_CTR_STEER_DEAD;
	if (ctl->shed & NODENS_SHED_ALL)
		return NODENS_CTR_STEER_SHED;
	return NODENS_CTR_STEERED;
}

/*
 * TCP goes to the agent from its SYN on or not at all: a connection that began
 * at the cluster's DNS stays there. The agent's own sockets say which is which,
 * so there is no state here that a pod could fill up or forge.
 */
static __always_inline long tcp_ready(struct __sk_buff *skb, const struct pkt *p,
				      const struct flow *flow, const struct nodens_ctl *ctl,
				      __u8 tcp_flags, long ready)
{
	if ((tcp_flags & (TCP_F_SYN | TCP_F_ACK)) == TCP_F_SYN) {
		if (ready == NODENS_CTR_STEERED && ctl->shed & NODENS_SHED_SYN)
			return NODENS_CTR_STEER_SHED;
		return ready;
	}
	if (ready != NODENS_CTR_STEERED && ready != NODENS_CTR_STEER_SHED)
		return ready;
	/* an established connection is not shed */
	return agent_connected(skb, p, flow, ctl) ? NODENS_CTR_STEERED
						  : NODENS_CTR_STEER_TCP_FOREIGN;
}

static __always_inline bool same_macs(const struct nodens_client *a, const struct nodens_client *b)
{
	const __u32 *x = (const __u32 *)a->client_mac, *y = (const __u32 *)b->client_mac;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

/*
 * May the device have one address more? Without an entry, the table of devices being full, no. With
 * its sign: an address may be given back before it was counted.
 */
static __always_inline bool claim_left(__u32 ifindex)
{
	__u32 none = 0, *claims = bpf_map_lookup_elem(&nodens_claims, &ifindex);

	if (!claims)
		return !bpf_map_update_elem(&nodens_claims, &ifindex, &none, BPF_NOEXIST);
	return (__s32)*claims < NODENS_DEVICE_CLIENTS;
}

static __always_inline void claim_count(__u32 ifindex, __s32 by)
{
	__u32 *claims = bpf_map_lookup_elem(&nodens_claims, &ifindex);

	if (claims)
		__sync_fetch_and_add(claims, by);
}

enum route_back { ROUTE_OWN, ROUTE_OTHERS, ROUTE_UNKNOWN };

/*
 * Where do the node's routes lead that go to the client? To the device that its packet came from,
 * to another one that nodens is attached to, or elsewhere: into a bridge, or where a CNI forwards
 * without routes. Before 5.11 the device is told only with a neighbour known.
 */
static __always_inline enum route_back client_route(struct __sk_buff *skb, const struct pkt *p,
						    const struct flow *flow)
{
	struct bpf_fib_lookup fib = { .family = AF_INET, .ifindex = skb->ifindex };
	__u32 ifindex;
	long ret;

	if (p->ip6) {
		fib.family = AF_INET6;
		for (__u64 i = 0; i < 4; i++) {
			fib.ipv6_src[i] = flow->served[i];
			fib.ipv6_dst[i] = flow->client[i];
		}
	} else {
		fib.ipv4_src = flow->served[3];
		fib.ipv4_dst = flow->client[3];
	}
	ret = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	ifindex = fib.ifindex;
	if (ifindex == skb->ifindex)
		return ret ? ROUTE_UNKNOWN : ROUTE_OWN;
	return bpf_map_lookup_elem(&nodens_claims, &ifindex) ? ROUTE_OTHERS : ROUTE_UNKNOWN;
}

/*
 * The address goes from one device to another. One CPU at a time moves it, so that each device is
 * counted what it has: meanwhile there is an entry for an address that no packet comes from. What
 * other CPUs have for it then goes to the cluster's DNS.
 */
static __always_inline long client_move(const struct flow *flow, __u32 from,
					const struct nodens_client *now)
{
	__u32 moving[4];
	long ret = NODENS_CTR_STEER_CONFLICT;
	struct nodens_client *old;

	/* one by one: 5.4 knows no maps of constants, which an initializer would become */
	moving[0] = moving[1] = 0;
	moving[2] = 1;
	moving[3] = flow->client[0] ^ flow->client[1] ^ flow->client[2] ^ flow->client[3];
	if (bpf_map_update_elem(&nodens_clients, moving, now, BPF_NOEXIST))
		return ret;
	old = bpf_map_lookup_elem(&nodens_clients, flow->client);
	if (old && old->ifindex == from &&
	    !bpf_map_update_elem(&nodens_clients, flow->client, now, BPF_EXIST)) {
		claim_count(now->ifindex, 1);
		claim_count(from, -1);
		ret = NODENS_CTR_STEERED;
	}
	bpf_map_delete_elem(&nodens_clients, moving);
	return ret;
}

/*
 * Note the way back to the client, or find it noted (headers/nodens_abi.h says
 * who may claim an address). IPv6 that says it is IPv4 would claim IPv4's.
 */
static __always_inline long client_note(struct __sk_buff *skb, const struct pkt *p,
					const struct ethhdr *eth, const struct flow *flow)
{
	struct nodens_client now = {}, *old;
	enum route_back route;
	__u32 from = 0;

	if (p->ip6 && !flow->client[0] && !flow->client[1])
		return NODENS_CTR_STEER_CONFLICT;
	now.ifindex = skb->ifindex;
	now.peer = cfg_redirect_peer;
	now.seen = now_ns() >> 30;
	__builtin_memcpy(now.client_mac, eth->h_source, 6);
	__builtin_memcpy(now.gateway_mac, eth->h_dest, 6);
	old = bpf_map_lookup_elem(&nodens_clients, flow->client);
	if (old && old->ifindex == now.ifindex) {
		if (!same_macs(old, &now))
			return bpf_map_update_elem(&nodens_clients, flow->client, &now, BPF_EXIST)
				       ? NODENS_CTR_STEER_ERROR
				       : NODENS_CTR_STEERED;
		if (old->seen != now.seen)
			old->seen = now.seen;
		return NODENS_CTR_STEERED;
	}
	if (old)
		from = old->ifindex;
	route = client_route(skb, p, flow);
	/* with its sign: another CPU may have noted a later use than now */
	if (route == ROUTE_OTHERS ||
	    (route == ROUTE_UNKNOWN && old && (__s32)(now.seen - old->seen) < NODENS_CLIENT_IDLE))
		return NODENS_CTR_STEER_CONFLICT;
	if (!claim_left(now.ifindex))
		return NODENS_CTR_STEER_FULL;
	if (old)
		return client_move(flow, from, &now);
	if (!bpf_map_update_elem(&nodens_clients, flow->client, &now, BPF_NOEXIST)) {
		claim_count(now.ifindex, 1);
		return NODENS_CTR_STEERED;
	}
	/* A and AAAA at one instant on two CPUs: the other one has noted it, and counted. */
	old = bpf_map_lookup_elem(&nodens_clients, flow->client);
	return old && old->ifindex == now.ifindex ? NODENS_CTR_STEERED : NODENS_CTR_STEER_ERROR;
}

/* STEERED: the packet is ready for nd0. Else the reason why not, and it is as it came. */
static __always_inline long steer_miss(struct __sk_buff *skb, const struct pkt *found,
				       const struct nodens_ctl *ctl)
{
	/* VERIFIER: read once, so that what one branch found out the next one knows */
	const struct pkt here = *found, *p = &here;
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct flow flow = {};
	struct ethhdr *eth = data;
	__be16 *ports = at(data, p->l4);
	long ready;

	if (p->l3 != sizeof(*eth) || skb->vlan_present)
		return NODENS_CTR_STEER_VLAN;
	if ((void *)(eth + 1) > end || (void *)ports + 14 > end)
		return NODENS_CTR_STEER_ERROR;
	if (p->ip6) {
		struct ipv6hdr *ip = at(data, p->l3);

		if ((void *)(ip + 1) > end)
			return NODENS_CTR_STEER_ERROR;
		key_ip6(flow.client, &ip->saddr);
		key_ip6(flow.served, &ip->daddr);
	} else {
		struct iphdr *ip = at(data, p->l3);

		if ((void *)(ip + 1) > end)
			return NODENS_CTR_STEER_ERROR;
		key_ip4(flow.client, ip->saddr);
		key_ip4(flow.served, ip->daddr);
	}
	flow.client_port = ports[0];
	ready = agent_ready(skb, p, &flow, ctl);
	if (p->tcp)
		ready = tcp_ready(skb, p, &flow, ctl, *((__u8 *)ports + 13), ready);
	if (ready == NODENS_CTR_STEERED)
		ready = client_note(skb, p, eth, &flow);
	if (ready == NODENS_CTR_STEERED)
		__builtin_memcpy(eth->h_dest, ctl->nd1_mac, 6);
	return ready;
}

/*
 * On nd0: whose is what the agent's namespace sends? The packet is ready for the client's device,
 * and *p says where its headers are; NULL: it is to be dropped. One of two places that drop:
 * nothing but the agent's packets comes here, and what the node's stack made of one without a
 * client would be conntrack entries for addresses that a pod chose.
 */
static __always_inline struct nodens_client *return_find(struct __sk_buff *skb, struct pkt *p,
							 struct nodens_percpu *pc)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct address_key key;
	struct nodens_client *client;

	if ((void *)(eth + 1) > end)
		return NULL;
	p->l3 = sizeof(*eth);
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end)
			return NULL;
		key_ip4(key.word, ip->daddr);
		p->ip6 = 0;
		p->l4 = p->l3 + sizeof(*ip);
		p->tcp = ip->protocol == IPPROTO_TCP;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end)
			return NULL;
		key_ip6(key.word, &ip->daddr);
		p->ip6 = 1;
		p->l4 = p->l3 + sizeof(*ip);
		p->tcp = ip->nexthdr == IPPROTO_TCP;
	} else {
		return NULL;
	}
	client = bpf_map_lookup_elem(&nodens_clients, &key);
	if (!client) {
		count(pc, NODENS_CTR_RETURN_UNKNOWN);
		return NULL;
	}
	count(pc, NODENS_CTR_RETURNED);
	__builtin_memcpy(eth->h_dest, client->client_mac, 6);
	__builtin_memcpy(eth->h_source, client->gateway_mac, 6);
	return client;
}

#endif /* NODENS_STEER_BPF_H */
