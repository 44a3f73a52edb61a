/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exit status of anon-fetch(8), for those who start it. Whoever kills it, or finds it killed by a signal, counts
 * that as FETCH_INTERNAL. Only with FETCH_OK is what came on its standard output whole.
 */
#pragma once

enum fetch_status {
	FETCH_OK = 0,
	FETCH_USAGE = 1,	/* arguments, a file or the socket that was given: the caller's fault */
	FETCH_NO_ANSWER = 2,	/* no connection, no whole answer, too slow, out of time: try another server */
	FETCH_NOT_FOUND = 3,	/* 404: this server does not have it */
	FETCH_REFUSED = 4,	/* another 4xx: this server does not want the request; the same again is of no use */
	FETCH_OTHER_STATUS = 5, /* any other HTTP status than 200, redirections too: this server cannot now */
	FETCH_CONTENT = 6,	/* no HTTP, not one Zstandard frame, too large: this server is broken or hostile */
	FETCH_INTERNAL = 7,	/* memory, a system call, standard output: nothing is said about the server */
};
