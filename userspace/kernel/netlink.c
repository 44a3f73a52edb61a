/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real kernel: runs of equal objects become batches of messages or one nft transaction. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "kernel/nfstate.h"
#include "kernel/nlsock.h"
#include "kernel/ops.h"
#include "kernel/rtmsg.h"
#include "kernel/tfc.h"
#include "kernel/xfrmmsg.h"
#include "plan/nft.h"

struct netlink {
	struct kernel base;
	struct nlsock route, xfrm;
	struct nfstate *nft;
};

/* MAYBE_MADE: the answer was lost. */
enum made { NOT_MADE = 0, MADE, WAS_THERE, MAYBE_MADE };

static void cleanup_msgs(struct nl_msg *(*v)[NLSOCK_BATCH])
{
	for (size_t i = 0; i < NLSOCK_BATCH && (*v)[i]; i++) {
		sodium_memzero(nlmsg_hdr((*v)[i]), nlmsg_hdr((*v)[i])->nlmsg_len);
		nlmsg_free((*v)[i]);
	}
}

static bool is_xfrm(enum kobject_type t)
{
	return t == KOBJ_SA || t == KOBJ_SP || t == KOBJ_HTHRESH;
}

static void note(struct netlink *k, enum kobject_type type, int error, const char *why)
{
	snprintf(k->base.error, sizeof(k->base.error), "%s: %s%s%s", kobject_type_name(type), strerror(-error),
		 *why ? ": " : "", why);
}

static bool together(const struct kobject *a, const struct kobject *b)
{
	bool xfrm = (a->type == KOBJ_SA || a->type == KOBJ_SP) && (b->type == KOBJ_SA || b->type == KOBJ_SP);
	return a->type != KOBJ_SYSCTL && (a->type == b->type || xfrm);
}

static size_t run_max(const struct kobject *o)
{
	return o->type == KOBJ_NFT || o->type == KOBJ_ELEM ? SIZE_MAX : NLSOCK_BATCH;
}

/* Objects from v[0] on that can go to the kernel together. */
static size_t run_length(const struct kobject *v, size_t n)
{
	size_t i = 1;
	while (i < n && i < run_max(v) && together(v, &v[i]))
		i++;
	return i;
}

/* The same, backwards from v[n-1]. */
static size_t run_length_back(const struct kobject *v, size_t n)
{
	const struct kobject *last = &v[n - 1];
	size_t i = 1;
	while (i < n && i < run_max(last) && together(last, &v[n - 1 - i]))
		i++;
	return i;
}

/* ---- is it there already? ---- */

static bool was_gone(int error)
{
	return error == -ENOENT || error == -ESRCH || error == -ENODEV || error == -EADDRNOTAVAIL || error == -ENXIO;
}

struct search {
	const struct kobject *want;
	bool found, up;
};

static int on_searched_rt(void *ctx, const struct nlmsghdr *h)
{
	struct search *s = ctx;
	struct kobject o;
	bool up = false;
	int r = rtmsg_decode(h, &devices_system, &o, &up);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (s->want->type == KOBJ_LINK_UP) {
		s->found = true;
		s->up = up;
	} else if (kobject_equal(&o, s->want)) {
		s->found = true;
	}
	return 0;
}

static int on_searched_xfrm(void *ctx, const struct nlmsghdr *h)
{
	struct search *s = ctx;
	struct kobject o;
	int r = xfrmmsg_decode(h, &o);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (!kobject_equal(&o, s->want))
		return 0;
	s->found = s->want->type != KOBJ_SA || !s->want->sa.key ||
		   sodium_memcmp(s->want->sa.key, o.sa.key, suite_get(o.sa.suite)->key_len) == 0;
	return 0;
}

