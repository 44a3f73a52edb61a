// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * anon_tfc: traffic-flow confidentiality for the overlay's links, a queueing discipline of xfrm
 * interfaces.
 *
 * Whoever watches a link sees ESP packets, their sizes and their instants. Here neither depends on
 * what the link carries.
 *
 * Size. Every packet is padded with zeros, after its end, to one size. The far end's IP trims it by
 * the length in its header (RFC 4303, 2.7, describes this way; it needs nothing of the ESP
 * implementation or of the peer).
 *
 * Instants. Each far end has turns: turn k lies in the interval that begins
 * at start + k * interval, at an instant drawn uniformly from it, so that no two links, nor a link
 * and its past, are in step. At each turn exactly one packet leaves: one that waits or, if none
 * does, cover, an IPv6 packet with no next header (RFC 8200, 4.7), which the far end discards
 * without a word and which no layer above sees. The instants are drawn without looking at what
 * waits. A turn for which the machine is late by more than an interval is lost, not made up for: a
 * burst would show the load.
 *
 * Order. Packets of one circuit (addresses and SPI) stay in order; which circuit gets a turn is
 * drawn uniformly among those that have packets to send, so that what came in first need not go out
 * first. With a window, packets that arrive within one are held until its end and only then take
 * part: a timed mix (Serjantov, Dingledine, Syverson, "From a Trickle to a Flood", 2002), whose
 * pool is what the turns have not taken yet.
 *
 * Rate. With more than one step the interval is doubled or halved after periods in which the link
 * was mostly idle or busy: this shows an observer the load roughly, at most once a period. One step
 * shows nothing. Likewise idle: a far end without traffic for that long gets no cover any more.
 *
 * What waits too long is thinned by CoDel (RFC 8289) for each circuit, without marks; what finds no
 * room is let in at the expense of the oldest packet of that far end's longest circuit.
 *
 * Everything below runs under the root lock of the qdisc unless it says otherwise; configuration
 * changes under RTNL too.
 */
#include <linux/capability.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/rbtree.h>
#include <linux/rtnetlink.h>
#include <linux/siphash.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <net/codel.h>
#include <net/codel_impl.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include <net/gso.h>
#endif
#include <net/ipv6.h>
#include <net/netlink.h>
#include <net/pkt_sched.h>
#include <net/xfrm.h>

#include "anon_tfc.h"
#include "turns.h"

/*
 * Circuits share a flow, and thus keep an order among them, if their hashes meet: a relay's link
 * has many, a client's few.
 */
#define TFC_FLOWS 512
#define TFC_FLOWS_SHARED 32
#define TFC_BUCKETS 1024 /* of far ends by address; a power of two */
/*
 * Room for what ESP puts around a packet (IPv6 and UDP headers, IV; padding, ICV), lest it has to
 * be copied again.
 */
#define TFC_HEADROOM (MAX_HEADER + 64)
#define TFC_TAILROOM 64
#define TFC_RESERVE_MIN 16
#define TFC_RESERVE_MAX 256
#define TFC_RETRY (HZ / 10) /* a device that is not up yet is looked at again */
#define TFC_TARGET_MIN (20 * NSEC_PER_MSEC)
#define TFC_TARGET_MAX (100ull * NSEC_PER_SEC) /* CoDel's clock has 32 bits of a microsecond */

/* Of a packet that waits. */
struct tfc_skb_cb {
	u64 enqueued; /* ns */
	u64 release;  /* ns: not before */
};

/*
 * One or several circuits to one far end. It is empty, or in the peer's gather list, or in its
 * array of ready ones.
 */
struct tfc_flow {
	struct sk_buff *head, *tail;
	struct list_head gather;
	struct codel_vars codel;
	u32 qlen;
	s32 place; /* in the array of ready flows, or -1 */
};

struct tfc_peer {
	struct Qdisc_class_common common;
	struct hlist_node by_dst;
	struct in6_addr src, dst;

	struct rb_node node; /* in the tree of those that have turns, if on */
	bool on;
	u64 slot;     /* ns: where the interval of the next turn begins */
	u64 at;	      /* ns: its instant */
	u64 interval; /* ns: with this step */
	u64 heard;    /* ns: when a packet of traffic came last */
	u32 step;
	u64 look;	 /* ns: when the step is looked at next */
	u64 turns, busy; /* since it was last */

	struct codel_params codel;
	struct list_head gather; /* flows whose head is not released yet, by release */
	u32 waiting, circuits, nready, nflows;
	u16 *ready; /* the first nready are indices of flows that can send */
	struct gnet_stats_basic_sync bstats;
	struct tc_tfc_xstats x; /* the counters only */
	struct tfc_flow flow[];
};

struct tfc_conf {
	u64 interval, step_time, idle, window;
	u32 size, steps, limit;
	bool shared;
};

struct tfc_sched {
	struct tfc_conf conf;
	struct rb_root_cached tree; /* of peers by their next instant */
	struct qdisc_watchdog watchdog;
	struct Qdisc_class_hash classes;
	struct hlist_head *by_dst; /* shared only: TFC_BUCKETS */
	struct tfc_peer *only;	   /* not shared: the far end, or NULL */
	siphash_key_t key;
	struct codel_stats codel;
	struct tc_tfc_xstats past;   /* counters of far ends that are gone, and of no far end's */
	struct sk_buff_head reserve; /* of cover; has its own lock */
	struct work_struct fill;
	struct delayed_work start;
};

static struct tfc_skb_cb *tfc_cb(const struct sk_buff *skb)
{
	qdisc_cb_private_validate(skb, sizeof(struct tfc_skb_cb));
	return (struct tfc_skb_cb *)qdisc_skb_cb(skb)->data;
}

static struct Qdisc *tfc_qdisc(const struct tfc_sched *q)
{
	return q->watchdog.qdisc;
}

/* Packets reach the qdisc, and may leave it, only while the device is up. */
static bool tfc_active(const struct Qdisc *sch)
{
	return rcu_access_pointer(sch->dev_queue->qdisc) == sch;
}

/*
 * Turns
 */

static bool tfc_before(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct tfc_peer, node)->at < rb_entry(b, struct tfc_peer, node)->at;
}

static struct tfc_peer *tfc_first(const struct tfc_sched *q)
{
	struct rb_node *node = rb_first_cached(&q->tree);

	return node ? rb_entry(node, struct tfc_peer, node) : NULL;
}

