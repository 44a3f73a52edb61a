/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/charon_msg.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ike/sa.h"
#include "lib/secmem.h"
#include "model/overlay.h"

#define IKE_PROPOSAL "aes128gcm16-prfsha256-x25519"
#define ESP_PROPOSAL "aes128gcm16-x25519-esn" /* x25519: rekeyed CHILD SAs get a key exchange of their own */
#define REPLAY_WINDOW "1024"		      /* packets; ESN needs one, 64 drops packets on two CPUs */
#define POOL "clients"
/* An SA outlives its rekeying time by a tenth and this: more than all retransmissions take (scripts/anon-charon), so
 * that a lost packet costs no outage. charon's own default, a tenth, is nothing for a short time. */
#define REKEY_GRACE_S 30

/* Base64 of 48 bytes, two lines of armour and the NUL. */
#define PEM_MAX 160

/* One armoured line is enough for both kinds of key: they are shorter than 49 bytes. */
static void pem(const char *label, const void *der, size_t len, char ret_pem[PEM_MAX])
{
	size_t at = (size_t)snprintf(ret_pem, PEM_MAX, "-----BEGIN %s-----\n", label);

	sodium_bin2base64(ret_pem + at, PEM_MAX - at, der, len, sodium_base64_VARIANT_ORIGINAL);
	at = strlen(ret_pem);
	snprintf(ret_pem + at, PEM_MAX - at, "\n-----END %s-----\n", label);
}

struct vici_msg *msg_load_key(const uint8_t seed[LINKS_SEED_LEN])
{
	/* PrivateKeyInfo of RFC 8410 section 7, up to the 32 bytes of the key. */
	static const uint8_t head[16] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
					  0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
	_cleanup_secmem_ uint8_t *der = secmem_alloc(sizeof(head) + LINKS_SEED_LEN);
	_cleanup_secmem_ char *text = secmem_alloc(PEM_MAX);
	struct vici_msg *m = vici_msg_new(VICI_CMD_REQUEST, "load-key", true);

	if (!der || !text || !m) {
		vici_msg_free(m);
		return NULL;
	}
	memcpy(der, head, sizeof(head));
	memcpy(der + sizeof(head), seed, LINKS_SEED_LEN);
	pem("PRIVATE KEY", der, sizeof(head) + LINKS_SEED_LEN, text);
	vici_put(m, "type", "any");
	vici_put(m, "data", text);
	return m;
}

struct vici_msg *msg_load_psk(void)
{
	struct vici_msg *m = vici_msg_new(VICI_CMD_REQUEST, "load-shared", false);

	if (!m)
		return NULL;
	vici_put(m, "id", "anonymous");
	vici_put(m, "type", "IKE");
	vici_put(m, "data", LINKS_CLIENT_PSK);
	return m;
}

struct vici_msg *msg_load_pool(const struct in6_addr *own, uint32_t size)
{
	struct in6_addr first = overlay_addr(own, LINK_CLIENTS, 1), last = overlay_addr(own, LINK_CLIENTS, size);
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	struct vici_msg *m = vici_msg_new(VICI_CMD_REQUEST, "load-pool", false);

	if (!m)
		return NULL;
	inet_ntop(AF_INET6, &first, from, sizeof(from));
	inet_ntop(AF_INET6, &last, to, sizeof(to));
	vici_section_start(m, POOL);
	/* A range, not a prefix: of a prefix charon's pool would skip the ends. */
	vici_putf(m, "addrs", "%s-%s", from, to);
	vici_section_end(m);
	return m;
}

/* local-1 or remote-1. key NULL: the published PSK; id NULL: anybody. */
static void put_auth(struct vici_msg *m, const char *section, const uint8_t *id, size_t id_len, const uint8_t *key)
{
	char hex[2 * sizeof(struct relay_id) + 1], text[PEM_MAX];
	/* SubjectPublicKeyInfo of RFC 8410 section 4, up to the 32 bytes of the key. */
	uint8_t der[12 + 32] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };

	vici_section_start(m, section);
	vici_put(m, "auth", key ? "pubkey" : "psk");
	if (id) {
		sodium_bin2hex(hex, sizeof(hex), id, id_len);
		vici_putf(m, "id", "@#%s", hex); /* ID_KEY_ID, compared bit by bit */
	}
	if (key) {
		memcpy(der + 12, key, 32);
		pem("PUBLIC KEY", der, sizeof(der), text);
		vici_list_one(m, "pubkeys", text);
	}
	vici_section_end(m);
}