static int search_run(struct netlink *k, struct search *s)
{
	const struct kobject *o = s->want;
	struct nl_msg *m = NULL;
	int r;
	if (o->type == KOBJ_SA || o->type == KOBJ_SP)
		r = xfrmmsg_get(o, &m);
	else if (o->type == KOBJ_LINK || o->type == KOBJ_LINK_UP)
		r = rtmsg_link_request(o->link.dev, &m);
	else
		r = rtmsg_dump_request(o->type,
				       o->type == KOBJ_ADDR    ? o->addr.addr.family
				       : o->type == KOBJ_ROUTE ? o->route.dst.family
							       : o->rule.family,
				       &m);
	if (r < 0)
		return r;
	if (is_xfrm(o->type))
		r = nlsock_query(&k->xfrm, m, on_searched_xfrm, s);
	else
		r = nlsock_query(&k->route, m, on_searched_rt, s);
	nlmsg_free(m);
	return r;
}

/* 0 if an equal object is there, -ENOENT if not. A dump that others disturb is tried again. */
static int search_equal(struct netlink *k, const struct kobject *o)
{
	struct search s = { 0 };
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < 5; tries++) {
		s = (struct search){ .want = o };
		r = search_run(k, &s);
	}
	return r < 0 ? (was_gone(r) ? -ENOENT : r) : s.found ? 0 : -ENOENT;
}

/* ---- making ---- */

static int encode(const struct kobject *o, bool add, struct nl_msg **ret)
{
	return is_xfrm(o->type) ? xfrmmsg_encode(o, add, ret) : rtmsg_encode(o, add, &devices_system, ret);
}

/* An SA whose key is not known any more cannot be made: it is there, or the plan fails. */
static bool is_keyless(const struct kobject *o)
{
	return o->type == KOBJ_SA && !o->sa.key;
}

/* The messages for those of v[0..n-1] that are to be made; ret_at[i]: where in v the i-th belongs. */
static int make_encoded(struct netlink *k, const struct kobject *v, size_t n, enum made *made, struct nl_msg **ret_msgs,
			size_t *ret_at, size_t *ret_n)
{
	size_t m = 0;
	for (size_t i = 0; i < n; i++) {
		bool find = is_keyless(&v[i]);
		int r = find ? search_equal(k, &v[i]) : encode(&v[i], true, &ret_msgs[m]);
		if (r < 0) {
			note(k, v[i].type, r, "");
			return r;
		}
		if (find)
			made[i] = WAS_THERE;
		else
			ret_at[m++] = i;
	}
	*ret_n = m;
	return 0;
}

static int make_messages(struct netlink *k, const struct kobject *v, size_t n, enum made *made)
{
	_cleanup_(cleanup_msgs) struct nl_msg *msgs[NLSOCK_BATCH] = { NULL };
	int errors[NLSOCK_BATCH];
	size_t at[NLSOCK_BATCH], m = 0;
	struct nlsock *s = is_xfrm(v->type) ? &k->xfrm : &k->route;
	int first = make_encoded(k, v, n, made, msgs, at, &m);
	if (first < 0 || !m)
		return first;
	first = nlsock_transact(s, msgs, m, errors);
	if (first < 0)
		note(k, v->type, first, "");
	for (size_t i = 0; i < m; i++) {
		const struct kobject *o = &v[at[i]];
		const char *why = s->error;
		if (errors[i] == 0)
			made[at[i]] = MADE;
		else if (errors[i] == NLSOCK_UNANSWERED)
			made[at[i]] = MAYBE_MADE;
		else if (errors[i] == -EEXIST && search_equal(k, o) == 0)
			made[at[i]] = WAS_THERE;
		else if (!first) {
			first = errors[i];
			note(k, o->type, first, why);
		}
	}
	return first;
}

/* Interfaces come up one by one: whether one was up before decides what a rollback does, and its owner is checked. */
static int make_up(struct netlink *k, const struct kobject *o, enum made *made)
{
	struct search s = { .want = o };
	int r = search_run(k, &s);
	if (r >= 0 && !s.found)
		r = -ENODEV;
	if (r < 0) {
		note(k, o->type, r, "");
		return r;
	}
	if (s.up) {
		*made = WAS_THERE;
		return 0;
	}
	return make_messages(k, o, 1, made);
}

