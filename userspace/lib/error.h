/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One sentence for a person, beside the negative errno that is for the program. */
#pragma once

struct error {
	char text[256];
};

void error_write(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void error_write_before(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Writes the sentence (cut if it is too long; err may be NULL); its value is code, so: return error_set(err, -EINVAL,
 * "..."). A macro, so that a compiler sees that the value is code.
 */
#define error_set(err, code, ...)                                                                                      \
	({                                                                                                             \
		const int error_code_ __attribute__((unused)) = (code);                                                \
		error_write((err), __VA_ARGS__);                                                                       \
		error_code_;                                                                                           \
	})
/* The same, but puts "<text>: " before what is there. */
#define error_prefix(err, code, ...)                                                                                   \
	({                                                                                                             \
		const int error_code_ __attribute__((unused)) = (code);                                                \
		error_write_before((err), __VA_ARGS__);                                                                \
		error_code_;                                                                                           \
	})
