/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/exit_policy.h"

#include <string.h>

#include "lib/cleanup.h"
#include "model/prefix.h"

struct ports {
	uint16_t min, max;
};

/* tor(1), ExitPolicy: the end of every policy that does not say otherwise. Mail, file sharing and Windows' own. */
static const struct ports default_reject[] = {
	{ 25, 25 },	{ 119, 119 },	{ 135, 139 },	{ 445, 445 },	{ 563, 563 },
	{ 1214, 1214 }, { 4661, 4666 }, { 6346, 6429 }, { 6699, 6699 }, { 6881, 6999 },
};

/* tor(1), ReducedExitPolicy: nothing but these; and 9030, by which circuits fetch the directory (wire/dirhttp.h). */
static const struct ports reduced_accept[] = {
	{ 20, 23 },	  { 43, 43 },	    { 53, 53 },	      { 79, 81 },	{ 88, 88 },	  { 110, 110 },
	{ 143, 143 },	  { 194, 194 },	    { 220, 220 },     { 389, 389 },	{ 443, 443 },	  { 464, 465 },
	{ 531, 531 },	  { 543, 544 },	    { 554, 554 },     { 563, 563 },	{ 587, 587 },	  { 636, 636 },
	{ 706, 706 },	  { 749, 749 },	    { 853, 853 },     { 873, 873 },	{ 902, 904 },	  { 981, 981 },
	{ 989, 995 },	  { 1194, 1194 },   { 1220, 1220 },   { 1293, 1293 },	{ 1500, 1500 },	  { 1533, 1533 },
	{ 1677, 1677 },	  { 1723, 1723 },   { 1755, 1755 },   { 1863, 1863 },	{ 2082, 2083 },	  { 2086, 2087 },
	{ 2095, 2096 },	  { 2102, 2104 },   { 3128, 3128 },   { 3389, 3389 },	{ 3690, 3690 },	  { 4321, 4321 },
	{ 4643, 4643 },	  { 5050, 5050 },   { 5190, 5190 },   { 5222, 5223 },	{ 5228, 5228 },	  { 5900, 5900 },
	{ 6660, 6669 },	  { 6679, 6679 },   { 6697, 6697 },   { 8000, 8000 },	{ 8008, 8008 },	  { 8074, 8074 },
	{ 8080, 8080 },	  { 8082, 8082 },   { 8087, 8088 },   { 8232, 8233 },	{ 8332, 8333 },	  { 8443, 8443 },
	{ 8888, 8888 },	  { 9030, 9030 },   { 9418, 9418 },   { 9999, 9999 },	{ 10000, 10000 }, { 11371, 11371 },
	{ 19294, 19294 }, { 19638, 19638 }, { 50002, 50002 }, { 64738, 64738 },
};

static const char *add(struct exit_policy *p, const struct policy_rule *r)
{
	if (p->n == POLICY_RULES_MAX)
		return "too many rules";
	p->rules[p->n++] = *r;
	return NULL;
}

static const char *add_ports(struct exit_policy *p, bool accept, const struct ports *v, size_t n)
{
	const char *wrong = NULL;

	for (size_t i = 0; i < n && !wrong; i++)
		wrong = add(p, &(struct policy_rule){ .accept = accept, .port_min = v[i].min, .port_max = v[i].max });
	return wrong;
}

static const char *add_preset(struct exit_policy *p, const char *name)
{
	const char *wrong;

	if (strcmp(name, "default") == 0) {
		wrong = add_ports(p, false, default_reject, ARRAY_SIZE(default_reject));
		return wrong ? wrong : add(p, &(struct policy_rule){ .accept = true });
	}
	if (strcmp(name, "reduced") == 0) {
		wrong = add_ports(p, true, reduced_accept, ARRAY_SIZE(reduced_accept));
		return wrong ? wrong : add(p, &(struct policy_rule){ .accept = true, .proto = POLICY_ICMP });
	}
	return "a preset is default or reduced";
}