/* First is the one that we initiate to; a relay may answer or come from any address, for its key names it. */
static void put_addresses(struct vici_msg *m, const struct relay *peer, bool prefer6, bool any)
{
	char text[INET6_ADDRSTRLEN];
	static const struct in6_addr none;

	vici_list_start(m, "remote_addrs");
	for (int i = 0; i < 2; i++) {
		bool six = (i == 0) == prefer6;

		if (six && memcmp(&peer->addr6, &none, sizeof(none)) != 0)
			vici_list_item(m, inet_ntop(AF_INET6, &peer->addr6, text, sizeof(text)));
		else if (!six && peer->addr4.s_addr != 0)
			vici_list_item(m, inet_ntop(AF_INET, &peer->addr4, text, sizeof(text)));
	}
	if (any)
		vici_list_item(m, "%any");
	vici_list_end(m);
}

static void put_ike(struct vici_msg *m, const struct links_timing *timing, uint32_t dpd)
{
	vici_put(m, "version", "2");
	vici_list_one(m, "proposals", IKE_PROPOSAL);
	/* Never: with anything else an anonymous client that claims a relay's identity and INITIAL_CONTACT
	 * destroys the relay's link (ike_sa_manager.c, check_uniqueness). Between relays it would let two
	 * crossing initiations kill each other. Duplicates are ours to settle. */
	vici_put(m, "unique", "never");
	/* Off for clients too: it tells the other side every address of this host (RFC 4555 section 3.6). */
	vici_put(m, "mobike", "no");
	vici_put(m, "childless", "never");
	vici_put(m, "send_cert", "never");
	vici_put(m, "send_certreq", "no");
	vici_put(m, "keyingtries", "1");
	vici_put(m, "reauth_time", "0");
	vici_putf(m, "dpd_delay", "%us", dpd);
	vici_putf(m, "rekey_time", "%us", timing->rekey_ike_s);
	vici_putf(m, "rand_time", "%us", timing->rekey_ike_s / 10);
	vici_putf(m, "over_time", "%us", timing->rekey_ike_s / 10 + REKEY_GRACE_S);
}

static void put_child_start(struct vici_msg *m, const char *name, const struct links_timing *timing, uint16_t number)
{
	vici_section_start(m, "children");
	vici_section_start(m, name);
	vici_list_one(m, "esp_proposals", ESP_PROPOSAL);
	vici_put(m, "mode", "tunnel");
	vici_put(m, "start_action", "none");
	vici_put(m, "close_action", "none");
	vici_put(m, "dpd_action", "none");
	vici_put(m, "replay_window", REPLAY_WINDOW);
	/* By default the inner packet's TOS, ECN and DF are written on the public header. */
	vici_put(m, "copy_df", "no");
	vici_put(m, "copy_ecn", "no");
	vici_put(m, "copy_dscp", "no");
	vici_putf(m, "rekey_time", "%us", timing->rekey_child_s);
	vici_putf(m, "rand_time", "%us", timing->rekey_child_s / 10);
	vici_putf(m, "life_time", "%us", timing->rekey_child_s + timing->rekey_child_s / 10 + REKEY_GRACE_S);
	vici_putf(m, "if_id_in", "%u", IFID_LINK_BASE + number);
	vici_putf(m, "if_id_out", "%u", IFID_LINK_BASE + number);
}

static void put_child_end(struct vici_msg *m)
{
	vici_section_end(m);
	vici_section_end(m);
}

static void put_selector(struct vici_msg *m, const char *key, const struct in6_addr *host)
{
	char addr[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 4];

	inet_ntop(AF_INET6, host, addr, sizeof(addr));
	snprintf(text, sizeof(text), "%s/128", addr);
	vici_list_one(m, key, text);
}

static void put_any_selector(struct vici_msg *m, const char *key)
{
	vici_list_start(m, key);
	vici_list_item(m, "0.0.0.0/0");
	vici_list_item(m, "::/0");
	vici_list_end(m);
}

