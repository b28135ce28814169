/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - reads a command's options from its row and those that rows have in common, and prints its help from the same.
 * Options are written in full: a script that relies on a beginning would break when an option is added. */
#include "command.h"

#include <assert.h>
#include <string.h>

#include "terminal.h"

enum { ERROR_SIZE = 256, SHOWN = 60 };

static const cli_option output_options[] = {
    { "json", NULL, "the service's own JSON, an answer a line", false },
    { "tsv", NULL, "columns separated by tabs", false },
    { NULL, NULL, NULL, false },
};
static const cli_option call_options[] = {
    { "base-url", "URL", "the service (default: DREAMAPI_BASE_URL)", false },
    { "secret-key-file", "FILE", "where the secret key is (default: DREAMAPI_SECRET_KEY)", false },
    { "publishable-key", "KEY", "the project's (default: DREAMAPI_PUBLISHABLE_KEY)", false },
    { "timeout", "SECONDS", "for all of it, tries and retries", false },
    { "ca-file", "FILE", "whom to trust instead of the system's authorities (PEM)", false },
    { NULL, NULL, NULL, false },
};
static const cli_option key_options[] = {
    { "idempotency-key", "KEY", "to be able to repeat the call (default: a new one)", false },
    { NULL, NULL, NULL, false },
};
static const cli_option token_options[] = {
    { "user-token-file", "FILE", "the end user's token, instead of an id (default: DREAMAPI_USER_TOKEN)", false },
    { NULL, NULL, NULL, false },
};
static const cli_option help_options[] = {
    { "help", NULL, "this text", false },
    { NULL, NULL, NULL, false },
};

enum { TABLES = 6 };

/* The tables that a command's options are in, its own first; NULL where it has none. */
static void list_tables(const cli_command *command, const cli_option *out[TABLES])
{
    out[0] = command->options;
    out[1] = command->takes & CLI_TAKES_TOKEN ? token_options : NULL;
    out[2] = command->takes & CLI_TAKES_KEY ? key_options : NULL;
    out[3] = command->takes & CLI_TAKES_OUTPUT ? output_options : NULL;
    out[4] = command->takes & CLI_TAKES_CALL ? call_options : NULL;
    out[5] = help_options;
}

static const cli_option *find_option(const cli_command *command, const char *name, size_t size)
{
    const cli_option *tables[TABLES];

    list_tables(command, tables);
    for (size_t i = 0; i < TABLES; i++) {
        for (const cli_option *option = tables[i]; option && option->name; option++) {
            if (strlen(option->name) == size && memcmp(option->name, name, size) == 0)
                return option;
        }
    }
    return NULL;
}

static const char *value_of(const cli_arguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].name, name) == 0)
            return arguments->given[i].value;
    }
    return NULL;
}

const char *cli_value(const cli_arguments *arguments, const char *name)
{
    assert(find_option(arguments->command, name, strlen(name)));
    return value_of(arguments, name);
}

bool cli_has(const cli_arguments *arguments, const char *name)
{
    return cli_value(arguments, name) != NULL;
}

static bool take_option(cli_arguments *out, const cli_option *option, const char *value, char error[ERROR_SIZE])
{
    error[0] = '\0';
    if (option->value && (!value || value[0] == '\0'))
        (void)snprintf(error, ERROR_SIZE, "--%s needs a value (%s).", option->name, option->value);
    else if (!option->value && value)
        (void)snprintf(error, ERROR_SIZE, "--%s takes no value.", option->name);
    else if (!option->is_repeatable && value_of(out, option->name))
        (void)snprintf(error, ERROR_SIZE, "--%s is given twice.", option->name);
    else if (out->given_count == CLI_GIVEN_MAX)
        (void)snprintf(error, ERROR_SIZE, "There are too many options: %d at most.", (int)CLI_GIVEN_MAX);
    if (error[0] != '\0')
        return false;
    out->given[out->given_count].name = option->name;
    out->given[out->given_count++].value = option->value ? value : "";
    return true;
}

static bool take_operand(cli_arguments *out, const char *word, char error[ERROR_SIZE])
{
    if (!out->command->operand || out->operand) {
        (void)snprintf(error, ERROR_SIZE, "%s does not know what to do with \"%.*s\".", out->command->name, SHOWN,
                       word);
        return false;
    }
    if (word[0] == '\0') {
        (void)snprintf(error, ERROR_SIZE, "%s: %s is empty.", out->command->name, out->command->operand);
        return false;
    }
    out->operand = word;
    return true;
}

