/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Words that values of the flags of `nodens run` are written with. What they come to is printed in
 * flags_show.c as well: run_options__print() of flags.h.
 */
#ifndef NODENS_OPTIONS_SHOW_H
#define NODENS_OPTIONS_SHOW_H

#include "config/flags.h"

/* False: there is none of that name. */
bool options_show__parse_mode(const char *text, enum agent_mode *out);

#endif /* NODENS_OPTIONS_SHOW_H */
