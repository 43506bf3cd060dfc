/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * uthash, as nodens uses it: the one hash map outside the store.
 *
 * Contract: clients, or upstreams, choose many of the keys, so the hash is keyed with a secret in
 * place of uthash's own, which anybody can make collide. Memory that cannot be had is no exit():
 * after HASH_ADD the element's hh.tbl is NULL, and it is in no map.
 */
#ifndef NODENS_HASH_MAP_H
#define NODENS_HASH_MAP_H

#include "base/secret_hash.h"

#define HASH_FUNCTION(key, len, hashv) ((hashv) = (unsigned int)secret_hash(key, len))
#define HASH_NONFATAL_OOM	       1
#include <uthash.h>

#endif /* NODENS_HASH_MAP_H */
