/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults on purpose, one for each -DPLANT_*: the controls of `make check-debug-kernel`, which must find every one. Never in a
 * module that anyone uses. Each takes away, in anon_tfc.c only, something that it relies on; if it does so no longer,
 * the fault is not there, is not found, and the check says so.
 */
#include <linux/module.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/pkt_sched.h>
#include <net/sch_generic.h>

#ifdef PLANT_LEAK /* far ends are not freed */
#define kvfree(p) ((void)(p))
#endif

#ifdef PLANT_AFTER_FREE /* a far end that is gone is still found by its address */
#define hlist_del(node) ((void)(node))
#endif

#ifdef PLANT_TIMER /* what was to be started later is, though the queueing discipline is gone */
#define cancel_delayed_work_sync(work) ((void)(work))
#endif

#ifdef PLANT_SLEEP /* memory is waited for where nobody may wait */
#undef GFP_ATOMIC
#define GFP_ATOMIC GFP_KERNEL
#endif

#ifdef PLANT_LOCK /* a softirq may come while the lock is held that it takes */
#undef spin_lock_bh
#undef spin_unlock_bh
#define spin_lock_bh(lock) spin_lock(lock)
#define spin_unlock_bh(lock) spin_unlock(lock)
#endif

#ifdef PLANT_BOUNDS /* one zero more than there is memory */
static inline void plant_put_zero(struct sk_buff *skb, unsigned int len)
{
	skb_put_zero(skb, len);
	WRITE_ONCE(*(skb_end_pointer(skb) + SKB_DATA_ALIGN(sizeof(struct skb_shared_info))), 0);
}
#define skb_put_zero(skb, len) plant_put_zero(skb, len)
#endif

#ifdef PLANT_ERROR /* nobody looks whether a packet got the room that its padding needs */
#define pskb_expand_head(skb, head, tail, gfp) (pskb_expand_head(skb, head, tail, gfp), 0)
#endif

#ifdef PLANT_SIZE /* packets are a byte longer than they were, and no more */
#define skb_put_zero(skb, len) skb_put_zero(skb, min_t(unsigned int, len, 1))
#endif
