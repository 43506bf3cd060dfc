// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The kernel's index of what is published: the one seam between a store that programs read and one
 * that nobody but the agent does (maps.index_fd < 0).
 *
 * Contract: see store_priv.h. Without maps everything is as the agent's own table has it, so each
 * change is a success and each entry is still there.
 */
#include <errno.h>

#include <bpf/bpf.h>

#include "store_priv.h"

int index_publish(const struct store *store, uint64_t hash, uint32_t slot)
{
	if (store->maps.index_fd < 0)
		return 0;
	return bpf_map_update_elem(store->maps.index_fd, &hash, &slot, BPF_ANY);
}

int index_withdraw(const struct store *store, uint64_t hash)
{
	int err;

	if (store->maps.index_fd < 0)
		return 0;
	err = bpf_map_delete_elem(store->maps.index_fd, &hash);
	return err == -ENOENT ? 0 : err;
}

bool index_names(const struct store *store, uint64_t hash, uint32_t slot)
{
	uint32_t value;

	if (store->maps.index_fd < 0)
		return true;
	return !bpf_map_lookup_elem(store->maps.index_fd, &hash, &value) && value == slot;
}
