/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - reads a command's options from its table and prints its help from the same table.
 * What a value means is the command's own matter; this file only knows which options exist and which of them take one.
 * getopt_long keeps global state: one thread only. */
#include "dreamapid/command.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ERROR_SIZE = 256,
    FIRST_CODE = 0x100, /* above every letter, so that getopt's optopt tells a long option from a short one */
    SHOWN = 60          /* of a user's text in a message */
};

static size_t option_count(const dreamd_command *command)
{
    size_t count = 0;
    while (command->options[count].name)
        count++;
    return count;
}

/* The command's options, then --help. */
static void fill_long_options(const dreamd_command *command, struct option out[DREAMD_OPTIONS_MAX + 2])
{
    size_t count = option_count(command);
    for (size_t i = 0; i < count; i++) {
        int has_value = command->options[i].value ? required_argument : no_argument;
        out[i] = (struct option){ command->options[i].name, has_value, NULL, FIRST_CODE + (int)i };
    }
    out[count] = (struct option){ "help", no_argument, NULL, 'h' };
    out[count + 1] = (struct option){ NULL, 0, NULL, 0 };
}

static void say_bad_option(const dreamd_command *command, int code, const char *word, char error[ERROR_SIZE])
{
    int place = optopt - FIRST_CODE;
    bool is_known = place >= 0 && (size_t)place < option_count(command);
    if (is_known && code == ':')
        (void)snprintf(error, ERROR_SIZE, "--%s needs a value (%s).", command->options[place].name,
                       command->options[place].value);
    else if (is_known || optopt == 'h')
        (void)snprintf(error, ERROR_SIZE, "--%s takes no value.", is_known ? command->options[place].name : "help");
    else if (optopt > 0 && optopt < FIRST_CODE)
        (void)snprintf(error, ERROR_SIZE, "%s has no option -%c.", command->name, optopt);
    else
        (void)snprintf(error, ERROR_SIZE, "%s has no option %.*s.", command->name, SHOWN, word);
}

/* getopt_long takes any unambiguous beginning of a name. A script that relies on one breaks when an option is added. */
static bool is_abbreviation(const char *name, char **argv, bool has_value)
{
    const char *word = argv[optind - 1];
    if (has_value && optarg == word) /* "--db PATH"; "--db=PATH" points into the word */
        word = argv[optind - 2];
    size_t size = strlen(name);
    return strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, size) != 0
           || (word[2 + size] != '\0' && word[2 + size] != '=');
}

static bool take_option(const dreamd_command *command, int place, char **argv, dreamd_arguments *out,
                        char error[ERROR_SIZE])
{
    const dreamd_option *option = &command->options[place];
    bool is_good = false;
    if (is_abbreviation(option->name, argv, option->value != NULL))
        (void)snprintf(error, ERROR_SIZE, "Options are written in full: --%s.", option->name);
    else if (option->is_repeatable && out->repeat_count == DREAMD_REPEATS_MAX)
        (void)snprintf(error, ERROR_SIZE, "--%s is given too often: %d times at most.", option->name,
                       (int)DREAMD_REPEATS_MAX);
    else if (out->values[place] && !option->is_repeatable)
        (void)snprintf(error, ERROR_SIZE, "--%s is given twice.", option->name);
    else if (option->value && optarg[0] == '\0')
        (void)snprintf(error, ERROR_SIZE, "--%s needs a value (%s).", option->name, option->value);
    else
        is_good = true;
    out->values[place] = option->value ? optarg : "";
    if (is_good && option->is_repeatable) {
        out->repeats[out->repeat_count].place = place;
        out->repeats[out->repeat_count++].value = optarg;
    }
    return is_good;
}

static bool take_operand(const dreamd_command *command, int argc, char **argv, dreamd_arguments *out,
                         char error[ERROR_SIZE])
{
    int given = argc - optind;
    if (command->operand && given == 0) {
        (void)snprintf(error, ERROR_SIZE, "%s needs a %s.", command->name, command->operand);
        return false;
    }
    if (given > (command->operand ? 1 : 0)) {
        (void)snprintf(error, ERROR_SIZE, "%s does not know what to do with \"%.*s\".", command->name, SHOWN,
                       argv[optind + (command->operand ? 1 : 0)]);
        return false;
    }
    out->operand = command->operand ? argv[optind] : NULL;
    return true;
}

dreamd_arguments_status dreamd_arguments_read(const dreamd_command *command, int argc, char **argv,
                                              dreamd_arguments *out, char error[ERROR_SIZE])
{
    struct option options[DREAMD_OPTIONS_MAX + 2];
    int code;
    memset(out, 0, sizeof *out);
    error[0] = '\0';
    fill_long_options(command, options);
    opterr = 0;
    optind = 0; /* glibc: forget what an earlier call left */
    while ((code = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (code == 'h')
            return DREAMD_ARGUMENTS_HELP;
        if (code == '?' || code == ':') {
            say_bad_option(command, code, argv[optind - 1], error);
            return DREAMD_ARGUMENTS_BAD;
        }
        if (!take_option(command, code - FIRST_CODE, argv, out, error))
            return DREAMD_ARGUMENTS_BAD;
    }
    return take_operand(command, argc, argv, out, error) ? DREAMD_ARGUMENTS_OK : DREAMD_ARGUMENTS_BAD;
}

void dreamd_command_print_help(const dreamd_command *command, FILE *out)
{
    (void)fprintf(out, "Usage: dreamapid %s [options]%s%s\n\n%s\n\nOptions:\n", command->name,
                  command->operand ? " " : "", command->operand ? command->operand : "", command->summary);
    for (const dreamd_option *option = command->options; option->name; option++) {
        char left[64];
        (void)snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "",
                       option->value ? option->value : "");
        (void)fprintf(out, "  %-26s %s\n", left, option->help);
    }
    (void)fprintf(out, "  %-26s %s\n", "--help", "this text");
    if (command->notes)
        (void)fprintf(out, "\n%s", command->notes);
}

static void say(const char *format, va_list values) __attribute__((format(printf, 1, 0)));

static void say(const char *format, va_list values)
{
    /* One write: lines of several threads and processes must not mix. */
    char text[1024];
    (void)vsnprintf(text, sizeof text, format, values);
    (void)fprintf(stderr, "dreamapid: %s\n", text);
}

int dreamd_failed(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say(format, values);
    va_end(values);
    return DREAMD_EXIT_FAILED;
}

int dreamd_misused(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say(format, values);
    va_end(values);
    return DREAMD_EXIT_USAGE;
}

bool dreamd_print_line(const char *line)
{
    if (printf("%s\n", line) >= 0 && fflush(stdout) == 0)
        return true;
    (void)dreamd_failed("Cannot write to standard output: %s.", strerror(errno));
    return false;
}

void dreamd_command_actor(char out[DREAMD_ACTOR_SIZE])
{
    const struct passwd *account = getpwuid(getuid());
    if (account)
        (void)snprintf(out, DREAMD_ACTOR_SIZE, "operator:%.60s", account->pw_name);
    else
        (void)snprintf(out, DREAMD_ACTOR_SIZE, "operator:%lu", (unsigned long)getuid());
}
