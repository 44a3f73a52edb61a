/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nfstate.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "lib/cleanup.h"
#include "plan/nft.h"

/* Room for a transaction: three messages of libnftnl and at most this many elements of 20 bytes each. */
#define ELEMS_MAX 64
#define BATCH_SIZE 16384
#define ANSWER_TIMEOUT_S 10 /* see nlsock.c */
#define ASK_TRIES 10

struct nfstate {
	struct nft_ctx *nft;
	struct mnl_socket *sock;
	uint32_t seq;
	char why[128];
	char buf[BATCH_SIZE];
};

/* What a dump callback needs to know. */
struct reading {
	enum nft_family family;
	enum nft_kind kind;
	const char *set;
	kernel_object_fn fn;
	kernel_counter_fn counter;
	void *ctx;
};

static uint16_t nfproto(enum nft_family f)
{
	return f == NFT_NETDEV ? NFPROTO_NETDEV : NFPROTO_INET;
}

int nfstate_open(struct nfstate **ret)
{
	struct nfstate *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	s->sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!s->nft || !s->sock || mnl_socket_bind(s->sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    nft_ctx_buffer_error(s->nft) != 0 || nft_ctx_buffer_output(s->nft) != 0) {
		int r = errno ? -errno : -ENOMEM;
		nfstate_free(s);
		return r;
	}
	struct timeval tv = { .tv_sec = ANSWER_TIMEOUT_S };
	setsockopt(mnl_socket_get_fd(s->sock), SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	*ret = s;
	return 0;
}

void nfstate_free(struct nfstate *s)
{
	if (!s)
		return;
	if (s->nft)
		nft_ctx_free(s->nft);
	if (s->sock)
		mnl_socket_close(s->sock);
	free(s);
}

/*
 * libnftables gives its errors as text only: "FILE:LINE:COLUMNS: Error: REASON", then the offending line. Only the
 * reason is kept, for the line may hold addresses.
 */
static int reason(struct nfstate *s, const char *text)
{
	static const struct {
		const char *says;
		int error;
	} known[] = {
		{ "No such file or directory", -ENOENT }, { "Operation not permitted", -EPERM },
		{ "Device or resource busy", -EBUSY },	  { "No such device", -ENODEV },
		{ "not supported", -EOPNOTSUPP },
	};
	const char *start = strstr(text, "Error: ");
	start = start ? start + strlen("Error: ") : text;
	snprintf(s->why, sizeof(s->why), "%.*s", (int)strcspn(start, "\n;"), start);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strstr(s->why, known[i].says))
			return known[i].error;
	return -EIO;
}

int nfstate_run(struct nfstate *s, const char *script, const char **ret_why)
{
	s->why[0] = '\0';
	int failed = nft_run_cmd_from_buffer(s->nft, script);
	int r = failed ? reason(s, nft_ctx_get_error_buffer(s->nft)) : 0;
	*ret_why = s->why;
	return r;
}

static int put_elem(struct nftnl_set *set, const struct kobj_elem *e)
{
	struct nftnl_set_elem *elem = nftnl_set_elem_alloc();
	if (!elem)
		return -ENOMEM;
	if (nftnl_set_elem_set(elem, NFTNL_SET_ELEM_KEY, e->key, e->len) < 0) {
		nftnl_set_elem_free(elem);
		return -ENOMEM;
	}
	nftnl_set_elem_add(set, elem);
	return 0;
}

static int elem_message(struct mnl_nlmsg_batch *b, uint32_t seq, const struct kobj_elem *e, bool add)
{
	struct nftnl_set *set = nftnl_set_alloc();
	if (!set)
		return -ENOMEM;
	nftnl_set_set_str(set, NFTNL_SET_TABLE, NFT_TABLE_NAME);
	nftnl_set_set_str(set, NFTNL_SET_NAME, e->set);
	int r = put_elem(set, e);
	if (r >= 0) {
		/* Without NLM_F_EXCL an element that is there is left there. */
		struct nlmsghdr *h =
			nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(b), add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
					      nfproto(e->family), NLM_F_ACK | (add ? NLM_F_CREATE : 0), seq);
		nftnl_set_elems_nlmsg_build_payload(h, set);
		mnl_nlmsg_batch_next(b);
	}
	nftnl_set_free(set);
	return r;
}