/* `words[*io_at]` begins with a dash. */
static cli_reading take_word(cli_arguments *out, int count, char **words, int *io_at, char error[ERROR_SIZE])
{
    const char *word = words[*io_at];
    const char *end = strchr(word, '=');
    size_t size = end ? (size_t)(end - word) : strlen(word);
    const cli_option *option = strncmp(word, "--", 2) == 0 ? find_option(out->command, word + 2, size - 2) : NULL;
    const char *value = end ? end + 1 : NULL;

    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return CLI_READING_HELP;
    if (!option) {
        (void)snprintf(error, ERROR_SIZE, "%s has no option %.*s; \"dreamapi %s --help\" lists them.",
                       out->command->name, size < SHOWN ? (int)size : SHOWN, word, out->command->name);
        return CLI_READING_BAD;
    }
    if (option->value && !value && *io_at + 1 < count)
        value = words[++*io_at];
    return take_option(out, option, value, error) ? CLI_READING_OK : CLI_READING_BAD;
}

cli_reading cli_arguments_read(const cli_command *command, int count, char **words, cli_arguments *out,
                               char error[ERROR_SIZE])
{
    bool has_ended = false; /* after "--" all words are operands */

    memset(out, 0, sizeof *out);
    out->command = command;
    error[0] = '\0';
    for (int i = 0; i < count; i++) {
        cli_reading reading = CLI_READING_OK;
        /* "-" is a file: standard input. */
        bool is_option = !has_ended && words[i][0] == '-' && words[i][1] != '\0';
        if (is_option && strcmp(words[i], "--") == 0)
            has_ended = true;
        else if (is_option)
            reading = take_word(out, count, words, &i, error);
        else if (!take_operand(out, words[i], error))
            reading = CLI_READING_BAD;
        if (reading != CLI_READING_OK)
            return reading;
    }
    if (command->operand && command->operand[0] != '[' && !out->operand) {
        (void)snprintf(error, ERROR_SIZE, "%s needs a %s.", command->name, command->operand);
        return CLI_READING_BAD;
    }
    return CLI_READING_OK;
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

/* Digits from `*io_at` on; false if there are none, or so many that they do not fit. */
static bool read_digits(const char **io_at, long long *out)
{
    const char *at = *io_at;

    *out = 0;
    for (; is_digit(*at) && at - *io_at < 18; at++)
        *out = *out * 10 + (*at - '0');
    if (at == *io_at || is_digit(*at))
        return false;
    *io_at = at;
    return true;
}

bool cli_read_number(const cli_arguments *arguments, const char *name, long long least, long long *io_value)
{
    const char *text = cli_value(arguments, name);
    long long value = 0;

    if (!text)
        return true;
    if (!read_digits(&text, &value) || *text != '\0' || value < least) {
        (void)cli_misused("--%s wants a whole number from %lld on.", name, least);
        return false;
    }
    *io_value = value;
    return true;
}

bool cli_read_seconds(const cli_arguments *arguments, const char *name, long long *io_ms)
{
    enum { MOST_S = 86400 };
    const char *text = cli_value(arguments, name);
    long long seconds = 0;
    long long ms = 0;
    bool is_good;

    if (!text)
        return true;
    is_good = read_digits(&text, &seconds) && seconds <= MOST_S;
    if (is_good && *text == '.') {
        int step = 100;
        is_good = is_digit(text[1]);
        for (text++; is_digit(*text) && step > 0; text++, step /= 10)
            ms += (*text - '0') * step;
    }
    ms += seconds * 1000;
    if (!is_good || *text != '\0' || ms < 1 || ms > MOST_S * 1000LL) {
        (void)cli_misused("--%s wants seconds, such as 10 or 0.5, up to %d.", name, (int)MOST_S);
        return false;
    }
    *io_ms = ms;
    return true;
}

void cli_command_print_help(const cli_command *command, FILE *out)
{
    const cli_option *tables[TABLES];

    (void)fprintf(out, "Usage: dreamapi %s [options]%s%s\n\n%s.\n\nOptions:\n", command->name,
                  command->operand ? " " : "", command->operand ? command->operand : "", command->summary);
    list_tables(command, tables);
    for (size_t i = 0; i < TABLES; i++) {
        for (const cli_option *option = tables[i]; option && option->name; option++) {
            char left[64];
            (void)snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "",
                           option->value ? option->value : "");
            (void)fprintf(out, "  %-26s %s\n", left, option->help);
        }
    }
    if (command->notes)
        (void)fprintf(out, "\n%s", command->notes);
}
