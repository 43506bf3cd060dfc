// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The screen of `nodens top`. Contract: top.h.
 *
 * By the control sequences of ECMA-48 that all terminals of the list below have: no library, and no
 * data base of terminals, which the image has not.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/top.h"

#define KEYS "[1]names [2]nxdomain [3]clients [4]upstreams [5]slow [6]timeouts [7]devices"

#define ALTERNATE "\033[?1049h\033[?25l" /* screen, and no cursor */
#define BACK	  "\033[?25h\033[?1049l"
#define HOME	  "\033[H"
#define ERASE_EOL "\033[K"
#define ERASE_EOS "\033[J"
#define REVERSE	  "\033[7m"
#define NORMAL	  "\033[0m"

static struct {
	bool open, typing;
	struct termios before;
	char suffix[DNS_NAME_TEXT]; /* that is being typed */
	const char *said;	    /* what was wrong with it */
	unsigned int lines;
	bool since_start;
} screen;

static volatile sig_atomic_t resized;

static void on_resize(int number)
{
	(void)number;
	resized = 1;
}

static bool is_known(const char *term)
{
	static const char *const known[] = { "xterm", "screen", "tmux",	 "linux",     "vt1",
					     "vt2",   "rxvt",	"kitty", "alacritty", "foot",
					     "st-",   "ansi",	"putty", "konsole",   "gnome" };

	for (size_t i = 0; term && i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strncmp(term, known[i], strlen(known[i])))
			return true;
	}
	return false;
}

bool top_screen__open(void)
{
	struct sigaction action = { .sa_handler = on_resize };
	struct termios raw;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !is_known(getenv("TERM")) ||
	    tcgetattr(STDIN_FILENO, &screen.before))
		return false;
	raw = screen.before;
	raw.c_lflag &= ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		return false;
	sigaction(SIGWINCH, &action, NULL);
	screen.open = true;
	fputs(ALTERNATE, stdout);
	return true;
}

void top_screen__close(void)
{
	if (!screen.open)
		return;
	fputs(BACK, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
	screen.open = false;
}

/* ---- keys ---- */

static void set_suffix(struct top *top)
{
	struct dns_name suffix;

	screen.typing = false;
	if (dns_name__from_text(&suffix, screen.suffix[0] ? screen.suffix : ".")) {
		screen.said = "that is no name";
		return;
	}
	traffic__set_suffix(top->traffic, &suffix);
}

static void type_suffix(struct top *top, char key)
{
	size_t len = strlen(screen.suffix);

	if (key == '\n' || key == '\r') {
		set_suffix(top);
	} else if (key == '\033') {
		screen.typing = false;
	} else if (key == 0x7f || key == '\b') {
		screen.suffix[len ? len - 1 : 0] = '\0';
	} else if (key > ' ' && key < 0x7f && len + 1 < sizeof(screen.suffix)) {
		screen.suffix[len] = key;
		screen.suffix[len + 1] = '\0';
	}
}

/* False: the end. */
static bool press(struct top *top, char key)
{
	static const unsigned int views[] = { TOP_NAMES, TOP_NX,       TOP_CLIENTS, TOP_UPSTREAMS,
					      TOP_SLOW,	 TOP_TIMEOUTS, TOP_DEVICES };

	if (screen.typing) {
		type_suffix(top, key);
		return true;
	}
	screen.said = NULL;
	if (key >= '1' && key <= '7')
		top->view = views[key - '1'];
	else if (key == 's')
		top->view = (top->view + 1) % TOP_VIEWS;
	else if (key == 'r')
		screen.since_start = !screen.since_start;
	else if (key == '/') {
		screen.typing = true;
		screen.suffix[0] = '\0';
	}
	top->tally = screen.since_start ? &top->traffic->all : &top->traffic->last;
	return key != 'q';
}

bool top_screen__wait(struct top *top, int ms, bool *changed)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char keys[64];
	ssize_t n;

	*changed = false;
	if (poll(&in, 1, ms) > 0) {
		/* gone: the terminal is */
		n = read(STDIN_FILENO, keys, sizeof(keys));
		if (!n || (n < 0 && errno != EINTR && errno != EAGAIN))
			return false;
		for (ssize_t i = 0; i < n; i++) {
			/* cursor keys and the like are sequences, and mean nothing here */
			if (keys[i] == '\033' && i + 1 < n)
				break;
			if (!press(top, keys[i]))
				return false;
		}
		*changed = n > 0;
	}
	*changed |= resized;
	return true;
}

/* ---- drawing ---- */

static void measure(struct top *top)
{
	struct winsize size;

	resized = 0;
	screen.lines = 24;
	top->columns = 80;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col) {
		screen.lines = size.ws_row;
		top->columns = size.ws_col;
	}
}

struct drawing {
	unsigned int line; /* the next one */
	bool reverse;
};

static void draw_line(void *ctx, const char *line)
{
	struct drawing *drawing = ctx;

	if (drawing->line >= screen.lines)
		return;
	printf("%s%s%s%s" ERASE_EOL NORMAL, drawing->line ? "\r\n" : "",
	       drawing->reverse ? REVERSE : "", line, drawing->reverse ? NORMAL : "");
	drawing->line++;
	drawing->reverse = false;
}

static void draw_keys(const struct top *top, struct drawing *drawing)
{
	char line[DNS_NAME_TEXT + 256];

	if (screen.typing)
		snprintf(line, sizeof(line), "names below: %s_", screen.suffix);
	else if (screen.said)
		snprintf(line, sizeof(line), "%s: %s", screen.suffix, screen.said);
	else
		snprintf(line, sizeof(line), KEYS "  / filter%s%s  s next  r %s  q",
			 screen.suffix[0] ? ": " : "", screen.suffix,
			 screen.since_start ? "interval" : "since start");
	if (strlen(line) > top->columns)
		line[top->columns] = '\0';
	draw_line(drawing, line);
}

void top_screen__draw(struct top *top)
{
	struct drawing drawing = { .line = 0 };
	unsigned int rows = top->rows;

	measure(top);
	fputs(HOME, stdout);
	top__head(top, draw_line, &drawing);
	draw_keys(top, &drawing);
	drawing.reverse = true;
	if (rows > screen.lines)
		top->rows = screen.lines;
	top__table(top, draw_line, &drawing);
	top->rows = rows;
	fputs(ERASE_EOS, stdout);
	fflush(stdout);
}
