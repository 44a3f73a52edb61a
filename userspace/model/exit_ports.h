/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an exit's policy comes to for somebody who chooses an exit: the ports at which most of the Internet is reached.
 */
#pragma once

#include "model/exit_policy.h"
#include "model/relay_traits.h"

/*
 * family: AF_INET, AF_INET6. A port counts if all but a 128th of the addresses at most are reached by it; those that
 * are nobody's on the Internet do not count, and neither does what is accepted for some addresses only. Of more than
 * EXIT_PORTS_MAX ranges those are left out that are asked for least: names, the web, the directory, mail and logins
 * come first, then the wider ones. So what it says is always true, and may be less than all.
 */
void exit_ports_of(const struct exit_policy *p, uint8_t family, struct exit_ports *ret);
