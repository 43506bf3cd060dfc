/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What `nodens top` shows of struct traffic, as lines, on a screen, as JSON.
 *
 * Contract: lines have printable ASCII alone, whatever names and devices are called.
 */
#ifndef NODENS_TOP_H
#define NODENS_TOP_H

#include "cmd/traffic.h"

enum top_view {
	TOP_NAMES,
	TOP_NX,
	TOP_CLIENTS,
	TOP_SLOW,
	TOP_TIMEOUTS,
	TOP_UPSTREAMS,
	TOP_DEVICES,
	TOP_VIEWS
};
extern const char *const top_views[TOP_VIEWS];

struct top_options {
	uint32_t rows, interval_s;
	unsigned int view; /* enum top_view */
	bool once, json;
	const char *suffix;
	struct traffic_options traffic;
};

struct top {
	struct traffic *traffic;
	const struct tally *tally; /* last or all */
	unsigned int view;
	unsigned int rows, columns; /* 0: as many as lines need */
};

/* @line of each is valid during the call. */
typedef void top_line(void *ctx, const char *line);
void top__head(const struct top *top, top_line *print, void *ctx);
void top__table(const struct top *top, top_line *print, void *ctx);

json_t *top__json(const struct top *top);

/*
 * The screen: taken over by top_screen__open(), given back by top_screen__close(). False: there is
 * no terminal, or one that is not known.
 */
bool top_screen__open(void);
void top_screen__close(void);
/* Handles keys for @ms or until one changed what is to be shown; false: the user wants to end. */
bool top_screen__wait(struct top *top, int ms, bool *changed);
void top_screen__draw(struct top *top);

#endif /* NODENS_TOP_H */