static int make_nft(struct netlink *k, const struct kobject *v, size_t n, enum made *made)
{
	_cleanup_free_ bool *there = calloc(n, sizeof(*there));
	_cleanup_free_ char *script = nft_script_add(v, n);
	const char *why = "";
	if (!there || !script)
		return -ENOMEM;
	int r = 0;
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = nfstate_exists(k->nft, &v[i].nft);
		there[i] = r == 0;
		if (r == -ENOENT)
			r = 0;
	}
	/* What may have been there before must not be made, lest a rollback takes it away. */
	if (r >= 0)
		r = nfstate_run(k->nft, script, &why);
	if (r < 0) {
		note(k, KOBJ_NFT, r, why);
		return r;
	}
	for (size_t i = 0; i < n; i++)
		made[i] = there[i] ? WAS_THERE : MADE;
	return 0;
}

static bool setting_fits(const struct kobj_sysctl *s, const char *old)
{
	size_t len = strlen(s->value);
	return (!strncmp(old, s->value, len) && old[len] == '\n') ||
	       (s->at_least && strtol(old, NULL, 10) > strtol(s->value, NULL, 10));
}

static int make_sysctl(struct netlink *k, const struct kobj_sysctl *s, enum made *made)
{
	char path[KOBJ_SYSCTL_MAX + 16], old[16] = "";
	snprintf(path, sizeof(path), "/proc/sys/%s", s->name);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	size_t len = strlen(s->value);
	int r = fd < 0 ? -errno : 0;
	if (fd >= 0 && read(fd, old, sizeof(old) - 1) >= 0 && setting_fits(s, old)) {
		*made = WAS_THERE;
		return 0;
	}
	if (fd >= 0 && pwrite(fd, s->value, len, 0) != (ssize_t)len)
		r = -errno;
	if (r < 0) {
		note(k, KOBJ_SYSCTL, r, strrchr(s->name, '/') ? strrchr(s->name, '/') + 1 : s->name);
		return r;
	}
	*made = MADE;
	return 0;
}

static int make_elems(struct netlink *k, const struct kobject *v, size_t n, enum made *made)
{
	int r = nfstate_elems(k->nft, v, n, true);
	/* Also after an error: some may have been made, and without its element a circuit carries nothing. */
	for (size_t i = 0; i < n; i++)
		made[i] = MADE;
	if (r < 0)
		note(k, KOBJ_ELEM, r, "");
	return r;
}

/* flags: NLM_F_EXCL, if it may not have been there, or 0. */
static int tfc_send(struct netlink *k, const struct kobject *o, bool add, uint16_t flags)
{
	_cleanup_(cleanup_msgs) struct nl_msg *msgs[NLSOCK_BATCH] = { NULL };
	int error = 0, r = tfcmsg_encode(o, add, &devices_system, &msgs[0]);
	if (r >= 0) {
		nlmsg_hdr(msgs[0])->nlmsg_flags |= flags;
		r = nlsock_transact(&k->route, msgs, 1, &error);
	}
	return r < 0 ? r : error == NLSOCK_UNANSWERED ? -ETIMEDOUT : error;
}

static void on_tfc(void *ctx, const struct tfc_info *info)
{
	struct search *s = ctx;
	s->found |= info->o.type == KOBJ_TFC && !strcmp(info->o.tfc.dev, s->want->tfc.dev);
}

/* One that was there before must not go when a plan fails: what leaves would do so as it comes. */
static int make_tfc(struct netlink *k, const struct kobject *o, enum made *made)
{
	struct search s = { .want = o };
	int r = tfc_read(&k->route, false, on_tfc, &s);
	if (r >= 0)
		r = tfc_send(k, o, true, 0);
	if (r < 0) {
		note(k, o->type, r, k->route.error);
		return r;
	}
	*made = s.found ? WAS_THERE : MADE;
	return 0;
}

