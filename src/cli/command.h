/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - what a command of dreamapi is: a row of data with one function. Each group of commands has a file of its own, which
 * defines its rows; main.c holds the table. The help and the reading of options come from the row. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit statuses; docs/cli.md explains them. Never renumbered: scripts branch on them. */
enum {
    CLI_EXIT_OK = 0,
    CLI_EXIT_FAILED = 1,
    CLI_EXIT_USAGE = 2,       /* the command line, or a value in it */
    CLI_EXIT_REFUSED = 3,     /* by the plan's limit or the rate; also the answer no */
    CLI_EXIT_NOT_FOUND = 4,   /* no such customer, tier, ... */
    CLI_EXIT_AUTH = 5,        /* key, token or signature */
    CLI_EXIT_UNAVAILABLE = 6, /* the service does not answer (in time): again later */
    CLI_EXIT_UNKNOWN = 7      /* may have been done or not */
};

/* What commands have in common; each bit brings options with it. */
enum {
    CLI_TAKES_OUTPUT = 1 << 0, /* --json, --tsv */
    CLI_TAKES_CALL = 1 << 1,   /* which service, with which key */
    CLI_TAKES_KEY = 1 << 2,    /* --idempotency-key */
    CLI_TAKES_TOKEN = 1 << 3   /* the end user's */
};

enum { CLI_GIVEN_MAX = 64 };

typedef struct cli_option {
    const char *name;  /* without the dashes */
    const char *value; /* what its value is called in the help; NULL: a flag */
    const char *help;
    bool is_repeatable;
} cli_option;

typedef struct cli_command cli_command;

typedef struct cli_arguments {
    const cli_command *command;
    const char *operand; /* NULL: not given */
    struct {
        const char *name;
        const char *value;  /* "" of a flag */
    } given[CLI_GIVEN_MAX]; /* options in their order */
    size_t given_count;
} cli_arguments;

struct cli_command {
    const char *name;          /* "customers get" */
    const char *summary;       /* one line */
    const char *operand;       /* what its operand is called; "[FILE]": may be left out; NULL: takes none */
    const cli_option *options; /* its own; ends with a row without a name; NULL: none */
    unsigned takes;
    const char *notes; /* the end of its help: remarks, examples; lines end with \n */
    int (*run)(const cli_arguments *arguments);
};

typedef enum cli_reading {
    CLI_READING_OK,
    CLI_READING_HELP,
    CLI_READING_BAD /* `error` has the sentence */
} cli_reading;

/* `words` are those behind the command's name. What `out` holds is borrowed from them. */
cli_reading cli_arguments_read(const cli_command *command, int count, char **words, cli_arguments *out,
                               char error[256]);
/* The option's value, "" of a flag; NULL: not given. */
const char *cli_value(const cli_arguments *arguments, const char *name);
bool cli_has(const cli_arguments *arguments, const char *name);
/* "1.5" as milliseconds: seconds with up to three decimals. False, with the reason said, if it is none or out of range. */
bool cli_read_seconds(const cli_arguments *arguments, const char *name, long long *io_ms);
/* A whole number from `least` on; leaves `*io_value` alone where the option is not given. */
bool cli_read_number(const cli_arguments *arguments, const char *name, long long least, long long *io_value);
void cli_command_print_help(const cli_command *command, FILE *out);

#endif
