/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - what a command of dreamapid is: a row of data with one function.
 * Each command has a file of its own, which defines its row; main.c holds the table. Help text and the reading of options
 * come from the row, so that no command can answer differently from another. One thread: the main one. */
#ifndef DREAMAPID_COMMAND_H
#define DREAMAPID_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit statuses: a script may tell a mistake in its own call from a failure. */
enum { DREAMD_EXIT_OK = 0, DREAMD_EXIT_FAILED = 1, DREAMD_EXIT_USAGE = 2 };

enum { DREAMD_OPTIONS_MAX = 16, DREAMD_REPEATS_MAX = 16 };

typedef struct dreamd_option {
    const char *name;  /* long name, without the dashes */
    const char *value; /* what its value is called in the help; NULL: a flag */
    const char *help;
    bool is_repeatable; /* may be given several times */
} dreamd_option;

typedef struct dreamd_arguments {
    const char
        *values[DREAMD_OPTIONS_MAX]; /* by place in the command's table; NULL: not given; "" for a flag that is */
    const char *operand;             /* NULL when the command takes none */
    struct {
        int place;
        const char *value;
    } repeats[DREAMD_REPEATS_MAX]; /* each value of repeatable options, in the order given */
    size_t repeat_count;
} dreamd_arguments;

typedef struct dreamd_command {
    const char *name;             /* "serve", "tenant create" */
    const char *summary;          /* one line */
    const char *operand;          /* what its one operand is called; NULL: none */
    const dreamd_option *options; /* ends with a row without a name; at most DREAMD_OPTIONS_MAX before it */
    const char *notes;            /* the rest of its help; lines end with \n; may be NULL */
    int (*run)(const dreamd_arguments *arguments); /* gives the exit status */
} dreamd_command;

extern const dreamd_command dreamd_command_serve;
extern const dreamd_command dreamd_command_migrate;
extern const dreamd_command dreamd_command_check;
extern const dreamd_command dreamd_command_restore;
extern const dreamd_command dreamd_command_lease_list;
extern const dreamd_command dreamd_command_lease_write_off;
extern const dreamd_command dreamd_command_master_key_rotate;
extern const dreamd_command dreamd_command_tenant_create;
extern const dreamd_command dreamd_command_fixture_load;
extern const dreamd_command dreamd_command_key_create;
extern const dreamd_command dreamd_command_key_list;
extern const dreamd_command dreamd_command_key_rotate;
extern const dreamd_command dreamd_command_key_revoke;
extern const dreamd_command dreamd_command_audit_list;

typedef enum dreamd_arguments_status {
    DREAMD_ARGUMENTS_OK,
    DREAMD_ARGUMENTS_HELP, /* --help was among them */
    DREAMD_ARGUMENTS_BAD   /* `error` has the sentence */
} dreamd_arguments_status;

/* `argv[0]` is skipped. What `out` holds is borrowed from `argv`, whose order may change. */
dreamd_arguments_status dreamd_arguments_read(const dreamd_command *command, int argc, char **argv,
                                              dreamd_arguments *out, char error[256]);
void dreamd_command_print_help(const dreamd_command *command, FILE *out);

/* One line on stderr that begins with "dreamapid: ". Their results are for `return`. */
int dreamd_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
int dreamd_misused(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Who runs this command, as audit entries name them: "operator:" and the account's name. */
enum { DREAMD_ACTOR_SIZE = 80 };
void dreamd_command_actor(char out[DREAMD_ACTOR_SIZE]);
/* Prints the line on stdout and makes sure that it got there; false, with the reason said, if not. */
bool dreamd_print_line(const char *line);

#endif