/* Acknowledgements of a batch: the first error, or 0 when all `expected` came. */
static int batch_answers(struct nfstate *s, uint32_t first, size_t expected)
{
	int result = 0;
	while (expected) {
		ssize_t len = mnl_socket_recvfrom(s->sock, s->buf, sizeof(s->buf));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		int left = (int)len;
		for (struct nlmsghdr *h = (void *)s->buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(h) < sizeof(struct nlmsgerr))
				continue;
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
			if (h->nlmsg_seq - first > s->seq - first)
				continue; /* of an earlier batch */
			if (e->error && !result)
				result = e->error;
			/* An error of the transaction as a whole stands at its first message, and nothing follows. */
			if (h->nlmsg_seq == first)
				return result;
			expected--;
		}
	}
	return result;
}

static int elems_some(struct nfstate *s, const struct kobject *v, size_t n, bool add)
{
	char out[BATCH_SIZE];
	struct mnl_nlmsg_batch *b = mnl_nlmsg_batch_start(out, sizeof(out));
	if (!b)
		return -ENOMEM;
	uint32_t first = ++s->seq;
	nftnl_batch_begin(mnl_nlmsg_batch_current(b), first);
	mnl_nlmsg_batch_next(b);
	int r = 0;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = elem_message(b, ++s->seq, &v[i].elem, add);
	nftnl_batch_end(mnl_nlmsg_batch_current(b), ++s->seq);
	mnl_nlmsg_batch_next(b);
	if (r >= 0 && mnl_socket_sendto(s->sock, mnl_nlmsg_batch_head(b), mnl_nlmsg_batch_size(b)) < 0)
		r = -errno;
	mnl_nlmsg_batch_stop(b);
	return r < 0 ? r : batch_answers(s, first, n);
}

int nfstate_elems(struct nfstate *s, const struct kobject *v, size_t n, bool add)
{
	while (n) {
		size_t some = n < ELEMS_MAX ? n : ELEMS_MAX;
		int r = elems_some(s, v, some, add);
		if (r < 0)
			return r;
		v += some;
		n -= some;
	}
	return 0;
}

/* The messages of one answer, kept until it is known to be whole. */
struct answer {
	uint8_t *data;
	size_t len;
};

static void cleanup_answer(struct answer *a)
{
	free(a->data);
}

static int answer_keep(struct answer *a, const struct nlmsghdr *h)
{
	uint8_t *data = realloc(a->data, a->len + NLMSG_ALIGN(h->nlmsg_len));
	if (!data)
		return -ENOMEM;
	memcpy(data + a->len, h, h->nlmsg_len);
	a->data = data;
	a->len += NLMSG_ALIGN(h->nlmsg_len);
	return 0;
}

/* How an answer ends: 0 or negative errno; also the end of a dump has a code. */
static int end_code(const struct nlmsghdr *h)
{
	if (mnl_nlmsg_get_payload_len(h) < sizeof(int))
		return h->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	int code = *(const int *)mnl_nlmsg_get_payload(h);
	return code < 0 ? code : 0;
}

/* One answer to its end, whatever happens on the way, so that the next one is not taken for it. */
static int answer_read(struct nfstate *s, uint32_t seq, struct answer *a)
{
	char buf[32768]; /* a dump datagram of the kernel */
	int error = 0;
	for (;;) {
		ssize_t len = mnl_socket_recvfrom(s->sock, buf, sizeof(buf));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		int left = (int)len;
		for (const struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != seq)
				continue; /* the rest of an earlier one */
			if (h->nlmsg_flags & NLM_F_DUMP_INTR && !error)
				error = -EINTR;
			if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
				int code = end_code(h);
				return error ? error : code;
			}
			if (!error)
				error = answer_keep(a, h);
		}
	}
}

/*
 * Send one request and run cb over the messages of the answer. A dump that others disturbed (NLM_F_DUMP_INTR) may lack
 * something or have it twice, so it is made again.
 */
