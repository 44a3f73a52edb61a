/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control protocol between anonctl and anond, over a local stream socket.
 *
 * The client sends one line, one JSON object, and reads until the server closes or the final line came:
 *   {"cmd":"circuit up","args":{...}}\n
 * The server answers with any number of progress lines and exactly one final line, each a number of three
 * digits, one space, one JSON object:
 *   100 {...}\n
 *   200 {...}\n          2xx: done; the object is the result
 *   404 {"error":"..."}  4xx, 5xx: not done; `error` is one sentence for a person
 * One request a connection.
 */
#pragma once

#define REPLY_CHECK_CONSENSUS "a valid consensus" /* of `doctor`: there are authorities, and no network file */
#define REPLY_SOCKET "/run/anond/control"
#define REPLY_REQUEST_MAX 65536u /* bytes of a request line, newline included */
#define REPLY_LINE_MAX                                                                                                 \
	(16u << 20)		 /* bytes of an answer line, newline included: 20,000 relays with all that is known    \
				  */
#define REPLY_PROGRESS_MAX 1000u /* progress lines of one answer */
#define REPLY_WAIT_DEFAULT 30u	 /* seconds that `circuit up` waits for OPEN */
#define REPLY_WAIT_MAX 600u
#define REPLY_DRAIN_DEFAULT 7500u /* seconds that `drain` waits: longer than a circuit lives */
#define REPLY_DRAIN_MAX 86400u

enum reply {
	REPLY_PROGRESS = 100,
	REPLY_OK = 200,
	REPLY_CREATED = 201,
	REPLY_MALFORMED = 400,	 /* not a request, or an argument is wrong */
	REPLY_FORBIDDEN = 403,	 /* this user may not */
	REPLY_NOT_FOUND = 404,	 /* no such circuit or relay */
	REPLY_CONFLICT = 409,	 /* a destination is taken by another circuit */
	REPLY_LIMIT = 429,	 /* too many */
	REPLY_INTERNAL = 500,	 /* our fault */
	REPLY_NO_FEATURE = 501,	 /* the kernel or the host lacks something */
	REPLY_REFUSED = 502,	 /* a relay refused */
	REPLY_UNREACHABLE = 503, /* no relay reachable, link failed */
	REPLY_TIMEOUT = 504,
};