/* 1..65535 in plain decimal at *text, which then stands behind it. */
static bool parse_port(const char **text, uint16_t *ret)
{
	unsigned int v = 0;
	const char *s = *text;

	if (*s == '0')
		return false;
	for (; *s >= '0' && *s <= '9' && v <= UINT16_MAX; s++)
		v = v * 10 + (unsigned int)(*s - '0');
	if (s == *text || v > UINT16_MAX)
		return false;
	*text = s;
	*ret = (uint16_t)v;
	return true;
}

static bool parse_ports(const char *text, struct policy_rule *r)
{
	if (strcmp(text, "*") == 0)
		return true;
	if (!parse_port(&text, &r->port_min))
		return false;
	r->port_max = r->port_min;
	if (*text == '-') {
		text++;
		if (!parse_port(&text, &r->port_max))
			return false;
	}
	return *text == '\0' && r->port_min <= r->port_max;
}

static bool parse_dst(const char *text, struct prefix *ret)
{
	static const struct {
		const char *text;
		struct prefix prefix;
	} any[] = { { "*", { 0 } }, { "*4", { .family = AF_INET } }, { "*6", { .family = AF_INET6 } } };

	for (size_t i = 0; i < ARRAY_SIZE(any); i++)
		if (strcmp(text, any[i].text) == 0) {
			*ret = any[i].prefix;
			return true;
		}
	return prefix_parse(text, ret) == 0;
}

/* Cuts the ports off; NULL if there are none. */
static char *cut_ports(char *text)
{
	char *address_end = *text == '[' ? strchr(text, ']') : text;
	char *colon = address_end ? strchr(address_end, ':') : NULL;

	if (!colon)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

/* [2001:db8::]/32 and [2001:db8::/32] without the brackets; NULL if that is no IPv6 address. */
static char *without_brackets(char *text)
{
	char *end;

	if (*text != '[')
		return text;
	end = strchr(text, ']');
	if (!end || !strchr(text, ':'))
		return NULL;
	memmove(end, end + 1, strlen(end));
	return text + 1;
}

static const char *parse_target(char *text, struct policy_rule *r)
{
	char *ports = cut_ports(text), *address = without_brackets(text);

	if (ports && !parse_ports(ports, r))
		return "ports are *, one of 1 to 65535, or two of them with a dash between";
	if (!address || !parse_dst(address, &r->dst))
		return "not ADDRESS:PORTS, ADDRESS in brackets if it is IPv6";
	return r->proto == POLICY_ICMP && r->port_min ? "icmp has no ports" : NULL;
}

static bool parse_proto(const char *word, enum policy_proto *ret)
{
	static const char *const names[] = { [POLICY_TCP] = "tcp", [POLICY_UDP] = "udp", [POLICY_ICMP] = "icmp" };

	for (size_t i = POLICY_TCP; i < ARRAY_SIZE(names); i++)
		if (strcmp(word, names[i]) == 0) {
			*ret = (enum policy_proto)i;
			return true;
		}
	return false;
}

const char *exit_policy_add(struct exit_policy *p, const char *text)
{
	static const char usage[] = "not accept or reject [tcp|udp|icmp] ADDRESS[:PORTS], nor preset NAME";
	char copy[POLICY_TEXT_MAX], *save = NULL, *words[4] = { NULL };
	struct policy_rule r = { 0 };
	const char *wrong;
	size_t n = 0;

	if (strlen(text) >= sizeof(copy))
		return usage;
	memcpy(copy, text, strlen(text) + 1);
	for (char *w = strtok_r(copy, " \t", &save); w && n < ARRAY_SIZE(words); w = strtok_r(NULL, " \t", &save))
		words[n++] = w;
	if (n == 2 && strcmp(words[0], "preset") == 0)
		return add_preset(p, words[1]);
	if (n < 2 || n > 3 || (strcmp(words[0], "accept") != 0 && strcmp(words[0], "reject") != 0))
		return usage;
	if (n == 3 && !parse_proto(words[1], &r.proto))
		return "a protocol is tcp, udp or icmp";
	r.accept = words[0][0] == 'a';
	wrong = parse_target(words[n - 1], &r);
	return wrong ? wrong : add(p, &r);
}
