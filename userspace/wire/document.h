/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directory documents. They are text of which every byte counts, for signatures and hashes go over it and several
 * authorities must write the same:
 *
 *   document = line *line
 *   line     = keyword *( SP word ) LF       at most DOCUMENT_LINE_MAX bytes, the LF included
 *   keyword  = %x61-7a *( %x61-7a / %x30-39 / "-" )     at most DOCUMENT_KEYWORD_MAX bytes
 *   word     = 1*%x21-7e
 *
 * Nothing else: no empty line, no second space, no CR, no byte behind the last LF. A number is decimal without leading
 * zeros, bytes are base64 (RFC 4648 section 4) with padding.
 *
 * A document is one or more sections. Each kind of section is a list of fields in their order. A field that is known
 * stands once at most, in that order, with the words it wants and no more; lines with other keywords are ignored
 * wherever else they stand, for that is how later versions add. What ends a section is the keyword that begins another
 * one.
 *
 * The first line is "anond-<kind> <version>"; another version is refused. A signature is over all bytes before the
 * first line of signatures: the first line says of what kind they are, so one is never good for another.
 */
/* clang-format off */
/*
 * Kind server-descriptor, version 1, at most 8192 bytes: what a relay says of itself to the authorities. ? optional:
 *
 *     published        SECONDS          since 1970 UTC
 *     valid-until      SECONDS          after published, by two days at most
 *   a relay's facts:
 *     identity         BYTES32          Ed25519 public key
 *     name             NAME
 *     onion-key        ID BYTES32       X25519 public key, and the number that names it in CREATE
 *   ? next-onion-key   ID BYTES32       the one that replaces it; relays open both meanwhile
 *     link-key         BYTES32          Ed25519 public key of the IKE links
 *   ? address4         ADDRESS          one of the two at least
 *   ? address6         ADDRESS          as inet_ntop(3) writes it
 *   ? guard                             takes anonymous clients
 *   ? exit4            PORTS...         where most of the Internet is reached: tcp/80, udp/1-65535; 1 to 32, ascending
 *   ? exit6            PORTS...         by protocol (tcp, udp) and port, with a port between them at least
 *     bandwidth        KIB              a second, what it is willing to carry
 *   ? family           BYTES32...       1 to 4, ascending: Ed25519 keys, each of an operator for all its relays
 *   ? as               NUMBER           of the autonomous system, by its own word
 *   ? country          CC               ISO 3166-1 alpha-2, capitals, by its own word
 *     software         WORD             name and version, up to 31 characters
 *   ? ends             SECONDS          when the relay is going to end
 *   and behind them:
 *     link-proof       BYTES64          signature by the link key over "anond link 1", a zero byte, and the identity,
 *                                       so that nobody names another's key
 *   ? family-proof     BYTES64...       for each family its signature over "anond family 1", a zero byte, and the
 *                                       identity, so that nobody claims another's family
 *     signature        BYTES64          Ed25519 by the identity; the last line
 *
 * Kind vote, version 1, at most 32 MiB: what an authority thinks of all relays, before each interval:
 *
 *     valid-after      SECONDS          when the interval begins: the same in all votes that are counted together
 *     fresh-until      SECONDS          when it ends
 *     valid-until      SECONDS          until when a client may use the consensus if there is no newer one
 *     link-mtu         BYTES            of every overlay link
 *     authority        BYTES32          Ed25519 public key
 *   for each relay, ascending by identity, at most 10000, its facts as in its descriptor, byte by byte (at most 2048,
 *   from the identity to before the flags; lines that the authority does not know are kept), and:
 *     flags            WORD...          1 to 8 of a-z, ascending; without `running` the consensus does not have it,
 *                                       without `guard` clients do not take it for one
 *     weight           KIB              a second: what was measured; else what it offers, if that is not too much
 *   ? seen-as          NUMBER           the autonomous system of its address, by what the authority knows
 *   ? seen-country     CC               likewise
 *     signature        BYTES64          Ed25519 by the authority; the last line
 *
 * Kind consensus, version 1, at most 64 MiB: what follows from the votes that are there:
 *
 *     valid-after, fresh-until, valid-until, link-mtu      the first as in the votes, the others the low median
 *     votes            BYTES32 BYTES32 ...   the authorities whose votes were counted, ascending, each with the
 *                                       BLAKE2b-256 of what it signed, by which two votes of one are told apart
 *   for each relay that more than half of all authorities, not of the votes only, give with the same facts, and with
 *   the flag running: its facts, and
 *     flags            WORD...          those that more than half of all authorities give it
 *     weight           KIB              the low median of all that give it one
 *   ? seen-as          NUMBER           what more than half of all authorities say
 *   ? seen-country     CC               likewise
 *   and then, not signed themselves, ascending by authority, and nothing else among them:
 *     signature        BYTES32 BYTES64  authority and its signature over all before the first of these lines
 *
 * The facts are counted as they are: so authorities of different versions count the same. Who reads a consensus leaves
 * out a relay whose facts it does not understand, and no other. No facts have the keywords of what stands behind them
 * (flags, weight, seen-as, seen-country, link-proof, family-proof, signature) or identity again: a descriptor with such
 * a line is refused.
 */
