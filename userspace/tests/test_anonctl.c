/* SPDX-License-Identifier: GPL-2.0-or-later */
/* anonctl as a whole: command lines in, requests, text and exit status out; a forked process plays the daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "anonctl/anonctl.h"
#include "anonctl/client.h"
#include "anonctl/show.h"
#include "directory/family.h"
#include "directory/keys.h"
#include "directory/network.h"
#include "directory/onion_store.h"
#include "lib/cleanup.h"
#include "lib/reply.h"
#include "lib/secmem.h"
#include "model/prefix.h"

#define WORDS_MAX 32

static char dir[] = "/tmp/test_anonctl.XXXXXX";
static char sock[64];
static char *out_text, *err_text;

/* Splits at spaces and runs; what it printed is in out_text and err_text until the next call. */
static int run(const char *line)
{
	_cleanup_free_ char *copy = strdup(line);
	char *argv[WORDS_MAX + 2] = { (char *)"anonctl" }, *word, *save = NULL;
	size_t out_len, err_len;
	FILE *out, *err;
	int argc = 1, status;

	for (word = strtok_r(copy, " ", &save); word && argc <= WORDS_MAX; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	free(out_text);
	free(err_text);
	out = open_memstream(&out_text, &out_len);
	err = open_memstream(&err_text, &err_len);
	status = anonctl_run(argc, argv, out, err);
	fclose(out);
	fclose(err);
	return status;
}

/* The same with %s for the temporary directory. */
static int run_in(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int run_in(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return run(line);
}

static void serve_one(int fd, int report, const char *answer)
{
	char line[REPLY_REQUEST_MAX];
	int c = accept(fd, NULL, NULL);
	ssize_t n = read(c, line, sizeof(line));

	if (n > 0 && write(report, line, (size_t)n) < 0)
		_exit(1);
	while (*answer) {
		n = write(c, answer, strlen(answer));
		if (n < 0)
			_exit(1);
		answer += n;
	}
	_exit(0);
}

/* Runs line against a daemon that gives this answer; *ret_request (may be NULL) is what it was asked. */
static int run_with(const char *line, const char *answer, char ret_request[1024])
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), report[2], status;
	ssize_t n;
	pid_t pid;

	strcpy(sa.sun_path, sock);
	unlink(sock);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(pipe(report), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve_one(fd, report[1], answer);
	close(fd);
	close(report[1]);
	status = run(line);
	waitpid(pid, NULL, 0);
	n = ret_request ? read(report[0], ret_request, 1023) : 0;
	if (ret_request)
		ret_request[n > 0 ? n : 0] = '\0';
	close(report[0]);
	unlink(sock);
	return status;
}

static void usage(void **state)
{
	static const char *const bad[] = {
		"",
		"bogus",
		"circuit",
		"circuit bogus",
		"circuit up extra",
		"circuit down",
		"circuit down 1 2",
		"circuit down --all 1",
		"circuit down x",
		"circuit down 0",
		"circuit show",
		"circuit show -1",
		"circuit up --hops 0",
		"circuit up --hops 6",
		"circuit up --hops 3 --path a,b",
		"circuit up --path ,",
		"circuit up --path a,,b",
		"circuit up --path a,b,",
		"circuit up --path a,b,c,d,e,f",
		"circuit up --to 10.0.0.1/8",
		"circuit up --from eth0",
		"circuit up --user nobody-has-this-name",
		"circuit up --user -1",
		"circuit up --group nobody-has-this-name",
		"circuit up --user 4294967295",
		"circuit up --except lan",
		"circuit up --port 0",
		"circuit up --port sctp/7",
		"circuit up --port 9-8",
		"circuit up --port 123456789012345678901234567890",
		"circuit up --to lan",
		"circuit up --from lan --to 192.0.2.1",
		"circuit up --to host",
		"circuit up --to 10.0.0.0/33",
		"circuit up --wait 0",
		"circuit up --wait 601",
		"circuit up --wait 1 --no-wait",
		"circuit up --exit-country",
		"circuit up --exit-country Austria",
		"circuit up --exit-country AT,",
		"circuit up --exit-country ,AT",
		"circuit up --not-country A1",
		"circuit up --not-operator AQ==",
		"circuit up --min-life 0",
		"circuit up --min-life 2592001",
		"circuit up --path a,b --exit-country AT",
		"circuit up --path a,b --min-life 9",
		"circuit up --path a,AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"circuit up --hops",
		"circuit up --hops 3 --hops 3",
		"circuit list --all",
		"circuit new",
		"circuit new 1 --all",
		"circuit new 1 --wait 5 --no-wait",
		"run",
		"run --own 0 -- true",
		"run --own 255 -- true",
		"run --user a --user b -- true",
		"drain --deadline 86401",
		"drain --deadline 5 --cancel",
		"circuit list --bogus",
		"status --json=1",
		"key network",
		"key relay a b",
		"relay descriptor --keys d --name n",
		"network make x",
		"network make --key k --days 3 --out o",
		"network make --key k --days 0 --out o d",
		"network make --key k --days 366 --out o d",
		"network make --key k --days 3 --out o --link-mtu 1 d",
		"network verify f",
		"relay descriptor --keys d --name n --address nowhere",
		"relay descriptor --keys d --name n --address 192.0.2.1 --address 192.0.2.2",
		"relay descriptor --keys d --name abcdefghijklmnopqrstuvwxyz123456 --address 192.0.2.1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int status = run(bad[i]);

		if (status != STATUS_USAGE)
			fail_msg("\"%s\" gives %d: %s", bad[i], status, err_text);
		assert_string_equal(out_text, "");
		assert_true(strlen(err_text) > 0);
	}
}

static void help(void **state)
{
	(void)state;
	assert_int_equal(run("--version"), STATUS_OK);
	assert_int_equal(strncmp(out_text, "anonctl ", 8), 0);
	assert_int_equal(run("--help"), STATUS_OK);
	assert_non_null(strstr(out_text, "network verify FILE"));
	assert_int_equal(run("network make --help"), STATUS_OK);
	assert_non_null(strstr(out_text, "required:\n  --key KEY"));
	assert_non_null(strstr(out_text, "options:\n  --link-mtu"));
}

#define OPERATOR "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void requests(void **state)
{
	static const char *const want[][2] = {
		{ "circuit up", "{\"cmd\":\"circuit up\",\"args\":{\"wait\":30}}\n" },
		{ "circuit up --no-wait --hops 2", "{\"cmd\":\"circuit up\",\"args\":{\"hops\":2,\"wait\":0}}\n" },
		{ "circuit up --to 192.0.2.1 --to 2001:DB8::/32 --path a,b --wait 9",
		  "{\"cmd\":\"circuit "
		  "up\",\"args\":{\"path\":[\"a\",\"b\"],\"to\":[\"192.0.2.1/32\",\"2001:db8::/32\"],"
		  "\"wait\":9}}\n" },
		{ "circuit up --from 192.168.1.0/24 --from lan --no-wait",
		  "{\"cmd\":\"circuit "
		  "up\",\"args\":{\"from\":[\"192.168.1.0/24\",\"0.0.0.0/0\",\"::/0\"],\"wait\":0}}\n" },
		{ "circuit up --user root --user 1234567 --port 53 --port tcp/80-90 --no-wait",
		  "{\"cmd\":\"circuit "
		  "up\",\"args\":{\"users\":[0,1234567],\"ports\":[\"tcp/53\",\"udp/53\",\"tcp/80-90\"],"
		  "\"wait\":0}}\n" },
		{ "circuit up --group root --group 1234567 --no-wait",
		  "{\"cmd\":\"circuit up\",\"args\":{\"groups\":[0,1234567],\"wait\":0}}\n" },
		{ "circuit up --exit-country CH,at --exit-country de,CH --not-country US --min-life 9 --no-wait",
		  "{\"cmd\":\"circuit "
		  "up\",\"args\":{\"exit_countries\":[\"CH\",\"AT\",\"DE\"],\"never_countries\":[\"US\"],\"min_life\":"
		  "9,"
		  "\"wait\":0}}\n" },
		{ "circuit up --not-operator " OPERATOR " --no-wait",
		  "{\"cmd\":\"circuit up\",\"args\":{\"never_operators\":[\"" OPERATOR "\"],\"wait\":0}}\n" },
		{ "circuit up --path a," OPERATOR " --no-wait",
		  "{\"cmd\":\"circuit up\",\"args\":{\"path\":[\"a\",\"" OPERATOR "\"],\"wait\":0}}\n" },
		{ "circuit down 7", "{\"cmd\":\"circuit down\",\"args\":{\"id\":7}}\n" },
		{ "circuit down --all", "{\"cmd\":\"circuit down\",\"args\":{\"all\":true}}\n" },
		{ "circuit show 7", "{\"cmd\":\"circuit show\",\"args\":{\"id\":7}}\n" },
		{ "circuit list", "{\"cmd\":\"circuit list\",\"args\":{}}\n" },
		{ "circuit new 7 --wait 5", "{\"cmd\":\"circuit new\",\"args\":{\"id\":7,\"wait\":5}}\n" },
		{ "circuit new --all", "{\"cmd\":\"circuit new\",\"args\":{\"all\":true}}\n" },
		{ "metrics", "{\"cmd\":\"metrics\",\"args\":{}}\n" },
		{ "off", "{\"cmd\":\"off\",\"args\":{}}\n" },
		{ "drain", "{\"cmd\":\"drain\",\"args\":{\"deadline\":7500}}\n" },
		{ "drain --deadline 5", "{\"cmd\":\"drain\",\"args\":{\"deadline\":5}}\n" },
		{ "drain --cancel", "{\"cmd\":\"drain\",\"args\":{\"cancel\":true}}\n" },
		{ "relay list", "{\"cmd\":\"relay list\",\"args\":{}}\n" },
		{ "link list", "{\"cmd\":\"link list\",\"args\":{}}\n" },
		{ "status", "{\"cmd\":\"status\",\"args\":{}}\n" },
		{ "reload", "{\"cmd\":\"reload\",\"args\":{}}\n" },
	};
	char got[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(run_with(want[i][0], "200 {}\n", got), STATUS_OK);
		assert_string_equal(got, want[i][1]);
		assert_string_equal(err_text, "");
	}
}

static void statuses(void **state)
{
	static const struct {
		const char *answer, *says;
		int status;
	} cases[] = {
		{ "400 {\"error\":\"e\"}\n", "anonctl: e\n", STATUS_USAGE },
		{ "403 {\"error\":\"e\"}\n", "anonctl: e\n", STATUS_REFUSED },
		{ "404 {\"error\":\"e\"}\n", "anonctl: e\n", STATUS_FAILED },
		{ "409 {\"error\":\"e\"}\n", "anonctl: e\n", STATUS_REFUSED },
		{ "429 {\"error\":\"e\"}\n", "anonctl: e\n", STATUS_REFUSED },
		{ "500 {\"error\":\"e\"}\n", "anonctl: e\n", STATUS_FAILED },
		{ "501 {\"error\":\"e\"}\n", "anonctl: e\n", STATUS_NO_FEATURE },
		{ "502 {\"error\":\"e\"}\n", "anonctl: e\n", STATUS_REFUSED },
		{ "503 {\"error\":\"e\"}\n", "anonctl: e\n", STATUS_UNREACHABLE },
		{ "504 {\"error\":\"e\"}\n", "anonctl: e\n", STATUS_UNREACHABLE },
		{ "300 {}\n", "gave no reason", STATUS_FAILED },
		{ "404 {\"error\":\"\\u001b[2J\\u009b\"}\n", "anonctl: ?[2J??\n", STATUS_FAILED },
		{ "100 {\"a\":1}\n100 {}\n504 {\"error\":\"slow\"}\n", "anonctl: slow\n", STATUS_UNREACHABLE },
		{ "", "without an answer", STATUS_UNREACHABLE },
		{ "200 {}", "without an answer", STATUS_UNREACHABLE },
		{ "100 {}\n", "without an answer", STATUS_UNREACHABLE },
		{ "200 []\n", "does not speak", STATUS_FAILED },
		{ "200 {\n", "does not speak", STATUS_FAILED },
		{ "200{}\n", "does not speak", STATUS_FAILED },
		{ "600 {}\n", "does not speak", STATUS_FAILED },
		{ "020 {}\n", "does not speak", STATUS_FAILED },
		{ "2x0 {}\n", "does not speak", STATUS_FAILED },
		{ "200 {\"a\":1,\"a\":2}\n", "does not speak", STATUS_FAILED },
		{ "HTTP/1.1 400\n", "does not speak", STATUS_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int status = run_with("circuit list", cases[i].answer, NULL);

		if (status != cases[i].status || !strstr(err_text, cases[i].says))
			fail_msg("%s gives %d: %s", cases[i].answer, status, err_text);
		assert_string_equal(out_text, "");
	}
	assert_int_equal(run_with("circuit list --json", "404 {\"error\":\"e\"}\n", NULL), STATUS_FAILED);
	assert_string_equal(out_text, "{\n  \"code\": 404,\n  \"error\": \"e\"\n}\n");
	/* Nobody there. */
	assert_int_equal(run("circuit list"), STATUS_UNREACHABLE);
	assert_non_null(strstr(err_text, "anond is not running"));
	assert_int_equal(run_in("status --socket %s/other", dir), STATUS_UNREACHABLE);
	assert_non_null(strstr(err_text, "/other"));
}

/* Progress without end, and a line without end, are limits and not memory. */
static void floods(void **state)
{
	_cleanup_free_ char *text = malloc(REPLY_LINE_MAX + 16);
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i <= REPLY_PROGRESS_MAX; i++)
		len += (size_t)sprintf(text + len, "100 {}\n");
	strcpy(text + len, "200 {}\n");
	assert_int_equal(run_with("status", text, NULL), STATUS_FAILED);
	memset(text, ' ', REPLY_LINE_MAX + 8);
	memcpy(text, "200 {", 5);
	strcpy(text + REPLY_LINE_MAX + 8, "}\n");
	assert_int_equal(run_with("status", text, NULL), STATUS_FAILED);
}

static void time_out(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct answer a;
	struct error err;
	json_t *args = json_object();

	(void)state;
	strcpy(sa.sun_path, sock);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(client_request(sock, "status", args, 1, &a, &err), -ETIMEDOUT);
	json_decref(args);
	close(fd);
	unlink(sock);
}

static void shows(const char *command, const char *answer, const char *expect)
{
	assert_int_equal(run_with(command, answer, NULL), STATUS_OK);
	assert_string_equal(out_text, expect);
}

/* As systemd runs it: a request on standard input, of which nothing is looked at. */
static const char *http(const char *request, const char *answer, int status)
{
	int p[2], before = dup(STDIN_FILENO);

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], request, strlen(request)), strlen(request));
	close(p[1]);
	assert_int_equal(dup2(p[0], STDIN_FILENO), STDIN_FILENO);
	close(p[0]);
	if (answer)
		assert_int_equal(run_with("metrics --http", answer, NULL), status);
	else
		assert_int_equal(run("metrics --http"), status);
	assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
	close(before);
	return out_text;
}

