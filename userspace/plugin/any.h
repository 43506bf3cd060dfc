/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The any plugin: questions for all records of a name are answered with one HINFO record (RFC 8482,
 * 4.2), whatever the name.
 */
#ifndef NODENS_ANY_H
#define NODENS_ANY_H

#include "plugin/plugin.h"

extern const struct plugin any_plugin;

#endif /* NODENS_ANY_H */
