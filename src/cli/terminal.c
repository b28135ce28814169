/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.c - messages, colours, the progress line. Nothing here knows what a command does. The progress line has a thread, since most
 * of the library's calls wait; its state is behind one mutex. */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "text.h"

void cli_terminal_begin(void)
{
    /* Standard output is opened for reading, so that writing to it fails and is told of. */
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
            _exit(CLI_EXIT_FAILED);
    }
    /* Work under way (a settlement, a batch) is not to die of a reader that has gone. */
    (void)signal(SIGPIPE, SIG_IGN);
}

static int output_errno; /* of the first failure: the stream itself remembers only that there was one */

void cli_output_flush(FILE *stream)
{
    errno = 0;
    if (fflush(stream) != 0 && stream == stdout && output_errno == 0)
        output_errno = errno;
}

bool cli_output_is_broken(void)
{
    return ferror(stdout) != 0;
}

int cli_terminal_end(int exit_status)
{
    cli_output_flush(stdout);
    if (output_errno == 0 && !ferror(stdout))
        return exit_status;
    if (output_errno == EPIPE)
        return CLI_EXIT_FAILED;
    return cli_failed("Not all of the output could be written: %s.", strerror(output_errno != 0 ? output_errno : EIO));
}

static bool is_capable_terminal(FILE *stream)
{
    const char *kind = getenv("TERM");

    return isatty(fileno(stream)) && kind && kind[0] != '\0' && strcmp(kind, "dumb") != 0;
}

bool cli_has_colour(FILE *stream)
{
    const char *no_colour = getenv("NO_COLOR");

    return is_capable_terminal(stream) && (!no_colour || no_colour[0] == '\0');
}

static void say(const char *before, const char *format, va_list values) __attribute__((format(printf, 2, 0)));

static void say(const char *before, const char *format, va_list values)
{
    char text[1536];
    char *harmless;

    (void)vsnprintf(text, sizeof text, format, values);
    harmless = cli_text_harmless(text);
    cli_progress_pause();
    (void)fprintf(stderr, "%s%s\n", before, harmless);
    cli_progress_resume();
    free(harmless);
}

#define SAY(before, format)                                                                                            \
    do {                                                                                                               \
        va_list values;                                                                                                \
        va_start(values, format);                                                                                      \
        say(before, format, values);                                                                                   \
        va_end(values);                                                                                                \
    } while (0)

static const char *name_of_program(void)
{
    return cli_has_colour(stderr) ? "\033[31mdreamapi:\033[0m " : "dreamapi: ";
}

int cli_failed(const char *format, ...)
{
    SAY(name_of_program(), format);
    return CLI_EXIT_FAILED;
}

int cli_misused(const char *format, ...)
{
    SAY(name_of_program(), format);
    return CLI_EXIT_USAGE;
}

void cli_advise(const char *format, ...)
{
    SAY("  ", format);
}

/* ---- the progress line ---- */

enum { FIRST_S = 2, TEXT_SIZE = 128 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool is_running;
    bool is_ending;
    bool is_paused;
    bool is_shown;
    time_t began_s;
    char text[TEXT_SIZE];
} progress = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void draw(time_t now_s)
{
    if (progress.is_paused || now_s - progress.began_s < FIRST_S)
        return;
    (void)fprintf(stderr, "\r\033[K%s (%lld s)", progress.text, (long long)(now_s - progress.began_s));
    (void)fflush(stderr);
    progress.is_shown = true;
}

static void erase(void)
{
    if (!progress.is_shown)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    progress.is_shown = false;
}

static void *run_progress(void *unused)
{
    struct timespec next;

    (void)unused;
    pthread_mutex_lock(&progress.lock);
    (void)clock_gettime(CLOCK_MONOTONIC, &next);
    progress.began_s = next.tv_sec;
    while (!progress.is_ending) {
        next.tv_sec++;
        while (!progress.is_ending && pthread_cond_timedwait(&progress.changed, &progress.lock, &next) == 0)
            ;
        if (!progress.is_ending)
            draw(next.tv_sec);
    }
    erase();
    pthread_mutex_unlock(&progress.lock);
    return NULL;
}

void cli_progress_begin(const char *text)
{
    pthread_condattr_t attributes;

    if (!is_capable_terminal(stderr))
        return;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&progress.changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    progress.is_ending = progress.is_paused = false;
    (void)snprintf(progress.text, sizeof progress.text, "%s", text);
    /* Without a thread there is no line, and all else works. */
    progress.is_running = pthread_create(&progress.thread, NULL, run_progress, NULL) == 0;
}

void cli_progress_say(const char *format, ...)
{
    va_list values;

    pthread_mutex_lock(&progress.lock);
    va_start(values, format);
    (void)vsnprintf(progress.text, sizeof progress.text, format, values);
    va_end(values);
    pthread_mutex_unlock(&progress.lock);
}

void cli_progress_pause(void)
{
    pthread_mutex_lock(&progress.lock);
    progress.is_paused = true;
    erase();
    pthread_mutex_unlock(&progress.lock);
}

void cli_progress_resume(void)
{
    pthread_mutex_lock(&progress.lock);
    progress.is_paused = false;
    pthread_mutex_unlock(&progress.lock);
}

void cli_progress_end(void)
{
    if (!progress.is_running)
        return;
    pthread_mutex_lock(&progress.lock);
    progress.is_ending = true;
    (void)pthread_cond_signal(&progress.changed);
    pthread_mutex_unlock(&progress.lock);
    (void)pthread_join(progress.thread, NULL);
    progress.is_running = false;
}