/* Nor must a far end that was there: its link would fall silent. */
static int make_tfc_peer(struct netlink *k, const struct kobject *o, enum made *made)
{
	int r = tfc_send(k, o, true, NLM_F_EXCL);
	bool there = r == -EEXIST;
	if (there)
		r = tfc_send(k, o, true, 0);
	if (r == -EOPNOTSUPP) { /* the number is another's */
		there = false;
		r = tfc_send(k, o, false, 0);
		if (r >= 0)
			r = tfc_send(k, o, true, 0);
	}
	if (r < 0) {
		note(k, o->type, r, k->route.error);
		return r;
	}
	*made = there ? WAS_THERE : MADE;
	return 0;
}

static int make_each(struct netlink *k, const struct kobject *v, size_t n, enum made *made,
		     int (*make)(struct netlink *, const struct kobject *, enum made *))
{
	int r = 0;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = make(k, &v[i], &made[i]);
	return r;
}

static int make_run(struct netlink *k, const struct kobject *v, size_t n, enum made *made)
{
	switch (v->type) {
	case KOBJ_SYSCTL:
		return make_sysctl(k, &v->sysctl, made);
	case KOBJ_NFT:
		return make_nft(k, v, n, made);
	case KOBJ_ELEM:
		return make_elems(k, v, n, made);
	case KOBJ_LINK_UP:
		return make_each(k, v, n, made, make_up);
	case KOBJ_TFC:
		return make_each(k, v, n, made, make_tfc);
	case KOBJ_TFC_PEER:
		return make_each(k, v, n, made, make_tfc_peer);
	default:
		return make_messages(k, v, n, made);
	}
}

/* ---- taking away ---- */

/* Whether the interface of this name is ours; a foreign one of the same name is not touched. */
static bool link_ours(struct netlink *k, const struct kobject *o)
{
	struct kobject up = *o;
	up.type = KOBJ_LINK_UP;
	struct search s = { .want = &up };
	return search_run(k, &s) >= 0 && s.found;
}

static int drop_messages(struct netlink *k, const struct kobject *v, size_t n)
{
	_cleanup_(cleanup_msgs) struct nl_msg *msgs[NLSOCK_BATCH] = { NULL };
	int errors[NLSOCK_BATCH];
	size_t m = 0;
	for (size_t i = n; i-- > 0;) {
		if ((v[i].type == KOBJ_LINK || v[i].type == KOBJ_LINK_UP) && !link_ours(k, &v[i]))
			continue;
		int r = encode(&v[i], false, &msgs[m]);
		if (r == -ENODEV)
			continue;
		if (r < 0)
			return r;
		m++;
	}
	if (!m)
		return 0;
	struct nlsock *s = is_xfrm(v->type) ? &k->xfrm : &k->route;
	int r = nlsock_transact(s, msgs, m, errors);
	for (size_t i = 0; i < m; i++) {
		if (errors[i] == 0 || was_gone(errors[i]) || r < 0)
			continue;
		r = errors[i];
		note(k, v->type, r, s->error);
	}
	return r;
}

static int drop_nft(struct netlink *k, const struct kobject *v, size_t n)
{
	_cleanup_free_ char *script = nft_script_remove(v, n);
	const char *why = "";
	if (!script)
		return -ENOMEM;
	int r = nfstate_run(k->nft, script, &why);
	if (r >= 0)
		return r;
	/* The script fails where the table is gone; that is no error if nothing of it is left. */
	for (size_t i = 0; i < n; i++)
		if (nfstate_exists(k->nft, &v[i].nft) != -ENOENT) {
			note(k, KOBJ_NFT, r, why);
			return r;
		}
	return 0;
}

/*
 * An address that is taken from a circuit: its flows go too, or they would hold their ports against the next circuit
 * that gets the address. That one is safe from them without this (relay_flows of plan/relay.c).
 */
static void forget_flows(struct netlink *k, const struct kobject *v, size_t n)
{
	uint32_t done = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t mark;
		memcpy(&mark, v[i].elem.key, sizeof(mark));
		if (v[i].elem.family != NFT_INET || mark == done)
			continue;
		nfstate_forget(k->nft, mark);
		done = mark;
	}
}

