/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links of a constant rate: what anond made of them, and the same by hand. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "anonctl/answer.h"
#include "anonctl/ask.h"
#include "anonctl/command.h"
#include "anonctl/table.h"
#include "kernel/ops.h"
#include "kernel/tfc.h"
#include "lib/cleanup.h"

#define NS_PER_S 1000000000u
#define NS_PER_MS 1000000u

/* ---- showing ---- */

/* What json packs do not say by themselves: 64 bits, of which JSON's readers keep 53. */
static int set_count(json_t *o, const char *name, uint64_t v)
{
	return json_object_set_new(o, name, json_integer((json_int_t)v));
}

static const struct {
	const char *name;
	size_t offset;
} counts[] = {
	{ "real", offsetof(struct tc_tfc_xstats, real) },
	{ "cover", offsetof(struct tc_tfc_xstats, cover) },
	{ "missed", offsetof(struct tc_tfc_xstats, missed) },
	{ "late_ns", offsetof(struct tc_tfc_xstats, late_ns) },
	{ "late_max_ns", offsetof(struct tc_tfc_xstats, late_max_ns) },
	{ "wait_ns", offsetof(struct tc_tfc_xstats, wait_ns) },
	{ "wait_max_ns", offsetof(struct tc_tfc_xstats, wait_max_ns) },
	{ "drop_size", offsetof(struct tc_tfc_xstats, drop_size) },
	{ "drop_full", offsetof(struct tc_tfc_xstats, drop_full) },
	{ "drop_aqm", offsetof(struct tc_tfc_xstats, drop_aqm) },
	{ "drop_nobody", offsetof(struct tc_tfc_xstats, drop_nobody) },
	{ "drop_memory", offsetof(struct tc_tfc_xstats, drop_memory) },
	{ "changes", offsetof(struct tc_tfc_xstats, changes) },
};