/* clang-format on */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/error.h"

#define DOCUMENT_LINE_MAX 2048u
#define DOCUMENT_KEYWORD_MAX 32u

struct document_text { /* of the document's memory, not terminated */
	const char *s;
	size_t len;
};

/* The words of a line that are still to be taken. */
struct document_words {
	const char *s, *end;
};

struct document_line {
	unsigned int number;		     /* from 1 */
	struct document_text keyword, whole; /* whole: with its LF */
	struct document_words words;
};

struct document_reader {
	const char *s, *end;
	unsigned int number; /* of the line that is next */
};

struct document_reader document_reader_of(const void *text, size_t len);
/* The next line, without taking it. 1; 0: there is none; -EINVAL, with the line's number. */
int document_peek(const struct document_reader *r, struct document_line *ret, struct error *err);
/* Takes a line that document_peek returned. */
void document_skip(struct document_reader *r, const struct document_line *line);
bool document_is(const struct document_line *line, const char *keyword);
/* One of a NULL-terminated list. */
bool document_is_any(const struct document_line *line, const char *const *keywords);

/* Takes one word. False: there is none. */
bool document_word(struct document_words *w, struct document_text *ret);
/* Takes one word of that kind. -EINVAL: none, or another kind. */
int document_number(struct document_words *w, uint64_t min, uint64_t max, uint64_t *ret, struct error *err);
int document_bytes(struct document_words *w, uint8_t *ret, size_t len, struct error *err);
/* Of at most cap - 1 characters; NUL-terminated, the rest of ret zero. */
int document_string(struct document_words *w, char *ret, size_t cap, struct error *err);

struct document_field {
	const char *keyword;
	/* Takes the words and says what is wrong with them; NULL: there are none, that it stands there says all. */
	int (*take)(void *ctx, struct document_words *w, struct error *err);
	bool optional;
};

/* "anond-<kind> <version>", the first line. -EPROTONOSUPPORT: of another version. -EINVAL. */
int document_begin(struct document_reader *r, const char *kind, uint64_t version, struct error *err);
/*
 * A section, up to the end or to a line with one of the NULL-terminated stops (which stays). -EINVAL with line and
 * field: a line that is none, a field that lacks, stands twice or out of its order, or with words that it does not
 * want.
 */
int document_section(struct document_reader *r, const struct document_field *fields, size_t n_fields,
		     const char *const *stops, void *ctx, struct error *err);

/* " " and base64, of 64 bytes at most. Errors are f's. */
void document_put_bytes(FILE *f, const uint8_t *bytes, size_t len);

/* ---- signatures ---- */

/* "signature BYTES64" by key over what is before it, and nothing behind it. -EINVAL, -EKEYREJECTED. */
int document_end_signed(struct document_reader *r, const char *text, const uint8_t key[32], struct error *err);
/* Adds that line to what was written to f, which is open_memstream's of text and len, and closes f. -ENOMEM. */
int document_close_signed(FILE *f, char **text, const size_t *len, const uint8_t seed[32], struct error *err);