static void metrics_over_http(void **state)
{
	static const char head[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
				   "Content-Length: ";
	const char *text, *body;

	(void)state;
	text = http("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 {\"circuits\":3}\n", STATUS_OK);
	assert_memory_equal(text, head, strlen(head));
	body = strstr(text, "\r\n\r\n") + 4;
	assert_int_equal(strtoul(text + strlen(head), NULL, 10), strlen(body));
	assert_non_null(strstr(body, "\nanond_circuits 3\n"));
	assert_memory_equal(http("", "200 {}\n", STATUS_OK), head, strlen(head));
	assert_memory_equal(http("x\n\n", "500 {\"error\":\"e\"}\n", STATUS_FAILED), "HTTP/1.0 503 ", 13);
	assert_memory_equal(http("x\n\n", NULL, STATUS_UNREACHABLE), "HTTP/1.0 503 ", 13);
}

static void human(void **state)
{
	(void)state;
	shows("circuit up",
	      "100 {}\n201 {\"id\":1,\"state\":\"open\",\"device\":\"anon1\",\"path\":[\"r2\",\"r1\",\"r3\"],"
	      "\"inner4\":\"100.96.3.7\",\"inner6\":\"fd00::1\",\"mtu\":1286,\"to\":[\"0.0.0.0/0\",\"::/0\"]}\n",
	      "circuit 1 open: client -> r2 -> r1 -> r3 -> Internet (anon1, MTU 1286, 100.96.3.7)\n");
	shows("circuit up --no-wait --to 192.0.2.0/24",
	      "201 {\"id\":2,\"state\":\"creating\",\"path\":[\"r2\"],\"to\":[\"192.0.2.0/24\",\"::/0\"]}\n",
	      "circuit 2 creating: client -> r2 -> 192.0.2.0/24, ::/0\n");
	shows("circuit up --from lan --no-wait",
	      "201 {\"id\":2,\"state\":\"creating\",\"path\":[\"r2\"],\"from\":[\"0.0.0.0/0\",\"::/0\"]}\n",
	      "circuit 2 creating: client -> r2 -> Internet for the LAN\n");
	shows("circuit up --from 192.168.1.7 --no-wait",
	      "201 {\"id\":2,\"state\":\"creating\",\"path\":[\"r2\"],\"from\":[\"192.168.1.7/32\"]}\n",
	      "circuit 2 creating: client -> r2 -> Internet for 192.168.1.7/32\n");
	shows("circuit up --no-wait",
	      "201 "
	      "{\"id\":2,\"state\":\"creating\",\"path\":[\"r2\"],\"to\":[\"::/0\"],\"users\":[0,7],\"ports\":[\"tcp/"
	      "1-2\"]}\n",
	      "circuit 2 creating: client -> r2 -> Internet, tcp/1-2 for user 0, 7\n");
	shows("circuit up --no-wait",
	      "201 {\"id\":2,\"state\":\"creating\",\"path\":[\"r2\"],\"to\":[\"::/0\"],\"groups\":[8,7]}\n",
	      "circuit 2 creating: client -> r2 -> Internet for group 8, 7\n");
	shows("circuit down --all", "200 {\"closed\":[3,4]}\n", "circuit 3 closed\ncircuit 4 closed\n");
	shows("circuit new --all", "200 {\"renewed\":[1,2]}\n", "circuit 1 is built anew\ncircuit 2 is built anew\n");
	shows("circuit new 1 --no-wait", "201 {\"id\":1,\"state\":\"creating\",\"path\":[\"r2\"],\"to\":[\"::/0\"]}\n",
	      "circuit 1 creating: client -> r2 -> Internet\n");
	shows("circuit down --all", "200 {\"closed\":[]}\n", "there was no circuit\n");
	shows("circuit list",
	      "200 {\"circuits\":[],\"relayed\":[{\"id\":7,\"kind\":\"exit\",\"expires\":0,\"bytes_up\":12,"
	      "\"bytes_down\":34}],\"total\":3}\n",
	      "ID  KIND  EXPIRES  UP  DOWN\n7   exit           12  34\nand 2 less busy ones\n");
	shows("circuit list", "200 {\"circuits\":[],\"relayed\":[],\"total\":0}\n", "no circuits\n");
	shows("metrics",
	      "200 {\"uptime\":7,\"circuits\":3,\"links\":2,\"counters\":{\"created\":9,\"circuits\":4,\"half_open\":1,"
	      "\"a\\\"b\":1},\"drops\":{\"drop_policy\":5},\"network\":{\"relays\":3},\"draining\":60,"
	      "\"onion_keys\":{\"current\":7,\"previous\":6,\"replaced_at\":1800000000}}\n",
	      "# HELP anond_uptime_seconds Since the daemon started.\n# TYPE anond_uptime_seconds gauge\n"
	      "anond_uptime_seconds 7\n"
	      "# HELP anond_circuits Circuits that carry packets.\n# TYPE anond_circuits gauge\nanond_circuits 3\n"
	      "# HELP anond_links Overlay links that are up.\n# TYPE anond_links gauge\nanond_links 2\n"
	      "# HELP anond_circuits_half_open Circuits being built.\n# TYPE anond_circuits_half_open gauge\n"
	      "anond_circuits_half_open 1\n"
	      "# HELP anond_onion_key_id Number of the relay's onion key.\n# TYPE anond_onion_key_id gauge\n"
	      "anond_onion_key_id 7\n"
	      "# HELP anond_onion_key_replaced_seconds When another takes its place, Unix time.\n"
	      "# TYPE anond_onion_key_replaced_seconds gauge\nanond_onion_key_replaced_seconds 1800000000\n"
	      "# HELP anond_network_relays Relays of the network.\n# TYPE anond_network_relays gauge\n"
	      "anond_network_relays 3\n"
	      "# HELP anond_draining 1: no new circuits are taken.\n# TYPE anond_draining gauge\nanond_draining 1\n"
	      "# HELP anond_circuit_events_total What became of requests for circuits.\n"
	      "# TYPE anond_circuit_events_total counter\nanond_circuit_events_total{event=\"created\"} 9\n"
	      "# HELP anond_dropped_packets_total Packets that the rules dropped or refused.\n"
	      "# TYPE anond_dropped_packets_total counter\nanond_dropped_packets_total{cause=\"drop_policy\"} 5\n");
	assert_int_equal(run_with("metrics",
				  "200 {\"directory\":{\"fresh_until\":5,\"fetched\":4,\"fetches\":3,\"failures\":2,"
				  "\"listed\":true,\"identity\":\"SECRETLY\",\"error\":\"192.0.2.1\",\"published\":"
				  "[{\"state\":\"published\"},{\"state\":\"failed\"},{\"state\":\"published\"},7]}}\n",
				  NULL),
			 STATUS_OK);
	assert_non_null(strstr(out_text, "\nanond_directory_fresh_until_seconds 5\n"));
	assert_non_null(strstr(out_text, "\nanond_directory_fetched_seconds 4\n"));
	assert_non_null(
		strstr(out_text, "{result=\"success\"} 3\nanond_directory_requests_total{result=\"failure\"} 2\n"));
	assert_non_null(strstr(out_text, "\nanond_directory_published 2\n"));
	assert_non_null(strstr(out_text, "\nanond_directory_listed 1\n"));
	/* Sums only. */
	assert_null(strstr(out_text, "SECRETLY"));
	assert_null(strstr(out_text, "192.0.2.1"));
	shows("drain", "200 {\"draining\":true,\"circuits\":2,\"deadline\":60}\n",
	      "draining: 2 circuits are left; anond ends after the last, in 60 s at the latest\n");
	shows("drain --cancel", "200 {\"draining\":false}\n", "circuits are taken again\n");
	shows("circuit list", "200 {\"circuits\":[]}\n", "no circuits\n");
	shows("circuit list",
	      "200 {\"circuits\":[{\"id\":1,\"state\":\"open\",\"reason\":\"\",\"path\":[\"a\",\"b\"],\"to\":[],"
	      "\"device\":\"anon1\",\"mtu\":1286,\"inner6\":\"fd00::1\",\"expires\":1,\"rtt_ms\":12.34},"
	      "{\"id\":22,\"state\":\"failed\",\"reason\":\"no\\u001becho\",\"path\":[\"a\"],\"to\":[\"10.0.0.0/"
	      "8\"]}]}\n",
	      "ID  STATE   PATH  TO          DEVICE  MTU   INNER    EXPIRES  RTT   REASON\n"
	      "1   open    a,b   Internet    anon1   1286  fd00::1  over     12.3\n"
	      "22  failed  a     10.0.0.0/8                                        no?echo\n");
	shows("relay list",
	      "200 {\"relays\":[{\"name\":\"r1\",\"guard\":true,\"exit\":true,\"identity\":\"x\"},"
	      "{\"guard_place\":2,\"weight\":900,\"country\":\"AT\",\"as\":7,\"ends\":1}]}\n",
	      "NAME  ROLE        GUARD  LINK  WEIGHT  COUNTRY  AS  ENDS  IPV4  IPV6  IDENTITY\n"
	      "r1    guard,exit                                                      x\n"
	      "      middle      2            900     AT       7   over\n");
	shows("link list", "200 {\"links\":[{\"number\":2,\"kind\":\"relay\",\"peer\":\"r2\",\"state\":\"up\"}]}\n",
	      "LINK  KIND   PEER  STATE  FOR  CLIENTS  REKEYS  IN  OUT  ERROR\n2     relay  r2    up\n");
	shows("circuit show 2",
	      "200 {\"id\":2,\"state\":\"open\",\"path\":[\"a\"],\"alike\":\"operator\",\"to\":[\"::/0\"],\"age\":1,"
	      "\"exit_countries\":[\"AT\",\"CH\"],\"never_countries\":[\"US\"],\"never_operators\":[\"k\"],\"min_"
	      "life\":9}\n",
	      "circuit     2\nstate       open\npath        a\n            two of its relays are of one operator\n"
	      "to          Internet\nexit in     AT, CH\nnot in      US\nnot of      k\nmin life    9 s\nage         1 "
	      "s\n");
	shows("circuit show 1",
	      "200 {\"id\":1,\"state\":\"open\",\"path\":[\"a\"],\"to\":[\"::/0\"],\"age\":7300,\"layers\":"
	      "[{\"relay\":\"a\",\"suite\":\"aes128gcm16\"}]}\n",
	      "circuit     1\nstate       open\npath        a\nto          Internet\nage         2 h\n"
	      "layer       1: a, aes128gcm16\n");
	shows("status",
	      "200 {\"version\":\"0.1\",\"roles\":[\"relay\",\"exit\"],\"uptime\":60,\"charon\":{\"state\":\"ready\"},"
	      "\"counters\":{\"created\":3,\"expired\":0}}\n",
	      "version     0.1\nroles       relay, exit\nup for      60 s\ncharon      ready \ncounters: created 3\n");
	/* A relay's onion keys: no replacing; alone; the next is announced; the one before is opened. */
	shows("status", "200 {\"onion_keys\":{\"current\":7}}\n", "up for      0 s\nonion key   7\ncharon       \n");
	shows("status", "200 {\"onion_keys\":{\"current\":7,\"replaced_at\":1}}\n",
	      "up for      0 s\nonion key   7; another takes its place in 0 s\ncharon       \n");
	shows("status", "200 {\"onion_keys\":{\"current\":7,\"next\":8,\"replaced_at\":1}}\n",
	      "up for      0 s\nonion key   7; 8 takes its place in 0 s\ncharon       \n");
	shows("status", "200 {\"onion_keys\":{\"current\":8,\"previous\":7,\"replaced_at\":1}}\n",
	      "up for      0 s\nonion key   8; another takes its place in 0 s; 7 is opened too\ncharon       \n");
	shows("status", "200 {\"onion_keys\":{\"current\":8,\"next\":9}}\n",
	      "up for      0 s\nonion key   8; 9 is opened too\ncharon       \n");
	shows("status",
	      "200 {\"uptime\":60,\"charon\":{\"state\":\"ready\"},\"directory\":{\"fresh_until\":4000000000,"
	      "\"valid_until\":4000000000,\"fetched\":4000000000,\"from\":\"mirror\",\"by_circuit\":true,"
	      "\"error\":\"\",\"listed\":false,\"published\":[{\"authority\":1,\"state\":\"published\",\"at\":"
	      "4000000000},"
	      "{\"authority\":2,\"state\":\"refused\",\"at\":0}]}}\n",
	      "up for      60 s\nconsensus   fresh\nfetched     0 s ago, from mirror, by a circuit\n"
	      "published   authority 1: published, last taken 0 s ago\npublished   authority 2: refused\n"
	      "listed      this relay is not in the consensus (yet)\ncharon      ready \n");
	shows("status", "200 {\"uptime\":60,\"directory\":{\"valid_until\":0,\"error\":\"why\\u001b\"}}\n",
	      "up for      60 s\nconsensus   there is none yet\nfetch failed why?\ncharon       \n");
	shows("status", "200 {\"uptime\":60,\"directory\":{\"valid_until\":1}}\n",
	      "up for      60 s\nconsensus   it has expired: no circuits are built\ncharon       \n");
	shows("reload", "200 {\"fetching\":true}\n",
	      "the consensus is being fetched; anonctl status says what comes of it\n");
	shows("reload", "200 {\"relays\":3}\n", "network file read: 3 relays\n");
	/* Members of a wrong type are nothing. */
	shows("circuit list", "200 {\"circuits\":{\"a\":1}}\n", "no circuits\n");
	shows("link list", "200 {\"links\":[7]}\n",
	      "LINK  KIND  PEER  STATE  FOR  CLIENTS  REKEYS  IN  OUT  ERROR\n\n");
}

static void doctor(void **state)
{
	static const char all_ok[] =
		"200 {\"checks\":[{\"name\":\"xfrm\",\"ok\":true,\"needed\":true,\"hint\":\"\"}]}\n";
	static const char bad[] = "200 {\"checks\":[{\"name\":\"esp6\",\"ok\":false,\"hint\":\"CONFIG_INET6_ESP\"}]}\n";
	int status;

	(void)state;
	/* The host's own checks depend on the host: only what the daemon says is compared. */
	assert_int_equal(run_with("doctor", bad, NULL), STATUS_NO_FEATURE);
	assert_non_null(strstr(out_text, "MISSING  esp6: CONFIG_INET6_ESP\n"));
	assert_non_null(strstr(out_text, "ok       anond answers\n"));
	status = run_with("doctor", all_ok, NULL);
	assert_true(status == STATUS_OK || status == STATUS_NO_FEATURE);
	assert_non_null(strstr(out_text, "ok       xfrm\n"));
	/* With authorities there is no network file to look at, unless one is named. */
	run_with("doctor", "200 {\"checks\":[{\"name\":\"a valid consensus\",\"ok\":false,\"hint\":\"h\"}]}\n", NULL);
	assert_non_null(strstr(out_text, "MISSING  a valid consensus: h\n"));
	assert_null(strstr(out_text, "network file"));
	run("doctor");
	assert_non_null(strstr(out_text, "advice   anond answers: anond is not running"));
	run("doctor --json --relay --exit");
	assert_non_null(strstr(out_text, "\"IPv4 forwarding\""));
	assert_int_equal(run_in("doctor --network %s/none", dir), STATUS_NO_FEATURE);
	assert_non_null(strstr(out_text, "MISSING  network file readable: "));
	assert_int_equal(run_with("doctor", "501 {\"error\":\"e\"}\n", NULL), STATUS_NO_FEATURE);
}

static void save(const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	fputs(out_text, f);
	fclose(f);
}

static void families(void **state)
{
	static const char identity[] = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
	struct family_proof proof, again;
	uint8_t *seed = NULL;
	struct relay_id id;
	char path[128], line[256];
	struct error err;

	(void)state;
	assert_int_equal(run_in("key family %s/fam.key", dir), STATUS_OK);
	assert_int_equal(run_in("key family %s/fam.key", dir), STATUS_FAILED);
	snprintf(path, sizeof(path), "%s/fam.key", dir);
	assert_int_equal(family_key_load(path, &seed, &err), 0);
	snprintf(line, sizeof(line), "family proof --key %s %s", path, identity);
	assert_int_equal(run(line), STATUS_OK);
	out_text[strcspn(out_text, "\n")] = '\0';
	assert_int_equal(family_proof_parse(out_text, &proof), 0);
	assert_int_equal(base64_parse(identity, strlen(identity), id.b, sizeof(id.b)), 0);
	family_proof_make(&id, seed, &again);
	assert_memory_equal(&proof, &again, sizeof(proof));
	secmem_free(seed);
	assert_int_equal(run_in("family proof --key %s/fam.key AQID", dir), STATUS_USAGE);
	snprintf(line, sizeof(line), "family proof --key %s/none %s", dir, identity);
	assert_int_equal(run(line), STATUS_FAILED);
	/* A key of another kind is not taken for it. */
	assert_int_equal(run_in("key network %s/wrong.key", dir), STATUS_OK);
	snprintf(line, sizeof(line), "family proof --key %s/wrong.key %s", dir, identity);
	assert_int_equal(run(line), STATUS_FAILED);
}

static void files(void **state)
{
	char path[128];
	FILE *f;

	(void)state;
	assert_int_equal(run_in("key network %s/net.key", dir), STATUS_OK);
	assert_int_equal(run_in("key network %s/net.key", dir), STATUS_FAILED);
	for (int i = 1; i <= 3; i++) {
		char name[16];

		assert_int_equal(run_in("key relay %s/k%d", dir, i), STATUS_OK);
		assert_int_equal(run_in("relay descriptor --keys %s/k%d --name r%d --address 192.0.2.%d%s", dir, i, i,
					i, i == 1 ? " --guard --address 2001:db8::1" : " --exit"),
				 STATUS_OK);
		snprintf(name, sizeof(name), "d%d", i);
		save(name);
	}
	assert_int_equal(
		run_in("network make --key %s/net.key --days 30 --out %s/n %s/d1 %s/d2 %s/d3", dir, dir, dir, dir, dir),
		STATUS_OK);
	assert_int_equal(run_in("network verify --key %s/net.key.pub %s/n", dir, dir), STATUS_OK);
	assert_non_null(strstr(out_text, "good signature, 3 relays"));
	assert_int_equal(run_in("network make --key %s/net.key --days 30 --out %s/n %s/d1 %s/d1", dir, dir, dir, dir),
			 STATUS_FAILED);
	assert_non_null(strstr(err_text, "have the same"));
	/* The key's secret half is no public key, and a descriptor that was changed is refused. */
	assert_int_equal(run_in("network verify --key %s/net.key %s/n", dir, dir), STATUS_FAILED);
	snprintf(path, sizeof(path), "%s/n", dir);
	f = fopen(path, "a");
	fputs(" ", f);
	fclose(f);
	assert_int_equal(run_in("network verify --key %s/net.key.pub %s/n", dir, dir), STATUS_FAILED);
	assert_non_null(strstr(err_text, "altered"));
	snprintf(path, sizeof(path), "%s/d3", dir);
	f = fopen(path, "r+");
	fseek(f, 10, SEEK_SET); /* {"name":"r3 */
	fputc('9', f);
	fclose(f);
	assert_int_equal(run_in("network make --key %s/net.key --days 30 --out %s/n %s/d3", dir, dir, dir),
			 STATUS_FAILED);
	assert_non_null(strstr(err_text, "signature: not by"));
}

/* Of a relay that has replaced its onion key the descriptor names the present one. */
static void descriptor_of_replaced_key(void **state)
{
	static const char cmd[] = "relay descriptor --keys %s/kr --name r --address 192.0.2.1 --state %s/state";
	char keys[64], st[64], id[64];
	struct relay_keys *rk = NULL;
	struct onion_keys *k = NULL;
	struct error err;

	(void)state;
	snprintf(keys, sizeof(keys), "%s/kr", dir);
	snprintf(st, sizeof(st), "%s/state", dir);
	assert_int_equal(run_in("key relay %s/kr", dir), STATUS_OK);
	assert_int_equal(mkdir(st, 0700), 0);
	assert_int_equal(relay_keys_load(keys, &rk, &err), 0);
	assert_int_equal(onion_keys_open(st, keys, &rk->id, false, 1, &k, &err), 0);
	snprintf(id, sizeof(id), "\"onion-key-id\":%u", k->current.id);
	assert_int_equal(run_in(cmd, dir, dir), STATUS_OK); /* nothing is stored there yet */
	assert_non_null(strstr(out_text, id));
	onion_keys_follow(k, 1, 1);
	onion_keys_take(k, ONION_MAKE, &rng_system);
	onion_keys_take(k, ONION_PROMOTE, &rng_system);
	onion_keys_take(k, ONION_DROP, &rng_system);
	assert_int_equal(onion_store_save(st, &rk->id, k, &err), 0);
	assert_int_equal(onion_keys_erase_first(keys, k, &err), 1);
	assert_int_equal(run_in("relay descriptor --keys %s/kr --name r --address 192.0.2.1", dir), STATUS_FAILED);
	snprintf(id, sizeof(id), "\"onion-key-id\":%u", k->current.id);
	assert_int_equal(run_in(cmd, dir, dir), STATUS_OK);
	assert_non_null(strstr(out_text, id));
	/* Of another relay's state it is refused. */
	assert_int_equal(run_in("key relay %s/ks", dir), STATUS_OK);
	assert_int_equal(
		run_in("relay descriptor --keys %s/ks --name r --address 192.0.2.1 --state %s/state", dir, dir),
		STATUS_FAILED);
	assert_non_null(strstr(err_text, "another identity"));
	onion_keys_free(k);
	relay_keys_free(rk);
}

static void prefixes(void **state)
{
	static const char *const bad[] = { "",
					   "/",
					   "/8",
					   "10.0.0.0/",
					   "10.0.0.0/08",
					   "10.0.0.0/+8",
					   "10.0.0.0/33",
					   "10.0.0.0/8/8",
					   "10.0.0.1/31",
					   "10.0.0",
					   "::/129",
					   "fe80::1%lo/64",
					   "::1/127",
					   "1111:2222:3333:4444:5555:6666:7777:8888:9999/64" };
	static const char *const good[][2] = { { "10.0.0.0/8", "10.0.0.0/8" },
					       { "0.0.0.0/0", "0.0.0.0/0" },
					       { "::/0", "::/0" },
					       { "192.0.2.1", "192.0.2.1/32" },
					       { "2001:db8::1", "2001:db8::1/128" } };
	char text[PREFIX_TEXT_MAX];
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(prefix_parse(bad[i], &p), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(prefix_parse(good[i][0], &p), 0);
		prefix_format(&p, text);
		assert_string_equal(text, good[i][1]);
	}
}

static void overlaps(void **state)
{
	static const struct {
		const char *a, *b;
		bool yes;
	} cases[] = { { "10.0.0.0/8", "10.1.0.0/16", true },   { "10.1.0.0/16", "10.0.0.0/8", true },
		      { "10.0.0.0/9", "10.128.0.0/9", false }, { "0.0.0.0/0", "192.0.2.1", true },
		      { "0.0.0.0/0", "::/0", false },	       { "192.0.2.1", "192.0.2.1", true },
		      { "192.0.2.0", "192.0.2.1", false },     { "2001:db8::/33", "2001:db8:8000::/33", false },
		      { "::/0", "2001:db8::1", true } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix a, b;

		assert_int_equal(prefix_parse(cases[i].a, &a), 0);
		assert_int_equal(prefix_parse(cases[i].b, &b), 0);
		assert_int_equal(prefix_overlaps(&a, &b), cases[i].yes);
	}
}

static int setup(void **state)
{
	(void)state;
	if (sodium_init() < 0 || !mkdtemp(dir))
		return -1;
	snprintf(sock, sizeof(sock), "%s/s", dir);
	return setenv("ANOND_SOCKET", sock, 1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	free(out_text);
	free(err_text);
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usage),
		cmocka_unit_test(help),
		cmocka_unit_test(requests),
		cmocka_unit_test(statuses),
		cmocka_unit_test(floods),
		cmocka_unit_test(time_out),
		cmocka_unit_test(metrics_over_http),
		cmocka_unit_test(human),
		cmocka_unit_test(doctor),
		cmocka_unit_test(families),
		cmocka_unit_test(files),
		cmocka_unit_test(descriptor_of_replaced_key),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(overlaps),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