static json_t *stats_json(const struct tc_tfc_xstats *s)
{
	json_t *o = json_object();
	int r = 0;

	for (size_t i = 0; o && i < ARRAY_SIZE(counts); i++)
		r |= set_count(o, counts[i].name, *(const uint64_t *)((const char *)s + counts[i].offset));
	r |= set_count(o, "waiting", s->waiting) | set_count(o, "circuits", s->circuits) |
	     set_count(o, "step", s->step) | set_count(o, "on", s->on);
	if (r != 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *shape_json(const struct kobj_tfc *t, const struct tc_tfc_xstats *stats)
{
	return json_pack("{s:s, s:i, s:I, s:i, s:I, s:I, s:I, s:i, s:b, s:o, s:[]}", "device", t->dev, "size",
			 (int)t->size, "interval_ns", (json_int_t)t->interval_ns, "steps", (int)t->steps,
			 "step_time_ns", (json_int_t)t->step_time_ns, "idle_ns", (json_int_t)t->idle_ns, "window_ns",
			 (json_int_t)t->window_ns, "limit", (int)t->limit, "shared", (int)t->shared, "sums",
			 stats_json(stats), "peers");
}

static json_t *peer_json(const struct kobj_tfc_peer *p, const struct tc_tfc_xstats *stats)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	json_t *o = stats_json(stats), *id;

	inet_ntop(AF_INET6, &p->src, src, sizeof(src));
	inet_ntop(AF_INET6, &p->dst, dst, sizeof(dst));
	id = json_pack("{s:i, s:s, s:s}", "class", (int)p->number, "src", src, "dst", dst);
	if (o && id)
		json_object_update(o, id);
	json_decref(id);
	return o;
}

static void add_json(void *ctx, const struct tfc_info *info)
{
	json_t *list = ctx;
	size_t n = json_array_size(list);

	if (info->o.type == KOBJ_TFC)
		json_array_append_new(list, shape_json(&info->o.tfc, &info->stats));
	else if (n > 0)
		json_array_append_new(json_object_get(json_array_get(list, n - 1), "peers"),
				      peer_json(&info->o.tfc_peer, &info->stats));
}

struct show {
	struct table table;
	struct kobj_tfc shape; /* whose far ends come */
	int error;
};

static void set_number(struct table *t, size_t column, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	table_set(t, column, text);
}

static void add_row(void *ctx, const struct tfc_info *info)
{
	struct show *s = ctx;
	const struct tc_tfc_xstats *x = &info->stats;
	uint64_t turns = x->real + x->cover, drops = x->drop_size + x->drop_full + x->drop_aqm + x->drop_memory;
	char text[32];

	if (info->o.type == KOBJ_TFC) {
		s->shape = info->o.tfc;
		return;
	}
	if (s->error == 0)
		s->error = table_row(&s->table);
	if (s->error < 0)
		return;
	table_set(&s->table, 0, s->shape.dev);
	set_number(&s->table, 1, info->o.tfc_peer.number);
	snprintf(text, sizeof(text), "%.6g",
		 x->on ? 1e9 / ((double)s->shape.interval_ns * (double)(1u << x->step)) : 0.);
	table_set(&s->table, 2, text);
	set_number(&s->table, 3, s->shape.size);
	set_number(&s->table, 4, x->real);
	set_number(&s->table, 5, x->cover);
	set_number(&s->table, 6, x->missed);
	set_number(&s->table, 7, x->waiting);
	snprintf(text, sizeof(text), "%.1f", x->real ? (double)x->wait_ns / (double)x->real / 1e6 : 0.);
	table_set(&s->table, 8, text);
	snprintf(text, sizeof(text), "%.2f", turns ? (double)x->late_ns / (double)turns / 1e6 : 0.);
	table_set(&s->table, 9, text);
	set_number(&s->table, 10, drops);
}

static int show_table(const struct call *call)
{
	static const char *const titles[TABLE_COLUMNS] = { "DEVICE", "CLASS",	"PPS",	   "SIZE",    "REAL",	"COVER",
							   "MISSED", "WAITING", "WAIT/MS", "LATE/MS", "DROPPED" };
	struct show s = { .error = 0 };
	int r;

	s.error = table_row(&s.table);
	for (size_t i = 0; i < TABLE_COLUMNS && s.error == 0; i++)
		table_set(&s.table, i, titles[i]);
	r = tfc_list(add_row, &s);
	if (r == 0)
		r = s.error;
	if (r == 0)
		table_print(&s.table, call->out);
	table_clear(&s.table);
	return r;
}

int run_tfc(const struct call *call)
{
	_cleanup_json_ json_t *list = json_array();
	int r;

	if (arguments_has(call->args, OPT_JSON)) {
		r = tfc_list(add_json, list);
		if (r == 0)
			put_json(list, call->out);
	} else {
		r = show_table(call);
	}
	return r < 0 ? call_fail(call, STATUS_FAILED, "cannot read them from the kernel: %s", strerror(-r)) : STATUS_OK;
}

/* ---- by hand ---- */

static int carry_out(const struct call *call, const struct kobject *o, bool make)
{
	struct kobject copy = *o;
	const struct plan plan = { .v = &copy, .n = 1 };
	struct kernel *k = NULL;
	int r = kernel_open(&k), status = STATUS_OK;

	if (r < 0)
		return call_fail(call, STATUS_FAILED, "cannot talk to the kernel: %s", strerror(-r));
	r = make ? kernel_apply(k, &plan) : kernel_remove(k, &plan);
	if (r < 0)
		status = call_fail(call, r == -EPERM ? STATUS_REFUSED : STATUS_FAILED, "%s", kernel_error_text(k));
	kernel_free(k);
	return status;
}

static bool set_device(const struct call *call, char ret[IFNAMSIZ])
{
	if (!if_nametoindex(call->operands[0])) {
		call_fail(call, STATUS_FAILED, "there is no device %.32s", call->operands[0]);
		return false;
	}
	snprintf(ret, IFNAMSIZ, "%s", call->operands[0]);
	return true;
}

/* The words of `tfc add`: the unit of each is that of its member, divided by scale. */
static int setting(struct kobj_tfc *t, const char *name, const char *value, struct error *err)
{
	struct {
		const char *name;
		uint32_t min, max;
		uint64_t *to, scale;
	} times[] = { { "step-time", 1, 86400, &t->step_time_ns, NS_PER_S },
		      { "idle", 0, 86400, &t->idle_ns, NS_PER_S },
		      { "window", 0, 1000, &t->window_ns, NS_PER_MS } };
	uint32_t v;
	int r;

	if (strcmp(name, "rate") == 0) {
		r = arguments_number(name, value, 1, 100000, &v, err);
		t->interval_ns = r < 0 ? 0 : NS_PER_S / v;
		return r;
	}
	if (strcmp(name, "size") == 0) {
		r = arguments_number(name, value, TFC_SIZE_MIN, TFC_SIZE_MAX, &v, err);
		t->size = r < 0 ? 0 : (uint16_t)v;
		return r;
	}
	if (strcmp(name, "steps") == 0)
		return arguments_number(name, value, 1, TFC_STEPS_MAX, &t->steps, err);
	if (strcmp(name, "limit") == 0)
		return arguments_number(name, value, 1, TFC_LIMIT_MAX, &t->limit, err);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		if (strcmp(name, times[i].name) != 0)
			continue;
		r = arguments_number(name, value, times[i].min, times[i].max, &v, err);
		*times[i].to = r < 0 ? 0 : v * times[i].scale;
		return r;
	}
	return error_set(err, -EINVAL, "%.32s is no setting", name);
}

