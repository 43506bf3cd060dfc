/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A circular doubly-linked list inside the structs it links.
 *
 * Contract: an unlinked node is all zero or points to itself; list__del() of
 * one does nothing.
 */
#ifndef NODENS_LIST_H
#define NODENS_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

#define list_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline void list__init(struct list *list)
{
	list->prev = list->next = list;
}

static inline bool list__empty(const struct list *list)
{
	return list->next == list;
}

static inline void list__append(struct list *list, struct list *node)
{
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}

static inline void list__prepend(struct list *list, struct list *node)
{
	list__append(list->next, node);
}

static inline void list__del(struct list *node)
{
	if (!node->next)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list__init(node);
}

#endif /* NODENS_LIST_H */