static int drop_elems(struct netlink *k, const struct kobject *v, size_t n)
{
	int r = nfstate_elems(k->nft, v, n, false), first = was_gone(r) ? 0 : r;
	/* One that is missing undoes the transaction: the others one by one. */
	for (size_t i = 0; i < n && was_gone(r); i++) {
		int e = nfstate_elems(k->nft, &v[i], 1, false);
		if (e < 0 && !was_gone(e) && !first)
			first = e;
	}
	forget_flows(k, v, n);
	return first;
}

/* -EINVAL: the device has no discipline, or one of another kind that took the place of ours. */
static int drop_tfc(struct netlink *k, const struct kobject *v, size_t n)
{
	int first = 0;
	for (size_t i = n; i-- > 0;) {
		int r = tfc_send(k, &v[i], false, 0);
		if (r >= 0 || was_gone(r) || r == -EINVAL || first < 0)
			continue;
		first = r;
		note(k, v[i].type, r, k->route.error);
	}
	return first;
}

static int drop_run(struct netlink *k, const struct kobject *v, size_t n)
{
	switch (v->type) {
	case KOBJ_SYSCTL:
		return 0;
	case KOBJ_NFT:
		return drop_nft(k, v, n);
	case KOBJ_ELEM:
		return drop_elems(k, v, n);
	case KOBJ_TFC:
	case KOBJ_TFC_PEER:
		return drop_tfc(k, v, n);
	default:
		return drop_messages(k, v, n);
	}
}

static int netlink_remove(struct kernel *base, const struct plan *p)
{
	struct netlink *k = (struct netlink *)base;
	int first = 0;
	for (size_t left = p->n; left;) {
		size_t n = run_length_back(p->v, left);
		int r = drop_run(k, &p->v[left - n], n);
		if (r < 0 && !first)
			first = r;
		left -= n;
	}
	return first;
}

static void roll_back(struct netlink *k, const struct plan *p, const enum made *made)
{
	char error[sizeof(k->base.error)];
	memcpy(error, k->base.error, sizeof(error));
	for (size_t i = p->n; i-- > 0;) {
		/* An SA or policy belongs to the one circuit that has just failed; the rest may be others' too. */
		bool maybe = made[i] == MAYBE_MADE && is_xfrm(p->v[i].type) && search_equal(k, &p->v[i]) == 0;
		if (made[i] == MADE || maybe)
			drop_run(k, &p->v[i], 1);
	}
	memcpy(k->base.error, error, sizeof(error));
}

static int netlink_apply(struct kernel *base, const struct plan *p)
{
	struct netlink *k = (struct netlink *)base;
	_cleanup_free_ enum made *made = calloc(p->n ? p->n : 1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	base->error[0] = '\0';
	for (size_t i = 0; i < p->n;) {
		size_t n = run_length(&p->v[i], p->n - i);
		int r = make_run(k, &p->v[i], n, &made[i]);
		if (r < 0) {
			roll_back(k, p, made);
			return r;
		}
		i += n;
	}
	return 0;
}

/* ---- reading ---- */

struct dump {
	struct plan found;
	enum kobject_type type;
};

static int on_dumped_rt(void *ctx, const struct nlmsghdr *h)
{
	struct dump *d = ctx;
	struct kobject o;
	bool up = false;
	int r = rtmsg_decode(h, &devices_system, &o, &up);
	if (r == -ENOENT || (d->type == KOBJ_LINK_UP && r >= 0 && !up))
		return 0;
	if (r < 0)
		return r;
	if (d->type == KOBJ_LINK_UP) {
		o.type = KOBJ_LINK_UP;
		o.link.if_id = 0;
		o.link.mtu = 0;
	}
	return plan_add_copy(&d->found, &o);
}

static int on_dumped_xfrm(void *ctx, const struct nlmsghdr *h)
{
	struct dump *d = ctx;
	struct kobject o;
	int r = xfrmmsg_decode(h, &o);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (o.type == KOBJ_SA)
		o.sa.key = NULL; /* it lies in the message */
	return plan_add_copy(&d->found, &o);
}

static int dump_once(struct netlink *k, struct dump *d, uint8_t family)
{
	struct nl_msg *m = NULL;
	bool xfrm = is_xfrm(d->type);
	int r = xfrm ? xfrmmsg_dump_request(d->type, &m) : rtmsg_dump_request(d->type, family, &m);
	if (r < 0)
		return r;
	r = xfrm ? nlsock_query(&k->xfrm, m, on_dumped_xfrm, d) : nlsock_query(&k->route, m, on_dumped_rt, d);
	nlmsg_free(m);
	return r;
}

/* All of one type and family; what a dump found that others disturbed is thrown away and read again. */
static int dump_type(struct netlink *k, enum kobject_type type, uint8_t family, kernel_object_fn fn, void *ctx)
{
	struct dump d = { .type = type };
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < 10; tries++) {
		plan_clear(&d.found);
		r = dump_once(k, &d, family);
	}
	for (size_t i = 0; i < d.found.n && r >= 0; i++)
		fn(ctx, &d.found.v[i]);
	plan_clear(&d.found);
	return r;
}