static int ask(struct nfstate *s, struct nlmsghdr *h, mnl_cb_t cb, void *ctx)
{
	_cleanup_(cleanup_answer) struct answer a = { NULL, 0 };
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < ASK_TRIES; tries++) {
		a.len = 0;
		h->nlmsg_seq = ++s->seq;
		r = mnl_socket_sendto(s->sock, h, h->nlmsg_len) < 0 ? -errno : answer_read(s, h->nlmsg_seq, &a);
	}
	int left = (int)a.len;
	for (const struct nlmsghdr *m = (void *)a.data; r >= 0 && mnl_nlmsg_ok(m, left); m = mnl_nlmsg_next(m, &left))
		if (cb(m, ctx) < 0)
			return -ENOMEM;
	return r;
}

static int ignore(const struct nlmsghdr *h, void *ctx)
{
	(void)h;
	(void)ctx;
	return MNL_CB_OK;
}

int nfstate_forget(struct nfstate *s, uint32_t mark)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(s->buf);
	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	*g = (struct nfgenmsg){ .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 };
	mnl_attr_put_u32(h, CTA_MARK, htonl(mark));
	mnl_attr_put_u32(h, CTA_MARK_MASK, htonl(UINT32_MAX));
	return ask(s, h, ignore, NULL);
}

static uint16_t get_type(enum nft_kind kind)
{
	static const uint16_t types[] = { [NFT_TABLE] = NFT_MSG_GETTABLE,
					  [NFT_SET] = NFT_MSG_GETSET,
					  [NFT_COUNTER] = NFT_MSG_GETOBJ,
					  [NFT_CHAIN] = NFT_MSG_GETCHAIN };
	return types[kind];
}

/* Attributes that name one object; the table's name has the same number for every kind. */
static void put_name(struct nlmsghdr *h, enum nft_kind kind, const char *name)
{
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFT_TABLE_NAME);
	if (kind == NFT_SET && name)
		mnl_attr_put_strz(h, NFTA_SET_NAME, name);
	if (kind == NFT_CHAIN && name)
		mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	if (kind != NFT_COUNTER)
		return;
	if (name)
		mnl_attr_put_strz(h, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(h, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
}

int nfstate_exists(struct nfstate *s, const struct kobj_nft *n)
{
	struct nlmsghdr *h = nftnl_nlmsg_build_hdr(s->buf, get_type(n->kind), nfproto(n->family), NLM_F_ACK, ++s->seq);
	put_name(h, n->kind, n->name);
	return ask(s, h, ignore, NULL);
}

/* Name of the object in a message if it lies in our table; released by free(). */
static char *name_of(const struct nlmsghdr *h, enum nft_kind kind)
{
	struct nlattr *attr;
	const char *table = NULL, *name = NULL;
	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
			continue;
		if (mnl_attr_get_type(attr) == NFTA_TABLE_NAME)
			table = mnl_attr_get_str(attr);
		/* NFTA_CHAIN_NAME is 3: NFTA_CHAIN_HANDLE stands before it */
		if (mnl_attr_get_type(attr) == (kind == NFT_CHAIN ? (int)NFTA_CHAIN_NAME : (int)NFTA_SET_NAME))
			name = mnl_attr_get_str(attr);
	}
	if (kind == NFT_TABLE)
		name = table;
	return table && name && !strcmp(table, NFT_TABLE_NAME) && strlen(name) < NFT_NAME_MAX ? strdup(name) : NULL;
}

static int on_object(const struct nlmsghdr *h, void *ctx)
{
	struct reading *d = ctx;
	_cleanup_free_ char *name = name_of(h, d->kind);
	if (!name)
		return MNL_CB_OK;
	struct kobject o = { .type = KOBJ_NFT };
	o.nft.kind = d->kind;
	o.nft.family = d->family;
	snprintf(o.nft.name, sizeof(o.nft.name), "%s", name);
	/* libnftables gives anonymous sets of rules names like __set0 */
	if (d->kind != NFT_SET || strncmp(name, "__", 2) != 0)
		d->fn(d->ctx, &o);
	return MNL_CB_OK;
}