static void tfc_arm(struct tfc_sched *q)
{
	struct tfc_peer *p = tfc_first(q);

	if (p)
		qdisc_watchdog_schedule_ns(&q->watchdog, p->at);
}

/* The rate is top/2^step; a queue is long when packets wait in it for several turns. */
static void tfc_set_step(const struct tfc_sched *q, struct tfc_peer *p, u32 step)
{
	u64 target;

	p->step = step;
	p->interval = q->conf.interval << step;
	target = clamp_t(u64, 4 * p->interval, TFC_TARGET_MIN, TFC_TARGET_MAX);
	p->codel.target = target >> CODEL_SHIFT;
	p->codel.interval = 5 * target >> CODEL_SHIFT;
}

static void tfc_look(const struct tfc_sched *q, struct tfc_peer *p)
{
	u32 step = tfc_step(p->step, q->conf.steps, p->turns, p->busy, p->waiting);

	if (step != p->step) {
		tfc_set_step(q, p, step);
		p->x.changes++;
	}
	p->turns = 0;
	p->busy = 0;
	p->look = p->slot + q->conf.step_time;
}

static void tfc_stop(struct tfc_sched *q, struct tfc_peer *p)
{
	if (p->on)
		rb_erase_cached(&p->node, &q->tree);
	p->on = false;
}

/* The peer's next turn is in the interval that begins at p->slot. */
static void tfc_plan(struct tfc_sched *q, struct tfc_peer *p)
{
	tfc_stop(q, p);
	if (p->slot >= p->look)
		tfc_look(q, p);
	p->at = p->slot + tfc_part(get_random_u64(), p->interval);
	rb_add_cached(&p->node, &q->tree, tfc_before);
	p->on = true;
}

/* From now on it has turns, at first at the highest rate, whatever there was before. */
static void tfc_start(struct tfc_sched *q, struct tfc_peer *p, u64 now)
{
	tfc_set_step(q, p, 0);
	p->slot = now;
	p->look = now + q->conf.step_time;
	p->turns = 0;
	p->busy = 0;
	p->heard = now;
	tfc_plan(q, p);
}

/* Those who have turns keep them: another beginning would be seen. */
static void tfc_start_all(struct tfc_sched *q)
{
	u64 now = ktime_get_ns();
	struct tfc_peer *p;
	unsigned int i;

	for (i = 0; i < q->classes.hashsize; i++)
		hlist_for_each_entry(p, &q->classes.hash[i], common.hnode)
			if (!p->on)
				tfc_start(q, p, now);
	tfc_arm(q);
}

/*
 * When a device goes up nobody tells its qdisc, and without traffic nobody asks it for packets
 * either. So what was stopped by a reset, or made while the device was down, is started from here.
 * Takes the root lock.
 */
static void tfc_start_work(struct work_struct *work)
{
	struct tfc_sched *q = container_of(work, struct tfc_sched, start.work);
	struct Qdisc *sch = tfc_qdisc(q);

	spin_lock_bh(qdisc_lock(sch));
	if (tfc_active(sch))
		tfc_start_all(q);
	else
		schedule_delayed_work(&q->start, TFC_RETRY);
	spin_unlock_bh(qdisc_lock(sch));
}

/*
 * Flows
 */

static bool tfc_can_send(const struct tfc_flow *f, u64 now)
{
	return f->head && tfc_cb(f->head)->release <= now;
}

/* After the head of a flow has changed, or its time has come: the flow goes where it belongs. */
static void tfc_settle(struct tfc_peer *p, struct tfc_flow *f, u64 now)
{
	bool ready = tfc_can_send(f, now);

	if (ready && f->place < 0) {
		f->place = p->nready++;
		p->ready[f->place] = f - p->flow;
	} else if (!ready && f->place >= 0) {
		u16 last = p->ready[--p->nready];

		p->ready[f->place] = last;
		p->flow[last].place = f->place;
		f->place = -1;
	}
	/*
	 * What is not released yet arrived in the window that is open now, the last to end: the
	 * list's order holds.
	 */
	if (ready || !f->head)
		list_del_init(&f->gather);
	else if (list_empty(&f->gather))
		list_add_tail(&f->gather, &p->gather);
}

static void tfc_append(struct Qdisc *sch, struct tfc_peer *p, struct tfc_flow *f,
		       struct sk_buff *skb)
{
	skb->next = NULL;
	if (f->head) {
		f->tail->next = skb;
	} else {
		f->head = skb;
		p->circuits++;
	}
	f->tail = skb;
	f->qlen++;
	p->waiting++;
	sch->q.qlen++;
	qdisc_qstats_backlog_inc(sch, skb);
}

/* Takes the head off, without settling the flow. NULL if there is none. */
static struct sk_buff *tfc_take(struct Qdisc *sch, struct tfc_peer *p, struct tfc_flow *f)
{
	struct sk_buff *skb = f->head;

	if (!skb)
		return NULL;
	f->head = skb->next;
	skb_mark_not_on_list(skb);
	if (!f->head)
		p->circuits--;
	f->qlen--;
	p->waiting--;
	sch->q.qlen--;
	qdisc_qstats_backlog_dec(sch, skb);
	return skb;
}

static struct tfc_flow *tfc_longest(struct tfc_peer *p)
{
	struct tfc_flow *f = p->flow;
	u32 i;

	for (i = 1; i < p->nflows; i++)
		if (p->flow[i].qlen > f->qlen)
			f = &p->flow[i];
	return f;
}

/* Drops the oldest of the longest until no more than @limit wait; needs RTNL. */
static void tfc_trim(struct Qdisc *sch, struct tfc_peer *p, u32 limit, u64 *counter)
{
	u64 now = ktime_get_ns();

	while (p->waiting > limit) {
		struct tfc_flow *f = tfc_longest(p);
		struct sk_buff *skb = tfc_take(sch, p, f);

		tfc_settle(p, f, now);
		qdisc_qstats_drop(sch);
		(*counter)++;
		rtnl_kfree_skbs(skb, skb);
	}
}

/* Forgets all that waits; needs RTNL. */
static void tfc_purge(struct Qdisc *sch, struct tfc_peer *p)
{
	struct tfc_flow *f;

	for (f = p->flow; f < p->flow + p->nflows; f++) {
		struct sk_buff *skb;

		while ((skb = tfc_take(sch, p, f)))
			rtnl_kfree_skbs(skb, skb);
		tfc_settle(p, f, 0);
		codel_vars_init(&f->codel);
	}
}

