/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.h - what is for the person in front of it: messages, colours, and a line that says what is waited for. Colours and that
 * line appear on terminals only, never with NO_COLOR (colours) or TERM=dumb (both). */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* First thing in main: a descriptor 0, 1 or 2 that is closed must not become a file or socket of ours. */
void cli_terminal_begin(void);
/* Gives `exit_status`, or CLI_EXIT_FAILED with the reason said when not all output got where it should. A reader that has gone,
 * as `head` does, is no news: that is not said. */
int cli_terminal_end(int exit_status);
/* fflush, and what went wrong is remembered for cli_terminal_end. */
void cli_output_flush(FILE *stream);
/* True once nobody reads the output any more: producing the rest is in vain. */
bool cli_output_is_broken(void);

bool cli_has_colour(FILE *stream);

/* One line on stderr that begins with "dreamapi: "; what others wrote in it is made harmless. Their results are for `return`. */
int cli_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_misused(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line under it: what to do. */
void cli_advise(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* From two seconds after `begin` on, a line on stderr tells `text` and the seconds; `say` changes the text. `pause` takes the line
 * away while something else is printed, `end` for good. One at a time; a thread of its own draws it. */
void cli_progress_begin(const char *text);
void cli_progress_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_progress_pause(void);
void cli_progress_resume(void);
void cli_progress_end(void);

#endif
