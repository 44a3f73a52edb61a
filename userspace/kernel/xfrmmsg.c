/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/xfrmmsg.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <sodium.h>
#include <string.h>

#include "lib/clock.h"
#include "model/ids.h"

static void cleanup_msg(struct nl_msg **m)
{
	if (!*m)
		return;
	sodium_memzero(nlmsg_hdr(*m), nlmsg_hdr(*m)->nlmsg_len);
	nlmsg_free(*m);
}

static struct nl_msg *message(int type, int flags, const void *head, size_t len)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);
	if (m && nlmsg_append(m, (void *)(uintptr_t)head, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static void addr_put(xfrm_address_t *x, const struct in6_addr *a)
{
	memcpy(x, a, sizeof(*a));
}

static void addr_get(struct in6_addr *a, const xfrm_address_t *x)
{
	memcpy(a, x, sizeof(*a));
}

static const struct xfrm_lifetime_cfg no_limits = { .soft_byte_limit = XFRM_INF,
						    .hard_byte_limit = XFRM_INF,
						    .soft_packet_limit = XFRM_INF,
						    .hard_packet_limit = XFRM_INF };

/* Of an SA that ends at a time of the wall clock; one that is over already goes at once (0 would mean never). */
static struct xfrm_lifetime_cfg limits_until(uint64_t expires)
{
	struct xfrm_lifetime_cfg l = no_limits;
	uint64_t now = clock_wall_s();
	if (expires)
		l.hard_add_expires_seconds = expires > now ? expires - now : 1;
	return l;
}

static struct xfrm_selector selector_of(const struct prefix *src, const struct prefix *dst)
{
	struct xfrm_selector s = { .family = src->family, .prefixlen_s = src->len, .prefixlen_d = dst->len };
	size_t size = src->family == AF_INET6 ? sizeof(src->a6) : sizeof(src->a4);
	memcpy(&s.saddr, &src->a6, size);
	memcpy(&s.daddr, &dst->a6, size);
	return s;
}

static int put_aead(struct nl_msg *m, const struct kobj_sa *sa)
{
	const struct suite_info *suite = suite_get(sa->suite);
	if (!suite || !sa->key)
		return -EINVAL;
	struct nlattr *attr = nla_reserve(m, XFRMA_ALG_AEAD, (int)sizeof(struct xfrm_algo_aead) + suite->key_len);
	if (!attr)
		return -ENOMEM;
	struct xfrm_algo_aead *a = nla_data(attr);
	memset(a, 0, sizeof(*a));
	snprintf(a->alg_name, sizeof(a->alg_name), "%s", suite->kernel);
	a->alg_key_len = suite->key_len * 8u;
	a->alg_icv_len = suite->icv_len * 8u;
	memcpy(a->alg_key, sa->key, suite->key_len);
	return 0;
}

/* RFC 4304 extended sequence numbers; the window's bitmap starts empty. */
static int put_replay(struct nl_msg *m)
{
	struct nlattr *attr =
		nla_reserve(m, XFRMA_REPLAY_ESN_VAL,
			    (int)(sizeof(struct xfrm_replay_state_esn) + SA_REPLAY_WINDOW / 32 * sizeof(uint32_t)));
	if (!attr)
		return -ENOMEM;
	struct xfrm_replay_state_esn *esn = nla_data(attr);
	memset(esn, 0, (size_t)nla_len(attr));
	esn->bmp_len = SA_REPLAY_WINDOW / 32;
	esn->replay_window = SA_REPLAY_WINDOW;
	return 0;
}

static int put_mark(struct nl_msg *m, uint32_t mark)
{
	struct xfrm_mark x = { .v = mark, .m = UINT32_MAX };
	return mark ? nla_put(m, XFRMA_MARK, sizeof(x), &x) : 0;
}

static int put_sa_attrs(struct nl_msg *m, const struct kobj_sa *sa)
{
	int r = put_aead(m, sa);
	if (r >= 0)
		r = put_replay(m);
	if (r < 0)
		return r;
	if (nla_put_u32(m, XFRMA_IF_ID, sa->if_id) < 0 || put_mark(m, sa->mark) < 0 ||
	    nla_put_u32(m, XFRMA_SA_EXTRA_FLAGS, XFRM_SA_XFLAG_DONT_ENCAP_DSCP) < 0)
		return -ENOMEM;
	if (sa->inbound &&
	    (nla_put_u32(m, XFRMA_SET_MARK, sa->set_mark) < 0 || nla_put_u32(m, XFRMA_SET_MARK_MASK, UINT32_MAX) < 0))
		return -ENOMEM;
	return 0;
}

static struct nl_msg *sa_named(int type, const struct kobj_sa *sa)
{
	struct xfrm_usersa_id id = { .spi = htonl(sa->spi), .family = AF_INET6, .proto = IPPROTO_ESP };
	addr_put(&id.daddr, &sa->dst);
	struct nl_msg *m = message(type, 0, &id, sizeof(id));
	if (m && put_mark(m, sa->mark) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static int encode_sa(const struct kobj_sa *sa, bool add, struct nl_msg **ret)
{
	if (!add) {
		*ret = sa_named(XFRM_MSG_DELSA, sa);
		return *ret ? 0 : -ENOMEM;
	}
	struct xfrm_usersa_info info = { .id = { .spi = htonl(sa->spi), .proto = IPPROTO_ESP },
					 .lft = limits_until(sa->expires),
					 .reqid = sa->reqid,
					 .family = AF_INET6,
					 .mode = sa->mode == SA_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_BEET,
					 .flags = XFRM_STATE_NOECN | XFRM_STATE_ESN };
	addr_put(&info.id.daddr, &sa->dst);
	addr_put(&info.saddr, &sa->src);
	if (sa->mode == SA_TUNNEL) {
		info.flags |= XFRM_STATE_AF_UNSPEC; /* both families inside */
	} else {
		struct prefix s = host6(&sa->sel_src), d = host6(&sa->sel_dst);
		info.sel = selector_of(&s, &d);
	}
	_cleanup_(cleanup_msg) struct nl_msg *m =
		message(XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	if (!m)
		return -ENOMEM;
	int r = put_sa_attrs(m, sa);
	if (r < 0)
		return r;
	*ret = m;
	m = NULL;
	return 0;
}

static struct nl_msg *sp_named(int type, const struct kobj_sp *sp)
{
	struct xfrm_userpolicy_id id = { .sel = selector_of(&sp->src, &sp->dst), .dir = XFRM_POLICY_OUT };
	struct nl_msg *m = message(type, 0, &id, sizeof(id));
	if (m && nla_put_u32(m, XFRMA_IF_ID, sp->if_id) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static int encode_sp(const struct kobj_sp *sp, bool add, struct nl_msg **ret)
{
	if (!add) {
		*ret = sp_named(XFRM_MSG_DELPOLICY, sp);
		return *ret ? 0 : -ENOMEM;
	}
	struct xfrm_userpolicy_info info = { .sel = selector_of(&sp->src, &sp->dst),
					     .lft = no_limits,
					     .dir = XFRM_POLICY_OUT,
					     .action = XFRM_POLICY_ALLOW };
	struct xfrm_user_tmpl tmpl = { .id = { .proto = IPPROTO_ESP },
				       .family = AF_INET6,
				       .reqid = sp->reqid,
				       .mode = sp->mode == SA_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_BEET,
				       .aalgos = UINT32_MAX,
				       .ealgos = UINT32_MAX,
				       .calgos = UINT32_MAX };
	addr_put(&tmpl.id.daddr, &sp->tmpl_dst);
	addr_put(&tmpl.saddr, &sp->tmpl_src);
	_cleanup_(cleanup_msg) struct nl_msg *m =
		message(XFRM_MSG_NEWPOLICY, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	if (!m || nla_put(m, XFRMA_TMPL, sizeof(tmpl), &tmpl) < 0 || nla_put_u32(m, XFRMA_IF_ID, sp->if_id) < 0)
		return -ENOMEM;
	*ret = m;
	m = NULL;
	return 0;
}

static int encode_hthresh(const struct kobj_hthresh *h, bool add, struct nl_msg **ret)
{
	/* Without us: what the kernel starts with (xfrm_policy_init). */
	struct xfrmu_spdhthresh t4 = { .lbits = 32, .rbits = 32 }, t6 = { .lbits = 128, .rbits = 128 };
	uint32_t flags = 0;
	if (add) {
		t4 = (struct xfrmu_spdhthresh){ .lbits = h->local4, .rbits = h->remote4 };
		t6 = (struct xfrmu_spdhthresh){ .lbits = h->local6, .rbits = h->remote6 };
	}
	struct nl_msg *m = message(XFRM_MSG_NEWSPDINFO, 0, &flags, sizeof(flags));
	if (!m || nla_put(m, XFRMA_SPD_IPV4_HTHRESH, sizeof(t4), &t4) < 0 ||
	    nla_put(m, XFRMA_SPD_IPV6_HTHRESH, sizeof(t6), &t6) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	*ret = m;
	return 0;
}

int xfrmmsg_encode(const struct kobject *o, bool add, struct nl_msg **ret)
{
	switch (o->type) {
	case KOBJ_SA:
		return encode_sa(&o->sa, add, ret);
	case KOBJ_SP:
		return encode_sp(&o->sp, add, ret);
	case KOBJ_HTHRESH:
		return encode_hthresh(&o->hthresh, add, ret);
	default:
		return -EINVAL;
	}
}

int xfrmmsg_get(const struct kobject *o, struct nl_msg **ret)
{
	struct nl_msg *m;
	if (o->type == KOBJ_SA)
		m = sa_named(XFRM_MSG_GETSA, &o->sa);
	else if (o->type == KOBJ_SP)
		m = sp_named(XFRM_MSG_GETPOLICY, &o->sp);
	else
		return -EINVAL;
	if (!m)
		return -ENOMEM;
	*ret = m;
	return 0;
}

int xfrmmsg_dump_request(enum kobject_type type, struct nl_msg **ret)
{
	if (type != KOBJ_SA && type != KOBJ_SP)
		return -EINVAL;
	struct nl_msg *m = nlmsg_alloc_simple(type == KOBJ_SA ? XFRM_MSG_GETSA : XFRM_MSG_GETPOLICY, NLM_F_DUMP);
	if (!m)
		return -ENOMEM;
	*ret = m;
	return 0;
}

bool xfrmmsg_reqid_ours(uint32_t reqid)
{
	return (reqid > REQID_RELAY_BASE && reqid <= REQID_RELAY_BASE + RELAY_CIRCUIT_MAX) ||
	       (reqid >= REQID_LAYER_BASE && reqid < REQID_LAYER_BASE + (IFID_LAYER_END - IFID_LAYER_BASE));
}

static int mode_of(uint8_t mode, enum sa_mode *ret)
{
	if (mode != XFRM_MODE_TUNNEL && mode != XFRM_MODE_BEET)
		return -ENOENT;
	*ret = mode == XFRM_MODE_TUNNEL ? SA_TUNNEL : SA_BEET;
	return 0;
}

static int get_aead(struct nlattr *attr, struct kobj_sa *sa)
{
	if (!attr)
		return -ENOENT;
	if ((size_t)nla_len(attr) < sizeof(struct xfrm_algo_aead))
		return -EBADMSG;
	const struct xfrm_algo_aead *a = nla_data(attr);
	size_t room = (size_t)nla_len(attr) - sizeof(*a);
	for (unsigned int i = 1; i <= SUITE_AES128_GCM_8; i++) {
		const struct suite_info *s = suite_get(i);
		if (!s || strncmp(a->alg_name, s->kernel, sizeof(a->alg_name)) != 0 ||
		    a->alg_icv_len != s->icv_len * 8u || a->alg_key_len != s->key_len * 8u)
			continue;
		if (room < s->key_len)
			return -EBADMSG;
		sa->suite = s->id;
		sa->key = (const uint8_t *)a->alg_key;
		return 0;
	}
	return -ENOENT;
}

static void get_sa_marks(struct nlattr **a, struct kobj_sa *sa)
{
	if (a[XFRMA_MARK]) {
		const struct xfrm_mark *m = nla_data(a[XFRMA_MARK]);
		sa->mark = m->v & m->m;
	}
	sa->inbound = a[XFRMA_SET_MARK_MASK] && nla_get_u32(a[XFRMA_SET_MARK_MASK]) == UINT32_MAX;
	if (sa->inbound && a[XFRMA_SET_MARK])
		sa->set_mark = nla_get_u32(a[XFRMA_SET_MARK]);
}

static const struct nla_policy xfrm_policy[XFRMA_MAX + 1] = {
	[XFRMA_IF_ID] = { .type = NLA_U32 },
	[XFRMA_MARK] = { .minlen = sizeof(struct xfrm_mark) },
	[XFRMA_SET_MARK] = { .type = NLA_U32 },
	[XFRMA_SET_MARK_MASK] = { .type = NLA_U32 },
	[XFRMA_TMPL] = { .minlen = sizeof(struct xfrm_user_tmpl) },
};

static int decode_sa(const struct nlmsghdr *h, struct kobject *ret)
{
	struct nlattr *a[XFRMA_MAX + 1];
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(struct xfrm_usersa_info), a, XFRMA_MAX, xfrm_policy) <
	    0)
		return -EBADMSG;
	struct xfrm_usersa_info info; /* messages are aligned to 4 bytes, this to 8 */
	memcpy(&info, nlmsg_data(h), sizeof(info));
	if (!xfrmmsg_reqid_ours(info.reqid) || info.id.proto != IPPROTO_ESP || info.family != AF_INET6 ||
	    !a[XFRMA_IF_ID])
		return -ENOENT;
	struct kobject o = { .type = KOBJ_SA };
	int r = mode_of(info.mode, &o.sa.mode);
	if (r >= 0)
		r = get_aead(a[XFRMA_ALG_AEAD], &o.sa);
	if (r < 0)
		return r;
	addr_get(&o.sa.src, &info.saddr);
	addr_get(&o.sa.dst, &info.id.daddr);
	o.sa.spi = ntohl(info.id.spi);
	o.sa.reqid = info.reqid;
	o.sa.bytes = info.curlft.bytes;
	o.sa.if_id = nla_get_u32(a[XFRMA_IF_ID]);
	get_sa_marks(a, &o.sa);
	if (o.sa.mode == SA_BEET) {
		addr_get(&o.sa.sel_src, &info.sel.saddr);
		addr_get(&o.sa.sel_dst, &info.sel.daddr);
	}
	*ret = o;
	return 0;
}

static int selector_get(const struct xfrm_selector *s, struct prefix *ret_src, struct prefix *ret_dst)
{
	uint8_t family = (uint8_t)s->family;
	if ((family != AF_INET && family != AF_INET6) || s->family > AF_INET6)
		return -ENOENT;
	unsigned int bits = family == AF_INET6 ? 128 : 32;
	if (s->prefixlen_s > bits || s->prefixlen_d > bits)
		return -EBADMSG;
	*ret_src = (struct prefix){ .family = family, .len = s->prefixlen_s };
	*ret_dst = (struct prefix){ .family = family, .len = s->prefixlen_d };
	memcpy(&ret_src->a6, &s->saddr, bits / 8);
	memcpy(&ret_dst->a6, &s->daddr, bits / 8);
	return 0;
}

static int decode_sp(const struct nlmsghdr *h, struct kobject *ret)
{
	struct nlattr *a[XFRMA_MAX + 1];
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(struct xfrm_userpolicy_info), a, XFRMA_MAX,
			xfrm_policy) < 0)
		return -EBADMSG;
	struct xfrm_userpolicy_info info;
	memcpy(&info, nlmsg_data(h), sizeof(info));
	if (info.dir != XFRM_POLICY_OUT || !a[XFRMA_TMPL] || !a[XFRMA_IF_ID])
		return -ENOENT;
	const struct xfrm_user_tmpl *tmpl = nla_data(a[XFRMA_TMPL]);
	if (!xfrmmsg_reqid_ours(tmpl->reqid))
		return -ENOENT;
	struct kobject o = { .type = KOBJ_SP };
	int r = mode_of(tmpl->mode, &o.sp.mode);
	if (r >= 0)
		r = selector_get(&info.sel, &o.sp.src, &o.sp.dst);
	if (r < 0)
		return r;
	addr_get(&o.sp.tmpl_src, &tmpl->saddr);
	addr_get(&o.sp.tmpl_dst, &tmpl->id.daddr);
	o.sp.reqid = tmpl->reqid;
	o.sp.if_id = nla_get_u32(a[XFRMA_IF_ID]);
	*ret = o;
	return 0;
}

int xfrmmsg_decode(const struct nlmsghdr *h, struct kobject *ret)
{
	if (h->nlmsg_type == XFRM_MSG_NEWSA)
		return decode_sa(h, ret);
	if (h->nlmsg_type == XFRM_MSG_NEWPOLICY)
		return decode_sp(h, ret);
	return -ENOENT;
}