/*
 * Leaving: what a turn sends
 */

/* Of one turn, for CoDel's callbacks. */
struct tfc_leaving {
	struct Qdisc *sch;
	struct tfc_peer *p;
	u64 now;
};

/*
 * CoDel leaves alone a flow whose backlog is at most params->mtu: all packets have one size, so
 * both count packets here.
 */
static u32 tfc_codel_len(const struct sk_buff *skb)
{
	return 1;
}

/* How long a packet was held for its window says nothing about the queue. */
static codel_time_t tfc_codel_time(const struct sk_buff *skb)
{
	return tfc_cb(skb)->release >> CODEL_SHIFT;
}

static void tfc_codel_drop(struct sk_buff *skb, void *ctx)
{
	struct tfc_leaving *leaving = ctx;

	leaving->p->x.drop_aqm++;
	qdisc_qstats_drop(leaving->sch);
	kfree_skb(skb);
}

static struct sk_buff *tfc_codel_take(struct codel_vars *vars, void *ctx)
{
	struct tfc_flow *f = container_of(vars, struct tfc_flow, codel);
	struct tfc_leaving *leaving = ctx;

	return tfc_can_send(f, leaving->now) ? tfc_take(leaving->sch, leaving->p, f) : NULL;
}

/*
 * What queues below sort, pace or route packets by is the same for all of them, for the wire would
 * show it: ESP's sequence numbers tell the order in which packets left here. A sender's socket was
 * charged for as long as its packet waited, so that it does not send faster than we do. And ESP
 * copies the flow label to an outer IPv6 header.
 */
static void tfc_make_alike(struct sk_buff *skb)
{
	struct ipv6hdr *ip6 = (struct ipv6hdr *)skb->data;

	skb_orphan(skb);
	skb_clear_hash(skb);
	skb_set_queue_mapping(skb, 0);
#ifdef CONFIG_XPS
	skb->sender_cpu = 0;
#endif
	skb->priority = 0;
	skb->mark = 0;
	if (skb->protocol == htons(ETH_P_IPV6))
		ip6_flow_hdr(ip6, ip6_tclass(ip6_flowinfo(ip6)), 0);
}

/* A packet of traffic, of a flow drawn among those that can send; NULL if none can. */
static struct sk_buff *tfc_real(struct Qdisc *sch, struct tfc_peer *p, u64 now)
{
	struct tfc_leaving leaving = { .sch = sch, .p = p, .now = now };
	struct tfc_sched *q = qdisc_priv(sch);
	struct tfc_flow *f;

	while ((f = list_first_entry_or_null(&p->gather, struct tfc_flow, gather)) &&
	       tfc_can_send(f, now))
		tfc_settle(p, f, now);

	while (p->nready) {
		struct sk_buff *skb;
		u64 wait;

		f = &p->flow[p->ready[tfc_choose(get_random_u32(), p->nready)]];
		skb = codel_dequeue(&leaving, &f->qlen, &p->codel, &f->codel, &q->codel,
				    tfc_codel_len, tfc_codel_time, tfc_codel_drop, tfc_codel_take);
		tfc_settle(p, f, now);
		if (!skb)
			continue;
		wait = now - tfc_cb(skb)->enqueued;
		p->x.real++;
		p->x.wait_ns += wait;
		p->x.wait_max_ns = max(p->x.wait_max_ns, wait);
		tfc_make_alike(skb);
		return skb;
	}
	return NULL;
}

/* A packet of @size zeros, with room around them, or NULL. */
static struct sk_buff *tfc_blank(u32 size, gfp_t gfp)
{
	struct sk_buff *skb = alloc_skb(TFC_HEADROOM + size + TFC_TAILROOM, gfp | __GFP_NOWARN);

	if (!skb)
		return NULL;
	skb_reserve(skb, TFC_HEADROOM);
	skb_put_zero(skb, size);
	return skb;
}

static u32 tfc_reserve_size(const struct tfc_sched *q)
{
	return clamp_t(u32, 2 * READ_ONCE(q->classes.hashelems), TFC_RESERVE_MIN, TFC_RESERVE_MAX);
}

/* Allocates cover ahead, where one may sleep for memory. Runs without the root lock. */
static void tfc_fill_work(struct work_struct *work)
{
	struct tfc_sched *q = container_of(work, struct tfc_sched, fill);

	while (skb_queue_len_lockless(&q->reserve) < tfc_reserve_size(q)) {
		struct sk_buff *skb = tfc_blank(READ_ONCE(q->conf.size), GFP_KERNEL);

		if (!skb)
			break;
		skb_queue_tail(&q->reserve, skb);
	}
}

static struct sk_buff *tfc_cover(struct Qdisc *sch, struct tfc_peer *p)
{
	struct tfc_sched *q = qdisc_priv(sch);
	struct sk_buff *skb;
	struct ipv6hdr *ip6;

	/* The size may have changed since. */
	while ((skb = skb_dequeue(&q->reserve)) && skb->len != q->conf.size)
		kfree_skb(skb);
	if (skb_queue_len_lockless(&q->reserve) < tfc_reserve_size(q) / 2)
		schedule_work(&q->fill);
	if (!skb)
		skb = tfc_blank(q->conf.size, GFP_ATOMIC);
	if (!skb)
		return NULL;

	ip6 = (struct ipv6hdr *)skb->data;
	ip6_flow_hdr(ip6, 0, 0);
	ip6->payload_len = htons(skb->len - sizeof(*ip6));
	ip6->nexthdr = NEXTHDR_NONE;
	ip6->hop_limit = IPV6_DEFAULT_HOPLIMIT;
	ip6->saddr = p->src;
	ip6->daddr = p->dst;
	/* It has no route: the device finds one by the addresses. */
	skb->protocol = htons(ETH_P_IPV6);
	skb->dev = qdisc_dev(sch);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(*ip6));
	qdisc_skb_cb(skb)->pkt_len = skb->len;
	p->x.cover++;
	return skb;
}

/*
 * The peer's turn has come: its packet, or NULL if it is not to have one or there is none to be
 * had.
 */
static struct sk_buff *tfc_turn(struct Qdisc *sch, struct tfc_peer *p, u64 now)
{
	struct tfc_sched *q = qdisc_priv(sch);
	u64 late = now - p->at, begun;
	struct sk_buff *skb;

