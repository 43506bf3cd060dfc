// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Cells: which of them have slots of which class, and which slots are free.
 *
 * Contract: see store_priv.h. What the agent knows of a cell's slots (struct slot_meta) comes with
 * the cell's class and goes with it, so it too is there only for what is in use. Memory grows a
 * step at a time and does not shrink.
 */
#include <errno.h>
#include <stdlib.h>

#include "store_priv.h"

/* With so few free cells the next step is made: a quarter of one. */
#define GROW_AHEAD (NODENS_STEP_CELLS / 4)

static size_t list_bytes(const struct store *store)
{
	return (size_t)store->publisher->max_steps * NODENS_STEP_CELLS * sizeof(struct cell);
}

int cells_open(struct store *store)
{
	struct cells *cells = &store->cells;

	cells->list = pages_open(list_bytes(store));
	if (!cells->list)
		return -ENOMEM;
	cells->n = store->publisher->n_steps * NODENS_STEP_CELLS;
	cells->free = STORE_NONE;
	for (int cls = 0; cls < NODENS_CLASSES; cls++)
		cells->roomy[cls] = STORE_NONE;
	return 0;
}

void cells_close(struct store *store)
{
	struct cells *cells = &store->cells;

	if (!cells->list)
		return;
	for (uint32_t i = 0; i < cells->n; i++)
		free(cells->list[i].meta);
	pages_close(cells->list, list_bytes(store));
	cells->list = NULL;
}

static void roomy_add(struct cells *cells, uint32_t at)
{
	struct cell *cell = &cells->list[at];
	uint32_t *head = &cells->roomy[cell->cls];

	cell->prev = STORE_NONE;
	cell->next = *head;
	if (*head != STORE_NONE)
		cells->list[*head].prev = at;
	*head = at;
}

static void roomy_remove(struct cells *cells, uint32_t at)
{
	struct cell *cell = &cells->list[at];

	if (cell->prev == STORE_NONE)
		cells->roomy[cell->cls] = cell->next;
	else
		cells->list[cell->prev].next = cell->next;
	if (cell->next != STORE_NONE)
		cells->list[cell->next].prev = cell->prev;
}

static uint32_t slots_of(int cls)
{
	return NODENS_CELL / slot_class_size[cls];
}

/* A free cell becomes one of @cls. */
static bool give_class(struct cells *cells, uint32_t at, int cls)
{
	struct cell *cell = &cells->list[at];

	cell->meta = calloc(slots_of(cls), sizeof(*cell->meta));
	if (!cell->meta)
		return false;
	cell->cls = cls;
	cell->free = (1u << slots_of(cls)) - 1;
	cells->in_use++;
	cells->meta_bytes += slots_of(cls) * sizeof(*cell->meta);
	roomy_add(cells, at);
	return true;
}

static bool grow(struct store *store)
{
	struct publisher *publisher = store->publisher;

	if (store->cells.stuck)
		return false;
	if (publisher->ops->grow(publisher)) {
		store->cells.stuck = true;
		store->stats.no_memory++;
		return false;
	}
	store->cells.n = publisher->n_steps * NODENS_STEP_CELLS;
	return true;
}

static bool new_cell(struct store *store, int cls)
{
	struct cells *cells = &store->cells;
	uint32_t at = cells->free;

	/* nothing comes of it where one is on its way */
	if (cells->n && cells->n - cells->in_use <= GROW_AHEAD)
		store->publisher->ops->grow_ahead(store->publisher);
	if (at != STORE_NONE) {
		uint32_t next = cells->list[at].next;

		if (!give_class(cells, at, cls))
			return false;
		cells->free = next;
		return true;
	}
	if (cells->unused == cells->n && !grow(store))
		return false;
	return give_class(cells, cells->unused, cls) && ++cells->unused;
}

uint32_t cells_slot(const struct store *store, uint32_t cell, uint32_t ordinal)
{
	uint32_t cls = store->cells.list[cell].cls;

	return NODENS_SLOT(cls, cell * CELL_UNITS + ordinal * (slot_class_size[cls] / NODENS_UNIT));
}

uint32_t cells_slots(const struct store *store, uint32_t cell)
{
	const struct cell *at = &store->cells.list[cell];

	return at->meta ? slots_of(at->cls) : 0;
}

/* The slot is free and its cell among the roomy ones. */
static void take(struct cells *cells, uint32_t at, uint32_t ordinal)
{
	struct cell *cell = &cells->list[at];

	cell->free &= ~(1u << ordinal);
	if (!cell->free)
		roomy_remove(cells, at);
}

uint32_t cells_take(struct store *store, int cls)
{
	struct cells *cells = &store->cells;
	uint32_t at, ordinal;

	if (cells->roomy[cls] == STORE_NONE && !new_cell(store, cls))
		return STORE_NONE;
	at = cells->roomy[cls];
	ordinal = __builtin_ctz(cells->list[at].free);
	take(cells, at, ordinal);
	return cells_slot(store, at, ordinal);
}

bool cells_claim(struct store *store, uint32_t slot)
{
	uint32_t cls = NODENS_SLOT_CLASS(slot), at = slot_cell(slot);
	struct cells *cells = &store->cells;
	uint32_t ordinal;

	if (cls >= NODENS_CLASSES || at >= cells->n || NODENS_SLOT_OFFSET(slot) % slot_size(slot))
		return false;
	ordinal = slot_ordinal(slot);
	if (ordinal >= slots_of(cls) || (!cells->list[at].meta && !give_class(cells, at, cls)))
		return false;
	if (cells->list[at].cls != cls || !(cells->list[at].free & 1u << ordinal))
		return false;
	take(cells, at, ordinal);
	return true;
}

void cells_settle(struct store *store)
{
	struct cells *cells = &store->cells;

	cells->unused = cells->n;
	cells->free = STORE_NONE;
	while (cells->unused && !cells->list[cells->unused - 1].meta)
		cells->unused--;
	for (uint32_t i = cells->unused; i--;)
		if (!cells->list[i].meta) {
			cells->list[i].next = cells->free;
			cells->free = i;
		}
}

void cells_free(struct store *store, uint32_t slot)
{
	struct cells *cells = &store->cells;
	uint32_t at = slot_cell(slot);
	struct cell *cell = &cells->list[at];

	store_meta(store, slot)->state = SLOT_FREE;
	if (!cell->free)
		roomy_add(cells, at);
	cell->free |= 1u << slot_ordinal(slot);
	if (cell->free != (1u << slots_of(cell->cls)) - 1)
		return;
	roomy_remove(cells, at);
	free(cell->meta);
	cell->meta = NULL;
	cell->next = cells->free;
	cells->free = at;
	cells->in_use--;
	cells->meta_bytes -= slots_of(cell->cls) * sizeof(*cell->meta);
}