struct tfc_dump {
	unsigned int types;
	kernel_object_fn fn;
	void *ctx;
};

static void on_dumped_tfc(void *ctx, const struct tfc_info *info)
{
	const struct tfc_dump *d = ctx;
	if (d->types & 1u << info->o.type)
		d->fn(d->ctx, &info->o);
}

static int netlink_dump(struct kernel *base, unsigned int types, kernel_object_fn fn, void *ctx)
{
	static const struct {
		enum kobject_type type;
		uint8_t family;
	} reads[] = {
		{ KOBJ_LINK, 0 },	 { KOBJ_LINK_UP, 0 },	   { KOBJ_ADDR, AF_INET }, { KOBJ_ADDR, AF_INET6 },
		{ KOBJ_ROUTE, AF_INET }, { KOBJ_ROUTE, AF_INET6 }, { KOBJ_RULE, AF_INET }, { KOBJ_RULE, AF_INET6 },
		{ KOBJ_SA, 0 },		 { KOBJ_SP, 0 },
	};
	struct netlink *k = (struct netlink *)base;
	int r = nfstate_dump(k->nft, types & 1u << KOBJ_NFT, types & 1u << KOBJ_ELEM, fn, ctx);
	if (r < 0)
		note(k, KOBJ_NFT, r, "");
	for (size_t i = 0; i < ARRAY_SIZE(reads) && r >= 0; i++) {
		if (!(types & 1u << reads[i].type))
			continue;
		r = dump_type(k, reads[i].type, reads[i].family, fn, ctx);
		if (r < 0)
			note(k, reads[i].type, r, "");
	}
	if (r >= 0 && types & (1u << KOBJ_TFC | 1u << KOBJ_TFC_PEER)) {
		struct tfc_dump d = { types, fn, ctx };
		r = tfc_read(&k->route, types & 1u << KOBJ_TFC_PEER, on_dumped_tfc, &d);
		if (r < 0)
			note(k, KOBJ_TFC, r, "");
	}
	return r;
}

static int netlink_counters(struct kernel *base, kernel_counter_fn fn, void *ctx)
{
	return nfstate_counters(((struct netlink *)base)->nft, fn, ctx);
}

static void netlink_free(struct kernel *base)
{
	struct netlink *k = (struct netlink *)base;
	nlsock_close(&k->route);
	nlsock_close(&k->xfrm);
	nfstate_free(k->nft);
	free(k);
}

static const struct kernel_ops netlink_ops = {
	.apply = netlink_apply,
	.remove = netlink_remove,
	.dump = netlink_dump,
	.counters = netlink_counters,
	.free = netlink_free,
};

int kernel_open(struct kernel **ret)
{
	struct netlink *k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->base.ops = &netlink_ops;
	k->route.fd = k->xfrm.fd = -1;
	int r = nlsock_open(&k->route, NETLINK_ROUTE);
	if (r >= 0)
		r = nlsock_open(&k->xfrm, NETLINK_XFRM);
	if (r >= 0)
		r = nfstate_open(&k->nft);
	if (r < 0) {
		netlink_free(&k->base);
		return r;
	}
	*ret = &k->base;
	return 0;
}
