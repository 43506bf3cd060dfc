// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Runs scenarios: one file is one behaviour (README.md has the format).
 *
 *	scenario FILE...
 *
 * Contract: each runs in a process of its own and prints a line; the last line is "N passed, N
 * failed", exit status 1 if any failed. A file that begins with "# must fail: TEXT" passes if it
 * fails and says TEXT.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define MUST_FAIL  "# must fail: "
#define REAL_MAX_S 60

void scene_fail(const struct scene *scene, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%u: %s\n\t", scene->file, scene->line, scene->text);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n\t(%s after the beginning)\n",
		scene_time(scene->v.now_ns -
			   (scene->began_ns ? scene->began_ns : scene->v.now_ns)));
	exit(1);
}

const char *scene_time(uint64_t ns)
{
	static char texts[3][40];
	static int at;
	char *text = texts[at = (at + 1) % 3], *end;

	snprintf(text, sizeof(texts[0]), "%llu.%09llu", (unsigned long long)(ns / NSEC_PER_SEC),
		 (unsigned long long)(ns % NSEC_PER_SEC));
	for (end = text + strlen(text); end[-1] == '0'; end--)
		;
	end -= end[-1] == '.';
	strcpy(end, "s");
	return text;
}

/* ---- the script ---- */

static bool is_indented(const char *line)
{
	return *line == '\t' || *line == ' ';
}

/* The indented lines below one; as many line feeds before them as make its errors name our lines.
 */
static char *block_below(struct scene *scene, FILE *in, unsigned int *line)
{
	char *text = NULL, *next = NULL;
	size_t len, cap = 0;
	FILE *out = open_memstream(&text, &len);
	long at = ftell(in);

	for (unsigned int i = 0; i < *line; i++)
		fputc('\n', out);
	while (getline(&next, &cap, in) > 0 && (is_indented(next) || *next == '\n')) {
		fputs(next, out);
		at = ftell(in);
		++*line;
	}
	fseek(in, at, SEEK_SET);
	free(next);
	fclose(out);
	if (!strpbrk(text, "{"))
		scene_fail(scene, "an indented Corefile is to follow");
	return text;
}

static int split(char *line, char *words[WORDS_MAX])
{
	int n = 0;

	line[strcspn(line, "#\n")] = '\0';
	for (char *save, *word = strtok_r(line, " \t", &save); word && n < WORDS_MAX;
	     word = strtok_r(NULL, " \t", &save))
		words[n++] = word;
	return n;
}

static void run_line(struct scene *scene, FILE *in, unsigned int *line, char *words[], int n)
{
	bool corefile = !strcmp(words[0], "Corefile"), reload = !strcmp(words[0], "reload");
	char *text;

	if (!corefile && !scene->gen)
		scene_fail(scene, "a scenario begins with the line Corefile");
	if (!corefile && !reload) {
		scene_step(scene, words, n);
		return;
	}
	if (corefile && scene->gen)
		scene_fail(scene, "there is a Corefile already: reload?");
	text = block_below(scene, in, line);
	if (corefile)
		nodens_open(scene, text);
	else
		nodens_reload(scene, text);
	free(text);
}

static void run(const char *path)
{
	struct scene scene = { .file = path };
	FILE *in = fopen(path, "r");
	char *line = NULL, *words[WORDS_MAX];
	unsigned int number = 0;
	size_t cap = 0;

	if (!in || virtual_loop__open(&scene.v)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	list__init(&scene.clients);
	list__init(&scene.upstreams);
	scene.stopwatch_ns = scene.v.now_ns;
	while (getline(&line, &cap, in) > 0) {
		int n;

		scene.line = ++number;
		snprintf(scene.text, sizeof(scene.text), "%.*s", (int)strcspn(line, "\n"), line);
		n = split(line, words);
		if (n)
			run_line(&scene, in, &number, words, n);
	}
	snprintf(scene.text, sizeof(scene.text), "(the end)");
	if (!scene.gen)
		scene_fail(&scene, "there is no Corefile");
	scene_end(&scene);
	free(line);
	fclose(in);
	nodens_close(&scene);
	scene_free(&scene);
	virtual_loop__close(&scene.v);
}

/* ---- files ---- */

static void read_must_fail(const char *path, char text[256])
{
	FILE *in = fopen(path, "r");

	*text = '\0';
	if (in && fgets(text, 256, in) && !strncmp(text, MUST_FAIL, strlen(MUST_FAIL))) {
		memmove(text, text + strlen(MUST_FAIL), 256 - strlen(MUST_FAIL));
		text[strcspn(text, "\n")] = '\0';
	} else {
		*text = '\0';
	}
	if (in)
		fclose(in);
}

/* What it printed is in @said. Its exit status; -1: it was killed. */
static int run_apart(const char *path, char *said, size_t size)
{
	FILE *out = tmpfile();
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!out || pid < 0) {
		perror("fork");
		exit(1);
	}
	if (!pid) {
		dup2(fileno(out), STDERR_FILENO);
		dup2(fileno(out), STDOUT_FILENO);
		alarm(REAL_MAX_S);
		run(path);
		exit(0);
	}
	waitpid(pid, &status, 0);
	rewind(out);
	said[fread(said, 1, size - 1, out)] = '\0';
	fclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool run_file(const char *path)
{
	uint64_t began = clock_now();
	char must_fail[256], said[4096];
	bool ok;
	int status;

	read_must_fail(path, must_fail);
	status = run_apart(path, said, sizeof(said));
	ok = *must_fail ? status == 1 && strstr(said, must_fail) : !status;
	printf("%s %s (%llu ms)\n", ok ? "ok  " : "FAIL", path,
	       (unsigned long long)((clock_now() - began) / NSEC_PER_MS));
	if (!ok)
		printf("%s%s\n", said, status == -1 ? "\tit was killed, or took too long" : "");
	if (!ok && *must_fail)
		printf("\tit was to fail and say: %s\n", must_fail);
	return ok;
}

int main(int argc, char **argv)
{
	unsigned int passed = 0, failed = 0;

	for (int i = 1; i < argc; i++) {
		if (run_file(argv[i]))
			passed++;
		else
			failed++;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed;
}
