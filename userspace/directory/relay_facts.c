/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directory/relay_facts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/clock.h"

/* ---- reading ---- */

static int take_name(void *ctx, struct document_words *w, struct error *err)
{
	struct relay_facts *d = ctx;
	int r = document_string(w, d->relay.name, sizeof(d->relay.name), err);

	if (r == 0 && !relay_name_valid(d->relay.name))
		r = error_set(err, -EINVAL, "not letters, digits and inner '-'");
	return r;
}

static int take_identity(void *ctx, struct document_words *w, struct error *err)
{
	return document_bytes(w, ((struct relay_facts *)ctx)->relay.id.b, sizeof(struct relay_id), err);
}

static int onion_key(struct document_words *w, uint32_t *ret_id, uint8_t *ret_key, struct error *err)
{
	uint64_t id = 0;
	int r = document_number(w, 0, UINT32_MAX, &id, err);

	*ret_id = (uint32_t)id;
	return r < 0 ? r : document_bytes(w, ret_key, 32, err);
}

static int take_onion_key(void *ctx, struct document_words *w, struct error *err)
{
	struct relay_facts *d = ctx;

	return onion_key(w, &d->relay.onion_key_id, d->relay.onion_key, err);
}

static int take_next_onion_key(void *ctx, struct document_words *w, struct error *err)
{
	struct relay_facts *d = ctx;
	int r = onion_key(w, &d->next_onion_id, d->next_onion_key, err);

	d->has_next_onion = true;
	if (r == 0 && d->next_onion_id == d->relay.onion_key_id)
		r = error_set(err, -EINVAL, "the number of the one before");
	return r;
}

static int take_link_key(void *ctx, struct document_words *w, struct error *err)
{
	return document_bytes(w, ((struct relay_facts *)ctx)->relay.link_key, 32, err);
}

/* Only as it would be written. */
static int address(struct document_words *w, int family, void *ret, struct error *err)
{
	char text[INET6_ADDRSTRLEN], again[INET6_ADDRSTRLEN];
	int r = document_string(w, text, sizeof(text), err);

	if (r < 0)
		return r;
	if (inet_pton(family, text, ret) != 1 || !inet_ntop(family, ret, again, sizeof(again)) ||
	    strcmp(text, again) != 0)
		return error_set(err, -EINVAL, "not an IPv%d address in its usual form", family == AF_INET ? 4 : 6);
	return 0;
}

static int take_address4(void *ctx, struct document_words *w, struct error *err)
{
	struct relay_facts *d = ctx;
	int r = address(w, AF_INET, &d->relay.addr4, err);

	return r == 0 && !addr4_is_host(d->relay.addr4) ? error_set(err, -EINVAL, "not a host's") : r;
}

static int take_address6(void *ctx, struct document_words *w, struct error *err)
{
	struct relay_facts *d = ctx;
	int r = address(w, AF_INET6, &d->relay.addr6, err);

	return r == 0 && !addr6_is_host(&d->relay.addr6) ? error_set(err, -EINVAL, "not a host's") : r;
}

static int take_guard(void *ctx, struct document_words *w, struct error *err)
{
	(void)w;
	(void)err;
	((struct relay_facts *)ctx)->relay.guard = true;
	return 0;
}

static bool comes_after(const struct port_range *r, const struct port_range *before)
{
	return r->proto > before->proto || (r->proto == before->proto && r->first > before->last + 1);
}

static int ports(struct exit_ports *e, struct document_words *w, struct error *err)
{
	char text[20], again[PORT_RANGE_TEXT_MAX];

	do {
		struct port_range v;
		int r = document_string(w, text, sizeof(text), err);

		if (r < 0)
			return r;
		if (e->n == EXIT_PORTS_MAX)
			return error_set(err, -EINVAL, "more than %u", EXIT_PORTS_MAX);
		r = port_range_parse(text, &v);
		if (r == 0)
			port_range_format(&v, again);
		if (r < 0 || strcmp(text, again) != 0)
			return error_set(err, -EINVAL, "%s is no port such as tcp/80 or udp/1-65535", text);
		if (e->n && !comes_after(&v, &e->v[e->n - 1]))
			return error_set(err, -EINVAL, "%s does not come after the one before, with a port between",
					 text);
		e->v[e->n++] = v;
	} while (w->s != w->end);
	return 0;
}

static int take_exit4(void *ctx, struct document_words *w, struct error *err)
{
	return ports(&((struct relay_facts *)ctx)->traits.exit4, w, err);
}

static int take_exit6(void *ctx, struct document_words *w, struct error *err)
{
	return ports(&((struct relay_facts *)ctx)->traits.exit6, w, err);
}

static int take_bandwidth(void *ctx, struct document_words *w, struct error *err)
{
	uint64_t v = 0;
	int r = document_number(w, 0, UINT32_MAX, &v, err);

	((struct relay_facts *)ctx)->bandwidth = (uint32_t)v;
	return r;
}

static int take_family(void *ctx, struct document_words *w, struct error *err)
{
	struct relay_facts *d = ctx;

	do {
		size_t i = d->traits.n_families;
		int r = 0;

		if (i == FAMILIES_MAX)
			return error_set(err, -EINVAL, "more than %u", FAMILIES_MAX);
		r = document_bytes(w, d->traits.families[i], sizeof(d->traits.families[i]), err);
		if (r < 0)
			return r;
		if (i && memcmp(d->traits.families[i - 1], d->traits.families[i], sizeof(d->traits.families[i])) >= 0)
			return error_set(err, -EINVAL, "keys do not ascend");
		d->traits.n_families++;
	} while (w->s != w->end);
	return 0;
}

