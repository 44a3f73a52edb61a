/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory by HTTP/1.1. What is fetched is signed, so whoever hands it over need not be trusted, and every web
 * server or cache can be a mirror. All paths begin with DIRHTTP_ROOT; HEX is 64 hexadecimal digits in lower case,
 * SECONDS since 1970 UTC, in decimal without leading zeros. What ends with .zst is one Zstandard frame (RFC 8878).
 *
 * From authorities and mirrors:
 *
 *   GET consensus.zst                       the newest consensus
 *   GET consensus/from/HEX.zst              the same, compressed with an older consensus as prefix (raw content in
 *                                           front of the frame, RFC 8878 section 5): of that all before its
 *                                           signatures, of which HEX is the BLAKE2b-256. 404: not known any more
 *   GET consensus                           uncompressed, for people
 *
 * From authorities:
 *
 *   POST descriptor                         a relay's: 200; 400 or 409 (another relay's key or address) with a line
 *                                           that says why; 503: later
 *   GET descriptors.zst                     all that the authority has, one behind the other
 *   GET descriptor/HEX                      of the relay with that identity
 *   GET vote/SECONDS/HEX/HEX.zst            for the interval that begins then: the vote of that authority (its key)
 *                                           with that hash (BLAKE2b-256 of all before its signature)
 *   GET votes/SECONDS                       a line `HEX HEX` (authority, hash) for each vote that it has, also two
 *                                           of one authority
 *   GET signatures/SECONDS                  the lines `signature` of the consensus that it computed
 */
#pragma once

#define DIRHTTP_ROOT "/anond/1/"
#define DIRHTTP_PORT 9030u /* if none is said; Tor's directory port: nothing else is there */
