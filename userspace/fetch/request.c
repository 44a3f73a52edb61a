/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fetch/request.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>

#include "fetch/sandbox.h"
#include "lib/cleanup.h"

#define BUFFER_BYTES 65536L

struct request {
	CURL *curl;
	struct curl_slist *headers;
	const struct url *to;
	bool post;
	int fd;	  /* until the library has it */
	int seal; /* what became of it: 0 or a negative errno */
	struct response *response;
};

/* ---- what the library calls ---- */

static size_t on_header(char *line, size_t one, size_t len, void *ctx)
{
	const struct request *r = ctx;

	(void)one;
	return response_header(r->response, line, len) ? len : 0;
}

static size_t on_body(char *data, size_t one, size_t len, void *ctx)
{
	const struct request *r = ctx;

	(void)one;
	return response_body(r->response, data, len) ? len : 0;
}

/* Our socket, once, and only for what url_parse() saw. */
static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct request *r = ctx;

	(void)purpose;
	if (r->fd < 0 || to->addrlen != r->to->len || !url_same_address(r->to, &to->addr))
		return CURL_SOCKET_BAD;
	return steal_fd(&r->fd);
}

static int on_connected(void *ctx, char *peer, char *own, int peer_port, int own_port)
{
	struct request *r = ctx;

	(void)peer;
	(void)own;
	(void)peer_port;
	(void)own_port;
	r->seal = sandbox_seal();
	return r->seal == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* ---- setting up ---- */

void request_free(struct request *r)
{
	if (!r)
		return;
	curl_easy_cleanup(r->curl);
	curl_slist_free_all(r->headers);
	free(r);
}

static bool header_add(struct request *r, const char *text)
{
	struct curl_slist *more = curl_slist_append(r->headers, text);

	if (more)
		r->headers = more;
	return more;
}

/* All that the library would say of itself goes ("Name:" removes), what is left is the request and `Host`. */
static bool headers_set(struct request *r)
{
	return header_add(r, "Accept:") && header_add(r, "Expect:") &&
	       (!r->post || header_add(r, "Content-Type: text/plain")) &&
	       curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, r->headers) == CURLE_OK;
}

#define SET(option, value) (curl_easy_setopt(r->curl, (option), (value)) == CURLE_OK)

static bool connection_set(struct request *r)
{
	return SET(CURLOPT_PROTOCOLS_STR, "http") && SET(CURLOPT_PROXY, "") && SET(CURLOPT_NOPROXY, "*") &&
	       SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_CONNECTTIMEOUT, REQUEST_CONNECT_S) &&
	       SET(CURLOPT_FORBID_REUSE, 1L) && SET(CURLOPT_LOW_SPEED_LIMIT, REQUEST_SLOW_BYTES) &&
	       SET(CURLOPT_LOW_SPEED_TIME, REQUEST_SLOW_S) && SET(CURLOPT_BUFFERSIZE, BUFFER_BYTES) &&
	       SET(CURLOPT_OPENSOCKETFUNCTION, on_socket) && SET(CURLOPT_OPENSOCKETDATA, r) &&
	       SET(CURLOPT_PREREQFUNCTION, on_connected) && SET(CURLOPT_PREREQDATA, r);
}

static bool http_set(struct request *r, const char *url, uint64_t input_max)
{
	return SET(CURLOPT_URL, url) && SET(CURLOPT_PATH_AS_IS, 1L) &&
	       SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(CURLOPT_HTTP09_ALLOWED, 0L) &&
	       SET(CURLOPT_FOLLOWLOCATION, 0L) && SET(CURLOPT_HTTP_CONTENT_DECODING, 0L) &&
	       SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)input_max) && SET(CURLOPT_HEADERFUNCTION, on_header) &&
	       SET(CURLOPT_HEADERDATA, r) && SET(CURLOPT_WRITEFUNCTION, on_body) && SET(CURLOPT_WRITEDATA, r);
}

static bool post_set(struct request *r, const void *post, size_t len)
{
	return !post || (SET(CURLOPT_POST, 1L) && SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len) &&
			 SET(CURLOPT_POSTFIELDS, post));
}

enum fetch_status request_new(const char *url, const struct url *to, const void *post, size_t post_len,
			      uint64_t input_max, struct request **ret, struct error *err)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return error_set(err, FETCH_INTERNAL, "out of memory");
	r->to = to;
	r->post = post;
	r->fd = -1;
	if (curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK)
		r->curl = curl_easy_init();
	if (!r->curl || !headers_set(r) || !connection_set(r) || !http_set(r, url, input_max) ||
	    !post_set(r, post, post_len)) {
		request_free(r);
		return error_set(err, FETCH_INTERNAL, "libcurl does not do what is needed");
	}
	*ret = r;
	return FETCH_OK;
}

/* ---- the request ---- */

/* Is it a system call's error? The library's own sentence would have the address in it. */
static enum fetch_status no_connection(const struct request *r, CURLcode code, struct error *err)
{
	long e = 0;

	curl_easy_getinfo(r->curl, CURLINFO_OS_ERRNO, &e);
	return error_set(err, FETCH_NO_ANSWER, "no connection: %s", e ? strerror((int)e) : curl_easy_strerror(code));
}

/* Out of memory it also says of one endless line, and little memory is needed until the head is whole. */
static enum fetch_status failed(const struct request *r, CURLcode code, struct error *err)
{
	if (r->seal < 0)
		return error_set(err, FETCH_INTERNAL, "the process cannot be sealed: %s", strerror(-r->seal));
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return no_connection(r, code, err);
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return error_set(err, FETCH_NO_ANSWER, "no whole answer: %s", curl_easy_strerror(code));
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(err, FETCH_NO_ANSWER, "no whole answer: too slow");
	case CURLE_FILESIZE_EXCEEDED:
		return error_set(err, FETCH_CONTENT, "the answer is larger than it may be");
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_WRITE_ERROR:
		return error_set(err, FETCH_CONTENT, "not an HTTP/1.1 answer: %s", curl_easy_strerror(code));
	case CURLE_OUT_OF_MEMORY:
#if LIBCURL_VERSION_NUM >= 0x080600
	case CURLE_TOO_LARGE:
#endif
		if (!r->response->headers.done)
			return error_set(err, FETCH_CONTENT, "headers that are too large");
		break;
	default:
		break;
	}
	return error_set(err, FETCH_INTERNAL, "%s", curl_easy_strerror(code));
}

/* The status of an answer to a POST is all that matters, whatever becomes of the connection then. */
enum fetch_status request_run(struct request *r, int fd, struct response *response, struct error *err)
{
	enum fetch_status st;
	CURLcode code;

	r->response = response;
	r->fd = fd;
	code = curl_easy_perform(r->curl);
	if (code != CURLE_OK && response->status == FETCH_OK && !response->enough &&
	    !(r->post && response->headers.done))
		return failed(r, code, err);
	st = response_end(response);
	*err = response->err;
	return st;
}