	if (late > p->interval) {
		begun = tfc_begun(p->slot, p->interval, now);
		p->x.missed += begun;
		p->slot += begun * p->interval;
		tfc_plan(q, p);
		return NULL;
	}
	if (q->conf.idle && !p->waiting && now - p->heard > q->conf.idle) {
		tfc_stop(q, p);
		return NULL;
	}

	skb = tfc_real(sch, p, now);
	p->turns++;
	p->busy += !!skb;
	if (!skb)
		skb = tfc_cover(sch, p);
	p->slot += p->interval;
	tfc_plan(q, p);
	if (!skb) {
		p->x.missed++;
		return NULL;
	}
	p->x.late_ns += late;
	p->x.late_max_ns = max(p->x.late_max_ns, late);
	bstats_update(&p->bstats, skb);
	qdisc_bstats_update(sch, skb);
	return skb;
}

static struct sk_buff *tfc_dequeue(struct Qdisc *sch)
{
	struct tfc_sched *q = qdisc_priv(sch);
	u64 now = ktime_get_ns();
	struct sk_buff *skb;
	struct tfc_peer *p;

	while ((p = tfc_first(q)) && p->at <= now) {
		skb = tfc_turn(sch, p, now);
		if (skb)
			return skb;
	}
	tfc_arm(q);
	return NULL;
}

/* Nothing may be had before its turn. Only a parent asks, and we have none. */
static struct sk_buff *tfc_peek(struct Qdisc *sch)
{
	return NULL;
}

/*
 * Arriving
 */

/* What makes a packet one circuit's, as it is hashed. */
struct tfc_circuit {
	struct in6_addr src, dst; /* IPv4: the first 32 bits */
	__be32 spi;		  /* ESP only */
	u32 protocol;
} __aligned(SIPHASH_ALIGNMENT);

/*
 * Reads the headers. False unless it is an IP packet from its first byte to its last, and no longer
 * than @size.
 */
static bool tfc_parse(const struct sk_buff *skb, u32 size, struct tfc_circuit *c)
{
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} buffer;
	const struct ipv6hdr *ip6;
	const struct iphdr *ip4;
	const __be32 *spi;
	__be32 word;
	int header;

	memset(c, 0, sizeof(*c));
	if (skb->len > size)
		return false;
	if (skb->protocol == htons(ETH_P_IPV6)) {
		ip6 = skb_header_pointer(skb, 0, sizeof(buffer.v6), &buffer);
		if (!ip6 || ip6->version != 6 || ntohs(ip6->payload_len) + sizeof(*ip6) != skb->len)
			return false;
		header = sizeof(*ip6);
		c->protocol = ip6->nexthdr;
		c->src = ip6->saddr;
		c->dst = ip6->daddr;
	} else if (skb->protocol == htons(ETH_P_IP)) {
		ip4 = skb_header_pointer(skb, 0, sizeof(buffer.v4), &buffer);
		if (!ip4 || ip4->version != 4 || ip4->ihl < 5 || ntohs(ip4->tot_len) != skb->len)
			return false;
		header = ip4->ihl * 4;
		c->protocol = ip4->protocol;
		c->src.s6_addr32[0] = ip4->saddr;
		c->dst.s6_addr32[0] = ip4->daddr;
	} else {
		return false;
	}
	if (c->protocol == IPPROTO_ESP) {
		spi = skb_header_pointer(skb, header, sizeof(word), &word);
		if (spi)
			c->spi = *spi;
	}
	return header <= skb->len;
}

static struct hlist_head *tfc_bucket(const struct tfc_sched *q, const struct in6_addr *dst)
{
	return &q->by_dst[siphash(dst, sizeof(*dst), &q->key) & (TFC_BUCKETS - 1)];
}

static struct tfc_peer *tfc_find_dst(const struct tfc_sched *q, const struct in6_addr *dst)
{
	struct tfc_peer *p;

	hlist_for_each_entry(p, tfc_bucket(q, dst), by_dst)
		if (ipv6_addr_equal(&p->dst, dst))
			return p;
	return NULL;
}

static struct tfc_peer *tfc_peer_of(const struct tfc_sched *q, const struct sk_buff *skb,
				    const struct tfc_circuit *c)
{
	if (!q->conf.shared)
		return q->only;
	return skb->protocol == htons(ETH_P_IPV6) ? tfc_find_dst(q, &c->dst) : NULL;
}

/*
 * Pads a packet to @size: linear, no other's, with room for ESP. The sum is computed first, over
 * what the packet is. False, with the packet as whole as it was, if there is no memory.
 */
static bool tfc_pad(struct sk_buff *skb, u32 size)
{
	int head = TFC_HEADROOM - (int)skb_headroom(skb);
	int tail = (int)(size - skb_headlen(skb)) + TFC_TAILROOM - (int)(skb->end - skb->tail);

	if ((skb_cloned(skb) || head > 0 || tail > 0) &&
	    pskb_expand_head(skb, SKB_DATA_ALIGN(max(head, 0)), max(tail, 0), GFP_ATOMIC))
		return false;
	if (skb_linearize(skb))
		return false;
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_csum_hwoffload_help(skb, 0))
		return false;
	skb_put_zero(skb, size - skb->len);
	qdisc_skb_cb(skb)->pkt_len = size;
	return true;
}

/*
 * Makes room at the expense of the longest flow, which it returns; NULL if nothing waits for this
 * peer.
 */
static struct tfc_flow *tfc_make_room(struct Qdisc *sch, struct tfc_peer *p, u64 now,
				      struct sk_buff **to_free)
{
	struct tfc_flow *f = tfc_longest(p);
	struct sk_buff *skb = tfc_take(sch, p, f);

	p->x.drop_full++;
	if (!skb)
		return NULL;
	tfc_settle(p, f, now);
	qdisc_qstats_drop(sch);
	__qdisc_drop(skb, to_free);
	return f;
}

/*
 * With esp4_offload or esp6_offload loaded, the ESP of a circuit whose packets leave by this device
 * is put off until the packet has left the qdisc. What is padded has to be the whole packet, so it
 * is done here (validate_xmit_xfrm). Should the cipher answer later, the packet would go straight
 * to its device, past us: then that is one which drops it.
 *
 * Returns the packet, or NULL: it is gone.
 */