/* 0, or an exit status after the sentence was printed. */
static int settings(const struct call *call, struct kobj_tfc *t)
{
	struct error err;

	for (size_t i = 1; i < call->n_operands; i += 2) {
		if (strcmp(call->operands[i], "shared") == 0) {
			t->shared = true;
			i--;
			continue;
		}
		if (i + 1 == call->n_operands)
			return call_fail(call, STATUS_USAGE, "%.32s needs a value", call->operands[i]);
		if (setting(t, call->operands[i], call->operands[i + 1], &err) < 0)
			return call_fail(call, STATUS_USAGE, "%s", err.text);
	}
	return t->interval_ns ? STATUS_OK : call_fail(call, STATUS_USAGE, "a rate is needed");
}

struct find {
	struct kobj_tfc t; /* of the device dev, if found */
	bool found;
};

static void note_shape(void *ctx, const struct tfc_info *info)
{
	struct find *f = ctx;

	if (info->o.type != KOBJ_TFC || strcmp(info->o.tfc.dev, f->t.dev) != 0)
		return;
	f->t = info->o.tfc;
	f->found = true;
}

/* What the device has. 0, or an exit status after the sentence was printed. */
static int look(const struct call *call, struct find *f)
{
	int r;

	if (!set_device(call, f->t.dev))
		return STATUS_FAILED;
	r = tfc_list(note_shape, f);
	return r < 0 ? call_fail(call, STATUS_FAILED, "cannot read it from the kernel: %s", strerror(-r)) : STATUS_OK;
}

/* Bytes; 0 if there is no such device. */
static uint16_t mtu_of(const char *dev)
{
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ask = { 0 };

	snprintf(ask.ifr_name, sizeof(ask.ifr_name), "%s", dev);
	if (fd < 0 || ioctl(fd, SIOCGIFMTU, &ask) < 0 || ask.ifr_mtu < 0 || ask.ifr_mtu > UINT16_MAX)
		return 0;
	return (uint16_t)ask.ifr_mtu;
}

int run_tfc_add(const struct call *call)
{
	struct find f = { .t = { .steps = 1, .step_time_ns = 60u * (uint64_t)NS_PER_S } };
	struct kobject o = { .type = KOBJ_TFC };
	int status = look(call, &f);

	if (status == STATUS_OK && f.found)
		return call_fail(call, STATUS_FAILED, "%s has a rate; see anonctl tfc change", f.t.dev);
	f.t.size = mtu_of(f.t.dev);
	if (status == STATUS_OK)
		status = settings(call, &f.t);
	o.tfc = f.t;
	return status == STATUS_OK ? carry_out(call, &o, true) : status;
}

int run_tfc_change(const struct call *call)
{
	struct kobject o = { .type = KOBJ_TFC };
	struct find f = { 0 };
	int status = look(call, &f);

	if (status == STATUS_OK && !f.found)
		return call_fail(call, STATUS_FAILED, "%s has no rate; see anonctl tfc add", f.t.dev);
	if (status == STATUS_OK)
		status = settings(call, &f.t);
	o.tfc = f.t;
	return status == STATUS_OK ? carry_out(call, &o, true) : status;
}

int run_tfc_del(const struct call *call)
{
	struct kobject o = { .type = KOBJ_TFC };

	return set_device(call, o.tfc.dev) ? carry_out(call, &o, false) : STATUS_FAILED;
}

static int set_number_of(const struct call *call, struct kobject *o)
{
	struct error err;
	uint32_t v;

	if (!set_device(call, o->tfc_peer.dev))
		return STATUS_FAILED;
	if (arguments_number("NUMBER", call->operands[1], 1, UINT16_MAX, &v, &err) < 0)
		return call_fail(call, STATUS_USAGE, "%s", err.text);
	o->tfc_peer.number = (uint16_t)v;
	return STATUS_OK;
}

int run_tfc_peer(const struct call *call)
{
	struct kobject o = { .type = KOBJ_TFC_PEER };
	int status = set_number_of(call, &o);

	if (status != STATUS_OK)
		return status;
	if (inet_pton(AF_INET6, call->operands[2], &o.tfc_peer.src) != 1 ||
	    inet_pton(AF_INET6, call->operands[3], &o.tfc_peer.dst) != 1)
		return call_fail(call, STATUS_USAGE, "SOURCE and DESTINATION are IPv6 addresses");
	return carry_out(call, &o, true);
}

int run_tfc_no_peer(const struct call *call)
{
	struct kobject o = { .type = KOBJ_TFC_PEER };
	int status = set_number_of(call, &o);

	return status == STATUS_OK ? carry_out(call, &o, false) : status;
}
