/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#define ANON_VERSION "0.1"
