// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Directives that say what is written down: errors and log.
 * Contract: rows of directives.c call these with the number of arguments already checked.
 */
#include "corefile_priv.h"

#include <string.h>

#include "base/log.h"

/* ---- errors ---- */

const char *const corefile_error_levels[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static bool level_of(const char *text, int *out)
{
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		if (!strcmp(corefile_error_levels[i], text)) {
			*out = i;
			return true;
		}
	}
	return false;
}

/* Where errors go to, which is one place: CoreDNS has kept the word of older versions. */
int corefile_set_errors(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	if (stmt->args_len && strcmp(stmt->args[0].text, "stdout"))
		return corefile_fail(p, &stmt->args[0], "'%s' is not known; write errors [stdout]",
				     corefile_show(p, stmt->args[0].text));
	p->block->errors.enabled = true;
	return 0;
}

int corefile_set_consolidate(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct errors *errors = &p->block->errors;
	struct corefile_consolidate new = { .level = LOG_LEVEL_ERROR };
	const struct corefile_token *arg;
	int err = corefile_value_duration(p, &stmt->args[0], &new.duration_ns);

	if (!err && !new.duration_ns)
		return corefile_fail(p, &stmt->args[0],
				     "it is 0; write how long errors are "
				     "gathered, as in 5m");
	if (!err)
		err = corefile_value_regex(p, &stmt->args[1], &new.regex);
	for (arg = stmt->args + 2; !err && arg < stmt->args + stmt->args_len; arg++) {
		if (!strcmp(arg->text, "show_first"))
			new.show_first = true;
		else if (arg != stmt->args + 2 || !level_of(arg->text, &new.level))
			err = corefile_fail(p, arg,
					    "'%s' is not known; write a level (warning, error, "
					    "info, debug), then show_first",
					    corefile_show(p, arg->text));
	}
	if (err)
		return err;
	return corefile_append(p, &errors->consolidate, &errors->consolidate_len, &new,
			       sizeof(new));
}

/* ---- log ---- */

int corefile_set_log(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_log new = { .format = "{common}", .classes = COREFILE_LOG_ALL };
	struct corefile_block *b = p->block;
	size_t names = stmt->args_len;
	int err = 0;

	if (names && strchr(stmt->args[names - 1].text, '{'))
		err = corefile_value_text(p, &stmt->args[--names], &new.format);
	if (!err)
		err = corefile_value_zones(p, stmt->args, names, &new.names);
	if (err)
		return err;
	p->log_classes = 0;
	return corefile_append(p, &b->logs, &b->logs_len, &new, sizeof(new));
}

const struct corefile_log_word corefile_log_classes[] = {
	{ "success", COREFILE_LOG_SUCCESS },
	{ "denial", COREFILE_LOG_DENIAL },
	{ "error", COREFILE_LOG_ERROR },
	{ "all", COREFILE_LOG_ALL },
	{ NULL, 0 },
};

int corefile_set_log_class(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	for (size_t i = 0; i < stmt->args_len; i++) {
		const struct corefile_log_word *class = corefile_log_classes;

		while (class->name && strcmp(class->name, stmt->args[i].text))
			class ++;
		if (!class->name)
			return corefile_fail(p, &stmt->args[i],
					     "unknown class '%s'; allowed: success, denial, "
					     "error, all",
					     corefile_show(p, stmt->args[i].text));
		p->log_classes |= class->bits;
	}
	p->block->logs[p->block->logs_len - 1].classes = p->log_classes;
	return 0;
}