static struct sk_buff *tfc_encrypt(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	bool again = false;

	if (!xfrm_offload(skb))
		return skb;
	skb->dev = blackhole_netdev;
	skb = validate_xmit_xfrm(skb, 0, &again);
	if (!skb)
		return NULL;
	skb->dev = dev;
	if (!again && !xfrm_offload(skb))
		return skb;
	kfree_skb(skb);
	return NULL;
}

/* One packet, not GSO, joins its flow, padded. */
static int tfc_arrive(struct sk_buff *skb, struct Qdisc *sch, struct sk_buff **to_free)
{
	struct tfc_sched *q = qdisc_priv(sch);
	struct tfc_flow *f, *shortened = NULL;
	u64 now = ktime_get_ns();
	struct tfc_circuit c;
	struct tfc_peer *p;

	skb = tfc_encrypt(skb);
	if (!skb) {
		q->past.drop_memory++;
		qdisc_qstats_drop(sch);
		return NET_XMIT_DROP;
	}
	if (!tfc_parse(skb, q->conf.size, &c)) {
		q->past.drop_size++;
		return qdisc_drop(skb, sch, to_free);
	}
	p = tfc_peer_of(q, skb, &c);
	if (!p) {
		q->past.drop_nobody++;
		return qdisc_drop(skb, sch, to_free);
	}
	if (skb_shared(skb) || !tfc_pad(skb, q->conf.size)) {
		p->x.drop_memory++;
		return qdisc_drop(skb, sch, to_free);
	}
	if (!tfc_room(p->waiting, q->conf.limit, sch->q.qlen, TFC_WAIT_MAX)) {
		shortened = tfc_make_room(sch, p, now, to_free);
		if (!shortened)
			return qdisc_drop(skb, sch, to_free);
	}

	f = &p->flow[reciprocal_scale(siphash(&c, sizeof(c), &q->key), p->nflows)];
	tfc_cb(skb)->enqueued = now;
	tfc_cb(skb)->release = tfc_release(now, q->conf.window);
	tfc_append(sch, p, f, skb);
	tfc_settle(p, f, now);
	p->heard = now;
	if (!p->on)
		tfc_start(q, p, now);
	return shortened == f ? NET_XMIT_CN : NET_XMIT_SUCCESS;
}

/* What the stack left to be split is split here: each part has a turn of its own. */
static int tfc_enqueue(struct sk_buff *skb, struct Qdisc *sch, struct sk_buff **to_free)
{
	struct tfc_sched *q = qdisc_priv(sch);
	struct sk_buff *parts, *next;
	int err = NET_XMIT_DROP;

	if (!skb_is_gso(skb))
		return tfc_arrive(skb, sch, to_free);

	parts = skb_gso_segment(skb, 0);
	if (IS_ERR_OR_NULL(parts)) {
		q->past.drop_memory++;
		return qdisc_drop(skb, sch, to_free);
	}
	skb_list_walk_safe(parts, parts, next) {
		skb_mark_not_on_list(parts);
		if (tfc_arrive(parts, sch, to_free) != NET_XMIT_DROP)
			err = NET_XMIT_SUCCESS;
	}
	consume_skb(skb);
	return err;
}

/*
 * Far ends: the classes
 */

static const struct nla_policy tfc_peer_policy[TCA_TFC_PEER_MAX + 1] = {
	[TCA_TFC_PEER_SRC] = NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
	[TCA_TFC_PEER_DST] = NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
};

static unsigned long tfc_find(struct Qdisc *sch, u32 classid)
{
	struct tfc_sched *q = qdisc_priv(sch);
	struct Qdisc_class_common *common = qdisc_class_find(&q->classes, classid);

	return common ? (unsigned long)container_of(common, struct tfc_peer, common) : 0;
}

static struct Qdisc *tfc_leaf(struct Qdisc *sch, unsigned long cl)
{
	return NULL;
}

static int tfc_graft(struct Qdisc *sch, unsigned long cl, struct Qdisc *new, struct Qdisc **old,
		     struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG_MOD(extack, "a far end has no queueing discipline of its own");
	return -EOPNOTSUPP;
}

static struct tfc_peer *tfc_peer_alloc(bool shared)
{
	u32 n = shared ? TFC_FLOWS_SHARED : TFC_FLOWS, i;
	struct tfc_peer *p;

	p = kvzalloc(struct_size(p, flow, n) + n * sizeof(*p->ready), GFP_KERNEL_ACCOUNT);
	if (!p)
		return NULL;
	p->nflows = n;
	p->ready = (u16 *)(p->flow + n);
	INIT_LIST_HEAD(&p->gather);
	gnet_stats_basic_sync_init(&p->bstats);
	codel_params_init(&p->codel);
	p->codel.mtu = 1;
	for (i = 0; i < n; i++) {
		INIT_LIST_HEAD(&p->flow[i].gather);
		codel_vars_init(&p->flow[i].codel);
		p->flow[i].place = -1;
	}
	return p;
}

/* May there be one more? 0, or a negative error that extack explains. */
static int tfc_may_add(const struct tfc_sched *q, u32 classid, u32 parentid,
		       const struct in6_addr *dst, struct netlink_ext_ack *extack)
{
	if (!TC_H_MIN(classid) || (parentid != TC_H_ROOT && TC_H_MIN(parentid))) {
		NL_SET_ERR_MSG_MOD(extack,
				   "a far end is a class of the queueing discipline itself");
		return -EINVAL;
	}
	if (ipv6_addr_any(dst) || ipv6_addr_is_multicast(dst)) {
		NL_SET_ERR_MSG_MOD(extack, "cover's destination has to be one host");
		return -EINVAL;
	}
	if (!q->conf.shared && q->only) {
		NL_SET_ERR_MSG_MOD(extack, "the device is not shared and has its far end");
		return -EBUSY;
	}
	if (q->conf.shared && tfc_find_dst(q, dst)) {
		NL_SET_ERR_MSG_MOD(extack, "another far end has this address");
		return -EEXIST;
	}
	if (q->classes.hashelems >= TFC_PEERS_MAX) {
		NL_SET_ERR_MSG_MOD(extack, "too many far ends");
		return -ENOSPC;
	}
	return 0;
}