static int take_as(void *ctx, struct document_words *w, struct error *err)
{
	uint64_t v = 0;
	int r = document_number(w, 1, UINT32_MAX, &v, err);

	((struct relay_facts *)ctx)->traits.as = (uint32_t)v;
	return r;
}

int country_take(struct document_words *w, char ret[3], struct error *err)
{
	int r = document_string(w, ret, 3, err);

	for (size_t i = 0; i < 2 && r == 0; i++)
		if (ret[i] < 'A' || ret[i] > 'Z')
			r = error_set(err, -EINVAL, "not two capital letters");
	return r;
}

static int take_country(void *ctx, struct document_words *w, struct error *err)
{
	return country_take(w, ((struct relay_facts *)ctx)->traits.country, err);
}

static int take_software(void *ctx, struct document_words *w, struct error *err)
{
	struct relay_facts *d = ctx;

	return document_string(w, d->software, sizeof(d->software), err);
}

static int take_ends(void *ctx, struct document_words *w, struct error *err)
{
	return document_number(w, 1, CLOCK_WALL_MAX, &((struct relay_facts *)ctx)->traits.ends, err);
}

static const struct document_field fields[] = {
	{ "identity", take_identity, false },
	{ "name", take_name, false },
	{ "onion-key", take_onion_key, false },
	{ "next-onion-key", take_next_onion_key, true },
	{ "link-key", take_link_key, false },
	{ "address4", take_address4, true },
	{ "address6", take_address6, true },
	{ "guard", take_guard, true },
	{ "exit4", take_exit4, true },
	{ "exit6", take_exit6, true },
	{ "bandwidth", take_bandwidth, false },
	{ "family", take_family, true },
	{ "as", take_as, true },
	{ "country", take_country, true },
	{ "software", take_software, false },
	{ "ends", take_ends, true },
};

static const char *const ends[] = { "flags",	"weight",    "seen-as", "seen-country", "link-proof", "family-proof",
				    "identity", "signature", NULL };

bool relay_facts_end_at(const struct document_line *line)
{
	return document_is_any(line, ends);
}

int relay_facts_read(struct document_reader *r, struct relay_facts *ret, struct error *err)
{
	struct relay_facts facts = { 0 };
	const char *begin = r->s;
	unsigned int line = r->number;
	int e = document_section(r, fields, ARRAY_SIZE(fields), ends, &facts, err);

	if (e == 0 && facts.relay.addr4.s_addr == INADDR_ANY && IN6_IS_ADDR_UNSPECIFIED(&facts.relay.addr6))
		e = error_set(err, -EINVAL, "line %u: address4: a relay needs it or address6", line);
	if (e == 0 && (size_t)(r->s - begin) > RELAY_FACTS_MAX)
		e = error_set(err, -EINVAL, "line %u: facts of more than %u bytes", line, RELAY_FACTS_MAX);
	if (e < 0)
		return e;
	facts.relay.exit = facts.traits.exit4.n || facts.traits.exit6.n;
	*ret = facts;
	return 0;
}

/* ---- writing ---- */

static void put_key(FILE *f, const char *keyword, const uint8_t key[32])
{
	fputs(keyword, f);
	document_put_bytes(f, key, 32);
	fputc('\n', f);
}

static void put_onion_key(FILE *f, const char *keyword, uint32_t id, const uint8_t key[32])
{
	fprintf(f, "%s %" PRIu32, keyword, id);
	document_put_bytes(f, key, 32);
	fputc('\n', f);
}

static void put_addresses(FILE *f, const struct relay *r)
{
	char text[INET6_ADDRSTRLEN];

	if (r->addr4.s_addr != INADDR_ANY)
		fprintf(f, "address4 %s\n", inet_ntop(AF_INET, &r->addr4, text, sizeof(text)));
	if (!IN6_IS_ADDR_UNSPECIFIED(&r->addr6))
		fprintf(f, "address6 %s\n", inet_ntop(AF_INET6, &r->addr6, text, sizeof(text)));
}

static void put_ports(FILE *f, const char *keyword, const struct exit_ports *e)
{
	char text[PORT_RANGE_TEXT_MAX];

	if (!e->n)
		return;
	fputs(keyword, f);
	for (size_t i = 0; i < e->n; i++) {
		port_range_format(&e->v[i], text);
		fprintf(f, " %s", text);
	}
	fputc('\n', f);
}

static void put_families(FILE *f, const struct relay_facts *d)
{
	if (!d->traits.n_families)
		return;
	fputs("family", f);
	for (size_t i = 0; i < d->traits.n_families; i++)
		document_put_bytes(f, d->traits.families[i], sizeof(d->traits.families[i]));
	fputc('\n', f);
}

void relay_facts_put(FILE *f, const struct relay_facts *d)
{
	put_key(f, "identity", d->relay.id.b);
	fprintf(f, "name %s\n", d->relay.name);
	put_onion_key(f, "onion-key", d->relay.onion_key_id, d->relay.onion_key);
	if (d->has_next_onion)
		put_onion_key(f, "next-onion-key", d->next_onion_id, d->next_onion_key);
	put_key(f, "link-key", d->relay.link_key);
	put_addresses(f, &d->relay);
	if (d->relay.guard)
		fputs("guard\n", f);
	put_ports(f, "exit4", &d->traits.exit4);
	put_ports(f, "exit6", &d->traits.exit6);
	fprintf(f, "bandwidth %" PRIu32 "\n", d->bandwidth);
	put_families(f, d);
	if (d->traits.as)
		fprintf(f, "as %" PRIu32 "\n", d->traits.as);
	if (d->traits.country[0])
		fprintf(f, "country %s\n", d->traits.country);
	fprintf(f, "software %s\n", d->software);
	if (d->traits.ends)
		fprintf(f, "ends %" PRIu64 "\n", d->traits.ends);
}
