/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fetch/socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"

static bool socket_is(int fd, int option, int value)
{
	int v = 0;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, option, &v, &len) == 0 && v == value;
}

static bool is_connected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}

enum fetch_status socket_take(const struct url *to, int passed, const char *device, int *ret_fd, struct error *err)
{
	int family = to->to.any.sa_family;
	_cleanup_close_ int fd = passed;

	if (fd < 0)
		fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	else if (!socket_is(fd, SO_DOMAIN, family) || !socket_is(fd, SO_PROTOCOL, IPPROTO_TCP))
		return error_set(err, FETCH_USAGE, "--socket: not a TCP socket for an address of that family");
	else if (is_connected(fd))
		return error_set(err, FETCH_USAGE, "--socket: it is connected already");
	if (fd < 0)
		return error_set(err, FETCH_INTERNAL, "no socket: %s", strerror(errno));
	if (device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) < 0)
		return error_set(err, FETCH_INTERNAL, "--device: %s", strerror(errno));
	*ret_fd = steal_fd(&fd);
	return FETCH_OK;
}