static void tfc_add(struct Qdisc *sch, struct tfc_peer *p)
{
	struct tfc_sched *q = qdisc_priv(sch);

	sch_tree_lock(sch);
	qdisc_class_hash_insert(&q->classes, &p->common);
	if (q->conf.shared)
		hlist_add_head(&p->by_dst, tfc_bucket(q, &p->dst));
	else
		q->only = p;
	tfc_set_step(q, p, 0);
	if (tfc_active(sch)) {
		tfc_start(q, p, ktime_get_ns());
		tfc_arm(q);
	} else {
		schedule_delayed_work(&q->start, TFC_RETRY);
	}
	sch_tree_unlock(sch);
	qdisc_class_hash_grow(sch, &q->classes);
	schedule_work(&q->fill);
}

static int tfc_change_class(struct Qdisc *sch, u32 classid, u32 parentid, struct nlattr **tca,
			    unsigned long *arg, struct netlink_ext_ack *extack)
{
	struct tfc_sched *q = qdisc_priv(sch);
	struct nlattr *opt = tca[TCA_OPTIONS], *tb[TCA_TFC_PEER_MAX + 1];
	struct tfc_peer *p = (struct tfc_peer *)*arg;
	struct in6_addr src, dst;
	int err;

	if (!opt) {
		NL_SET_ERR_MSG_MOD(extack, "a far end needs its two addresses");
		return -EINVAL;
	}
	err = nla_parse(tb, TCA_TFC_PEER_MAX, nla_data(opt), nla_len(opt), tfc_peer_policy, extack);
	if (err)
		return err;
	if (!tb[TCA_TFC_PEER_SRC] || !tb[TCA_TFC_PEER_DST]) {
		NL_SET_ERR_MSG_MOD(extack, "a far end needs its two addresses");
		return -EINVAL;
	}
	if (tca[TCA_RATE]) {
		NL_SET_ERR_MSG_MOD(extack, "far ends have no rate estimators");
		return -EOPNOTSUPP;
	}
	src = nla_get_in6_addr(tb[TCA_TFC_PEER_SRC]);
	dst = nla_get_in6_addr(tb[TCA_TFC_PEER_DST]);
	if (p) {
		if (ipv6_addr_equal(&p->src, &src) && ipv6_addr_equal(&p->dst, &dst))
			return 0;
		NL_SET_ERR_MSG_MOD(extack, "a far end's addresses cannot change");
		return -EOPNOTSUPP;
	}
	err = tfc_may_add(q, classid, parentid, &dst, extack);
	if (err)
		return err;
	p = tfc_peer_alloc(q->conf.shared);
	if (!p)
		return -ENOMEM;
	p->common.classid = classid;
	p->src = src;
	p->dst = dst;
	tfc_add(sch, p);
	*arg = (unsigned long)p;
	return 0;
}

/* Adds up the counters: sums are sums, and the worst is the worst of both. */
static void tfc_sum(struct tc_tfc_xstats *sum, const struct tc_tfc_xstats *x)
{
	sum->real += x->real;
	sum->cover += x->cover;
	sum->missed += x->missed;
	sum->late_ns += x->late_ns;
	sum->late_max_ns = max(sum->late_max_ns, x->late_max_ns);
	sum->wait_ns += x->wait_ns;
	sum->wait_max_ns = max(sum->wait_max_ns, x->wait_max_ns);
	sum->drop_size += x->drop_size;
	sum->drop_full += x->drop_full;
	sum->drop_aqm += x->drop_aqm;
	sum->drop_nobody += x->drop_nobody;
	sum->drop_memory += x->drop_memory;
	sum->changes += x->changes;
}

static int tfc_delete(struct Qdisc *sch, unsigned long cl, struct netlink_ext_ack *extack)
{
	struct tfc_peer *p = (struct tfc_peer *)cl;
	struct tfc_sched *q = qdisc_priv(sch);

	sch_tree_lock(sch);
	tfc_stop(q, p);
	tfc_purge(sch, p);
	qdisc_class_hash_remove(&q->classes, &p->common);
	if (q->conf.shared)
		hlist_del(&p->by_dst);
	else
		q->only = NULL;
	tfc_sum(&q->past, &p->x);
	sch_tree_unlock(sch);
	kvfree(p);
	return 0;
}

static void tfc_walk(struct Qdisc *sch, struct qdisc_walker *arg)
{
	struct tfc_sched *q = qdisc_priv(sch);
	struct tfc_peer *p;
	unsigned int i;

	if (arg->stop)
		return;
	for (i = 0; i < q->classes.hashsize; i++)
		hlist_for_each_entry(p, &q->classes.hash[i], common.hnode)
			if (!tc_qdisc_stats_dump(sch, (unsigned long)p, arg))
				return;
}

static int tfc_dump_class(struct Qdisc *sch, unsigned long cl, struct sk_buff *skb,
			  struct tcmsg *tcm)
{
	struct tfc_peer *p = (struct tfc_peer *)cl;
	struct nlattr *nest;