static int on_counter(const struct nlmsghdr *h, void *ctx)
{
	struct reading *d = ctx;
	struct nftnl_obj *o = nftnl_obj_alloc();
	if (!o)
		return MNL_CB_ERROR;
	if (nftnl_obj_nlmsg_parse(h, o) == 0 && nftnl_obj_get_u32(o, NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER &&
	    nftnl_obj_get_str(o, NFTNL_OBJ_TABLE) && !strcmp(nftnl_obj_get_str(o, NFTNL_OBJ_TABLE), NFT_TABLE_NAME))
		d->counter(d->ctx, nftnl_obj_get_str(o, NFTNL_OBJ_NAME), nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS),
			   nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_BYTES));
	nftnl_obj_free(o);
	return MNL_CB_OK;
}

static int report_elem(struct nftnl_set_elem *e, void *ctx)
{
	struct reading *d = ctx;
	uint32_t len = 0;
	const void *key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &len);
	struct kobject o = { .type = KOBJ_ELEM };
	if (!key || len > sizeof(o.elem.key))
		return 0;
	o.elem.family = d->family;
	snprintf(o.elem.set, sizeof(o.elem.set), "%s", d->set);
	memcpy(o.elem.key, key, len);
	o.elem.len = (uint8_t)len;
	d->fn(d->ctx, &o);
	return 0;
}

static int on_elems(const struct nlmsghdr *h, void *ctx)
{
	struct nftnl_set *set = nftnl_set_alloc();
	if (!set)
		return MNL_CB_ERROR;
	if (nftnl_set_elems_nlmsg_parse(h, set) == 0)
		nftnl_set_elem_foreach(set, report_elem, ctx);
	nftnl_set_free(set);
	return MNL_CB_OK;
}

static int dump_kind(struct nfstate *s, struct reading *d, mnl_cb_t cb)
{
	struct nlmsghdr *h = nftnl_nlmsg_build_hdr(s->buf, get_type(d->kind), nfproto(d->family), NLM_F_DUMP, ++s->seq);
	/* Sets and objects can be asked for by table, the rest is filtered here. */
	if (d->kind == NFT_SET || d->kind == NFT_COUNTER)
		put_name(h, d->kind, NULL);
	int r = ask(s, h, cb, d);
	return r == -ENOENT ? 0 : r;
}

static int dump_elems(struct nfstate *s, struct reading *d)
{
	struct nlmsghdr *h =
		nftnl_nlmsg_build_hdr(s->buf, NFT_MSG_GETSETELEM, nfproto(d->family), NLM_F_DUMP, ++s->seq);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, d->set);
	int r = ask(s, h, on_elems, d);
	return r == -ENOENT ? 0 : r;
}

int nfstate_dump(struct nfstate *s, bool objects, bool elems, kernel_object_fn fn, void *ctx)
{
	static const struct {
		enum nft_family family;
		const char *name;
	} sets[] = { { NFT_NETDEV, "circ4" }, { NFT_NETDEV, "circ6" }, { NFT_INET, "live4" },
		     { NFT_INET, "live6" },   { NFT_INET, "lan4" },    { NFT_INET, "lan6" } };
	struct reading d = { .fn = fn, .ctx = ctx };
	int r = 0;
	for (d.family = NFT_INET; objects && d.family <= NFT_NETDEV && r >= 0; d.family++)
		for (d.kind = NFT_TABLE; d.kind <= NFT_CHAIN && r >= 0; d.kind++)
			r = dump_kind(s, &d, on_object);
	/* Only of sets that the plans fill: what the kernel itself puts into echo4 and echo6 is not ours. */
	for (size_t i = 0; elems && i < ARRAY_SIZE(sets) && r >= 0; i++) {
		d.family = sets[i].family;
		d.set = sets[i].name;
		r = dump_elems(s, &d);
	}
	return r;
}

int nfstate_counters(struct nfstate *s, kernel_counter_fn fn, void *ctx)
{
	struct reading d = { .kind = NFT_COUNTER, .counter = fn, .ctx = ctx };
	int r = 0;
	for (d.family = NFT_INET; d.family <= NFT_NETDEV && r >= 0; d.family++)
		r = dump_kind(s, &d, on_counter);
	return r;
}
