/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * What the queueing discipline "anon_tfc" and those who configure it say to each other, by rtnetlink.
 *
 * RTM_NEWQDISC, TCA_KIND "anon_tfc", handle M:0, parent TC_H_ROOT, TCA_OPTIONS: a nest of TCA_TFC_*. To change one, the same
 * message without NLM_F_CREATE: attributes that are left out stay as they are; TCA_TFC_SHARED cannot change.
 * RTM_NEWTCLASS, parent M:0, handle M:N (N from 1 to 0xffff), TCA_OPTIONS: a nest of TCA_TFC_PEER_*: a far end of the
 * device's link. Both addresses, always; for a class that exists they may not change.
 * RTM_DELTCLASS: that far end is gone; what waits for it is dropped.
 * Dumps of qdiscs and classes repeat these attributes and carry struct tc_tfc_xstats as TCA_STATS2 / TCA_STATS_APP.
 */
#ifndef ANON_TFC_H
#define ANON_TFC_H

#include <linux/types.h>

#define TFC_KIND "anon_tfc"

enum {
	TCA_TFC_UNSPEC,
	TCA_TFC_PAD,	   /* aligns the u64 ones */
	TCA_TFC_SIZE,	   /* u32, bytes: every packet, with its IP header, is padded to it; larger ones are dropped; at creation required */
	TCA_TFC_INTERVAL,  /* u64, ns: one packet each, to each far end, at the highest rate; at creation required */
	TCA_TFC_STEPS,	   /* u32: number of rates, each half of the one before; 1 (default): one fixed rate */
	TCA_TFC_STEP_TIME, /* u64, ns: a rate stays at least that long; default 10 s */
	TCA_TFC_IDLE,	   /* u64, ns: without traffic of its own for that long a far end gets no cover; 0 (default): it always does */
	TCA_TFC_WINDOW,	   /* u64, ns: what arrives within one is mixed; 0 (default): what waits is, nothing is held back for it */
	TCA_TFC_LIMIT,	   /* u32: packets that may wait for one far end; default 1000 */
	TCA_TFC_SHARED,	   /* u8: 0 (default): one far end, to which everything goes; 1: many, told apart by their address */
	__TCA_TFC_MAX,
};
#define TCA_TFC_MAX (__TCA_TFC_MAX - 1)

enum {
	TCA_TFC_PEER_UNSPEC,
	TCA_TFC_PEER_SRC, /* struct in6_addr: cover's source address, one of this end */
	TCA_TFC_PEER_DST, /* struct in6_addr: cover's destination; on a shared device what makes a packet this far end's */
	__TCA_TFC_PEER_MAX,
};
#define TCA_TFC_PEER_MAX (__TCA_TFC_PEER_MAX - 1)

/* Bounds of what may be asked for. */
#define TFC_SIZE_MIN 1280u
#define TFC_SIZE_MAX 9000u
#define TFC_INTERVAL_MIN 10000ull	 /* 10 us */
#define TFC_INTERVAL_MAX 10000000000ull	 /* 10 s */
#define TFC_STEPS_MAX 16u
#define TFC_TIME_MAX 86400000000000ull /* a day: step time and idle time */
#define TFC_WINDOW_MAX 1000000000ull	 /* 1 s */
#define TFC_LIMIT_MAX 16384u
#define TFC_PEERS_MAX 4096u
#define TFC_WAIT_MAX 65536u /* packets that may wait for all far ends of a device; for one, as many as are free */

/*
 * Counters since the qdisc (the class) was made; they are packets unless it is said. A qdisc's are the sums of its
 * classes', of those that are gone too.
 */
struct tc_tfc_xstats {
	__u64 real;	    /* sent, of traffic */
	__u64 cover;	    /* sent, of ours */
	__u64 missed;	    /* turns that nothing was sent at, for the machine was late by more than an interval or had no memory */
	__u64 late_ns;	    /* by which packets left after their instant: the sum */
	__u64 late_max_ns;  /* the same: the worst */
	__u64 wait_ns;	    /* that packets of traffic waited here: the sum */
	__u64 wait_max_ns;  /* the worst */
	__u64 drop_size;    /* dropped: larger than the size, or no IP packets */
	__u64 drop_full;    /* dropped: no room to wait */
	__u64 drop_aqm;	    /* dropped: they had waited too long for too long (CoDel) */
	__u64 drop_nobody;  /* dropped: for no far end that is known; of the qdisc only */
	__u64 drop_memory;  /* dropped: could not be padded, split or encrypted at once, for lack of memory as a rule */
	__u64 changes;	    /* of the rate, visible to whoever watches the link */
	__u32 waiting;	    /* now */
	__u32 circuits;	    /* that have packets waiting now */
	__u32 step;	    /* the rate now: the highest divided by 2^step; of a qdisc: 0 */
	__u32 on;	    /* class: 1 unless it is idle; qdisc: far ends that are not */
	__u32 peers;	    /* class: 1; qdisc: its far ends */
	__u32 pad;
};

#endif