	tcm->tcm_handle = p->common.classid;
	nest = nla_nest_start_noflag(skb, TCA_OPTIONS);
	if (!nest)
		return -EMSGSIZE;
	if (nla_put_in6_addr(skb, TCA_TFC_PEER_SRC, &p->src) ||
	    nla_put_in6_addr(skb, TCA_TFC_PEER_DST, &p->dst)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	return nla_nest_end(skb, nest);
}

/* Adds what is now to what has been. */
static void tfc_gauge(struct tc_tfc_xstats *x, const struct tfc_peer *p)
{
	x->waiting += p->waiting;
	x->circuits += p->circuits;
	x->on += p->on;
	x->peers++;
}

static int tfc_dump_class_stats(struct Qdisc *sch, unsigned long cl, struct gnet_dump *d)
{
	struct tfc_peer *p = (struct tfc_peer *)cl;
	struct tfc_sched *q = qdisc_priv(sch);
	struct gnet_stats_queue queue = {};
	struct tc_tfc_xstats x;

	sch_tree_lock(sch);
	x = p->x;
	tfc_gauge(&x, p);
	x.step = p->step;
	sch_tree_unlock(sch);

	queue.drops = x.drop_full + x.drop_aqm + x.drop_size + x.drop_memory;
	queue.backlog = x.waiting * q->conf.size;
	if (gnet_stats_copy_basic(d, NULL, &p->bstats, true) < 0 ||
	    gnet_stats_copy_queue(d, NULL, &queue, x.waiting) < 0)
		return -1;
	return gnet_stats_copy_app(d, &x, sizeof(x));
}

static const struct Qdisc_class_ops tfc_class_ops = {
	.find = tfc_find,
	.leaf = tfc_leaf,
	.graft = tfc_graft,
	.change = tfc_change_class,
	.delete = tfc_delete,
	.walk = tfc_walk,
	.dump = tfc_dump_class,
	.dump_stats = tfc_dump_class_stats,
};

/*
 * The queueing discipline itself
 */

static struct netlink_range_validation tfc_interval_range = {
	.min = TFC_INTERVAL_MIN,
	.max = TFC_INTERVAL_MAX,
};
static struct netlink_range_validation tfc_step_range = { .min = 1, .max = TFC_TIME_MAX };
static struct netlink_range_validation tfc_idle_range = { .max = TFC_TIME_MAX };
static struct netlink_range_validation tfc_window_range = { .max = TFC_WINDOW_MAX };

static const struct nla_policy tfc_policy[TCA_TFC_MAX + 1] = {
	[TCA_TFC_SIZE] = NLA_POLICY_RANGE(NLA_U32, TFC_SIZE_MIN, TFC_SIZE_MAX),
	[TCA_TFC_INTERVAL] = NLA_POLICY_FULL_RANGE(NLA_U64, &tfc_interval_range),
	[TCA_TFC_STEPS] = NLA_POLICY_RANGE(NLA_U32, 1, TFC_STEPS_MAX),
	[TCA_TFC_STEP_TIME] = NLA_POLICY_FULL_RANGE(NLA_U64, &tfc_step_range),
	[TCA_TFC_IDLE] = NLA_POLICY_FULL_RANGE(NLA_U64, &tfc_idle_range),
	[TCA_TFC_WINDOW] = NLA_POLICY_FULL_RANGE(NLA_U64, &tfc_window_range),
	[TCA_TFC_LIMIT] = NLA_POLICY_RANGE(NLA_U32, 1, TFC_LIMIT_MAX),
	[TCA_TFC_SHARED] = NLA_POLICY_MAX(NLA_U8, 1),
};

/* Overwrites in @conf what the message says. 0, or a negative error that extack explains. */
static int tfc_read_conf(struct tfc_conf *conf, struct nlattr *opt, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[TCA_TFC_MAX + 1];
	int err;

	err = nla_parse(tb, TCA_TFC_MAX, nla_data(opt), nla_len(opt), tfc_policy, extack);
	if (err)
		return err;
	if (tb[TCA_TFC_SIZE])
		conf->size = nla_get_u32(tb[TCA_TFC_SIZE]);
	if (tb[TCA_TFC_INTERVAL])
		conf->interval = nla_get_u64(tb[TCA_TFC_INTERVAL]);
	if (tb[TCA_TFC_STEPS])
		conf->steps = nla_get_u32(tb[TCA_TFC_STEPS]);
	if (tb[TCA_TFC_STEP_TIME])
		conf->step_time = nla_get_u64(tb[TCA_TFC_STEP_TIME]);
	if (tb[TCA_TFC_IDLE])
		conf->idle = nla_get_u64(tb[TCA_TFC_IDLE]);
	if (tb[TCA_TFC_WINDOW])
		conf->window = nla_get_u64(tb[TCA_TFC_WINDOW]);
	if (tb[TCA_TFC_LIMIT])
		conf->limit = nla_get_u32(tb[TCA_TFC_LIMIT]);
	if (tb[TCA_TFC_SHARED])
		conf->shared = nla_get_u8(tb[TCA_TFC_SHARED]);
	return 0;
}

static int tfc_check_conf(const struct Qdisc *sch, const struct tfc_conf *conf,
			  struct netlink_ext_ack *extack)
{
	if (!conf->size || !conf->interval) {
		NL_SET_ERR_MSG_MOD(extack, "size and interval have no default");
		return -EINVAL;
	}
	if (conf->size > READ_ONCE(qdisc_dev(sch)->mtu)) {
		NL_SET_ERR_MSG_MOD(extack, "the size exceeds the device's MTU");
		return -EINVAL;
	}
	return 0;
}

static bool tfc_same_turns(const struct tfc_conf *a, const struct tfc_conf *b)
{
	return a->interval == b->interval && a->steps == b->steps && a->step_time == b->step_time;
}

/* Makes a change of the configuration true for one far end. */
static void tfc_reconf(struct Qdisc *sch, struct tfc_peer *p, const struct tfc_conf *old)
{
	struct tfc_sched *q = qdisc_priv(sch);

	/* What waits has the old size, and the wire is to see no other than the new one. */
	if (q->conf.size != old->size)
		tfc_trim(sch, p, 0, &p->x.drop_size);
	tfc_trim(sch, p, q->conf.limit, &p->x.drop_full);
	if (!p->on)
		tfc_set_step(q, p, 0);
	if (p->on ? !tfc_same_turns(&q->conf, old) : tfc_active(sch) && q->conf.idle != old->idle)
		tfc_start(q, p, ktime_get_ns());
}

static int tfc_change(struct Qdisc *sch, struct nlattr *opt, struct netlink_ext_ack *extack)
{
	struct tfc_sched *q = qdisc_priv(sch);
	struct tfc_conf old = q->conf, conf = old;
	struct tfc_peer *p;
	unsigned int i;
	int err;

	err = tfc_read_conf(&conf, opt, extack);
	if (!err)
		err = tfc_check_conf(sch, &conf, extack);
	if (err)
		return err;
	if (conf.shared != old.shared) {
		NL_SET_ERR_MSG_MOD(extack, "a device that is shared stays so, and one that is not");
		return -EOPNOTSUPP;
	}
	sch_tree_lock(sch);
	q->conf = conf;
	for (i = 0; i < q->classes.hashsize; i++)
		hlist_for_each_entry(p, &q->classes.hash[i], common.hnode)
			tfc_reconf(sch, p, &old);
	tfc_arm(q);
	sch_tree_unlock(sch);
	return 0;
}

static int tfc_check_device(const struct Qdisc *sch, struct netlink_ext_ack *extack)
{
	const struct net_device *dev = qdisc_dev(sch);

	/*
	 * Cover takes a processor's time at the rate that was asked for, for no process and in no
	 * control group: who is root of a user namespace of his own may not have it.
	 */
	if (!capable(CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG_MOD(extack, "CAP_NET_ADMIN of the initial user namespace is needed");
		return -EPERM;
	}
	if (sch->parent != TC_H_ROOT || netif_is_multiqueue(dev)) {
		NL_SET_ERR_MSG_MOD(extack, "only as the root of a device with one queue");
		return -EOPNOTSUPP;
	}
	if (!dev->rtnl_link_ops || strcmp(dev->rtnl_link_ops->kind, "xfrm")) {
		NL_SET_ERR_MSG_MOD(
			extack, "only for xfrm interfaces: cover and padding have to be encrypted");
		return -EOPNOTSUPP;
	}
	if (((const struct xfrm_if *)netdev_priv(dev))->p.collect_md) {
		NL_SET_ERR_MSG_MOD(extack,
				   "not for an xfrm interface that is told by metadata what to do");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int tfc_init(struct Qdisc *sch, struct nlattr *opt, struct netlink_ext_ack *extack)
{
	struct tfc_sched *q = qdisc_priv(sch);
	int err;

	/* What tfc_destroy needs comes first: it is called after a failure too. */
	qdisc_watchdog_init(&q->watchdog, sch);
	INIT_WORK(&q->fill, tfc_fill_work);
	INIT_DELAYED_WORK(&q->start, tfc_start_work);
	skb_queue_head_init(&q->reserve);

	err = tfc_check_device(sch, extack);
	if (err)
		return err;
	if (!opt) {
		NL_SET_ERR_MSG_MOD(extack, "size and interval have no default");
		return -EINVAL;
	}
	q->tree = RB_ROOT_CACHED;
	q->conf = (struct tfc_conf){ .steps = 1, .step_time = 10ull * NSEC_PER_SEC, .limit = 1000 };
	codel_stats_init(&q->codel);
	get_random_bytes(&q->key, sizeof(q->key));
	err = tfc_read_conf(&q->conf, opt, extack);
	if (!err)
		err = tfc_check_conf(sch, &q->conf, extack);
	if (!err)
		err = qdisc_class_hash_init(&q->classes);
	if (err || !q->conf.shared)
		return err;
	q->by_dst = kvcalloc(TFC_BUCKETS, sizeof(*q->by_dst), GFP_KERNEL_ACCOUNT);
	return q->by_dst ? 0 : -ENOMEM;
}

/*
 * The device went down, or the qdisc goes: nothing waits any more and nobody has turns, until
 * tfc_start_work.
 */
static void tfc_reset(struct Qdisc *sch)
{
	struct tfc_sched *q = qdisc_priv(sch);
	struct tfc_peer *p;
	unsigned int i;

	qdisc_watchdog_cancel(&q->watchdog);
	for (i = 0; i < q->classes.hashsize; i++)
		hlist_for_each_entry(p, &q->classes.hash[i], common.hnode) {
			tfc_stop(q, p);
			tfc_purge(sch, p);
		}
	if (q->classes.hashelems)
		schedule_delayed_work(&q->start, TFC_RETRY);
}

static void tfc_destroy(struct Qdisc *sch)
{
	struct tfc_sched *q = qdisc_priv(sch);
	struct hlist_node *next;
	struct tfc_peer *p;
	unsigned int i;

	cancel_delayed_work_sync(&q->start);
	cancel_work_sync(&q->fill);
	qdisc_watchdog_cancel(&q->watchdog);
	for (i = 0; i < q->classes.hashsize; i++)
		hlist_for_each_entry_safe(p, next, &q->classes.hash[i], common.hnode)
			kvfree(p);
	qdisc_class_hash_destroy(&q->classes);
	kvfree(q->by_dst);
	skb_queue_purge(&q->reserve);
}

static int tfc_dump(struct Qdisc *sch, struct sk_buff *skb)
{
	const struct tfc_conf *conf = &((struct tfc_sched *)qdisc_priv(sch))->conf;
	struct nlattr *nest = nla_nest_start_noflag(skb, TCA_OPTIONS);

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u32(skb, TCA_TFC_SIZE, conf->size) ||
	    nla_put_u64_64bit(skb, TCA_TFC_INTERVAL, conf->interval, TCA_TFC_PAD) ||
	    nla_put_u32(skb, TCA_TFC_STEPS, conf->steps) ||
	    nla_put_u64_64bit(skb, TCA_TFC_STEP_TIME, conf->step_time, TCA_TFC_PAD) ||
	    nla_put_u64_64bit(skb, TCA_TFC_IDLE, conf->idle, TCA_TFC_PAD) ||
	    nla_put_u64_64bit(skb, TCA_TFC_WINDOW, conf->window, TCA_TFC_PAD) ||
	    nla_put_u32(skb, TCA_TFC_LIMIT, conf->limit) ||
	    nla_put_u8(skb, TCA_TFC_SHARED, conf->shared)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	return nla_nest_end(skb, nest);
}

static int tfc_dump_stats(struct Qdisc *sch, struct gnet_dump *d)
{
	struct tfc_sched *q = qdisc_priv(sch);
	struct tc_tfc_xstats x;
	struct tfc_peer *p;
	unsigned int i;

	sch_tree_lock(sch);
	x = q->past;
	for (i = 0; i < q->classes.hashsize; i++)
		hlist_for_each_entry(p, &q->classes.hash[i], common.hnode) {
			tfc_sum(&x, &p->x);
			tfc_gauge(&x, p);
		}
	sch_tree_unlock(sch);
	return gnet_stats_copy_app(d, &x, sizeof(x));
}

static struct Qdisc_ops tfc_qdisc_ops __read_mostly = {
	.id = TFC_KIND,
	.priv_size = sizeof(struct tfc_sched),
	.cl_ops = &tfc_class_ops,
	.enqueue = tfc_enqueue,
	.dequeue = tfc_dequeue,
	.peek = tfc_peek,
	.init = tfc_init,
	.reset = tfc_reset,
	.destroy = tfc_destroy,
	.change = tfc_change,
	.dump = tfc_dump,
	.dump_stats = tfc_dump_stats,
	.owner = THIS_MODULE,
};

static int __init tfc_module_init(void)
{
	return tfc_selftest() ?: register_qdisc(&tfc_qdisc_ops);
}

static void __exit tfc_module_exit(void)
{
	unregister_qdisc(&tfc_qdisc_ops);
}

module_init(tfc_module_init);
module_exit(tfc_module_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION(
	"Traffic-flow confidentiality for overlay links: one size, turns, cover, mixing");
/* How older and newer kernels ask for the module of a kind of qdisc. */
MODULE_ALIAS("sch_" TFC_KIND);
MODULE_ALIAS("net-sch-" TFC_KIND);