struct vici_msg *msg_load_relay(const struct links_config *config, const uint8_t own_key[32], const struct relay *peer,
				uint16_t number, bool prefer6)
{
	struct vici_msg *m = vici_msg_new(VICI_CMD_REQUEST, "load-conn", false);
	char name[CONN_NAME_MAX];

	if (!m)
		return NULL;
	conn_name(CONN_RELAY, &peer->id, name);
	vici_section_start(m, name);
	put_addresses(m, peer, prefer6, true);
	put_ike(m, &config->timing, config->timing.dpd_s);
	put_auth(m, "local-1", config->self.b, sizeof(config->self.b), own_key);
	put_auth(m, "remote-1", peer->id.b, sizeof(peer->id.b), peer->link_key);
	put_child_start(m, CHILD_LINK, &config->timing, number);
	put_any_selector(m, "local_ts");
	put_any_selector(m, "remote_ts");
	put_child_end(m);
	vici_section_end(m);
	return m;
}

struct vici_msg *msg_load_guard(const struct links_config *config, const uint8_t client_id[LINKS_CLIENT_ID_LEN],
				const struct relay *guard, uint16_t number, bool prefer6)
{
	struct vici_msg *m = vici_msg_new(VICI_CMD_REQUEST, "load-conn", false);
	struct in6_addr remote = overlay_relay(&guard->id);
	char name[CONN_NAME_MAX];

	if (!m)
		return NULL;
	conn_name(CONN_GUARD, &guard->id, name);
	vici_section_start(m, name);
	put_addresses(m, guard, prefer6, false);
	/* From the first packet on port 4500 and in UDP: nothing depends on what is between us and the guard. */
	vici_put(m, "remote_port", "4500");
	vici_put(m, "encap", "yes");
	vici_list_one(m, "vips", "::");
	put_ike(m, &config->timing, config->timing.dpd_s);
	put_auth(m, "local-1", client_id, LINKS_CLIENT_ID_LEN, NULL);
	put_auth(m, "remote-1", guard->id.b, sizeof(guard->id.b), guard->link_key);
	put_child_start(m, CHILD_LINK, &config->timing, number);
	/* Link ESP must not be routed into a circuit. */
	vici_putf(m, "set_mark_out", "%u", MARK_LINK);
	vici_list_one(m, "local_ts", "dynamic");
	put_selector(m, "remote_ts", &remote);
	put_child_end(m);
	vici_section_end(m);
	return m;
}

struct vici_msg *msg_load_clients(const struct links_config *config, const uint8_t own_key[32])
{
	struct vici_msg *m = vici_msg_new(VICI_CMD_REQUEST, "load-conn", false);

	if (!m)
		return NULL;
	vici_section_start(m, CONN_CLIENTS);
	vici_list_one(m, "pools", POOL);
	/* A client watches its guard closely; the guard only has to notice the dead some time. */
	put_ike(m, &config->timing, 3 * config->timing.dpd_s);
	put_auth(m, "local-1", config->self.b, sizeof(config->self.b), own_key);
	put_auth(m, "remote-1", NULL, 0, NULL);
	put_child_start(m, CHILD_CLIENT, &config->timing, LINK_CLIENTS);
	put_selector(m, "local_ts", &config->overlay_self);
	vici_list_one(m, "remote_ts", "dynamic");
	put_child_end(m);
	vici_section_end(m);
	return m;
}

static struct vici_msg *msg_one(const char *command, const char *key, const char *value)
{
	struct vici_msg *m = vici_msg_new(VICI_CMD_REQUEST, command, false);

	if (m && key)
		vici_put(m, key, value);
	return m;
}

struct vici_msg *msg_unload(const char *conn)
{
	return msg_one("unload-conn", "name", conn);
}

struct vici_msg *msg_initiate(const char *conn)
{
	struct vici_msg *m = msg_one("initiate", "ike", conn);

	if (m) {
		vici_put(m, "child", CHILD_LINK);
		vici_put(m, "timeout", "-1"); /* do not wait; 0 would wait for ever */
	}
	return m;
}

struct vici_msg *msg_terminate(uint32_t ike_id, bool force)
{
	struct vici_msg *m = msg_one("terminate", "force", force ? "yes" : "no");

	if (m) {
		vici_putf(m, "ike-id", "%u", ike_id);
		vici_put(m, "timeout", "-1");
	}
	return m;
}

struct vici_msg *msg_terminate_conn(const char *conn)
{
	struct vici_msg *m = msg_one("terminate", "ike", conn);

	if (m)
		vici_put(m, "timeout", "-1");
	return m;
}

struct vici_msg *msg_list(const char *conn)
{
	struct vici_msg *m = msg_one("list-sas", "child", CHILD_LINK);

	if (m && conn)
		vici_put(m, "ike", conn);
	return m;
}

struct vici_msg *msg_plain(const char *command)
{
	return msg_one(command, NULL, NULL);
}
