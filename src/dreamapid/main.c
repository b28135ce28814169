/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - finds the command that the words on the command line name, and runs it.
 * Names may be two words ("tenant create"); their first words are groups with a help of their own. Everything a command
 * does is in its own file. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "dreamapid/command.h"

#ifndef DREAMAPID_VERSION
#error "the build file gives the version"
#endif

static const dreamd_command *const commands[] = {
    &dreamd_command_serve,
    &dreamd_command_migrate,
    &dreamd_command_check,
    &dreamd_command_restore,
    &dreamd_command_lease_list,
    &dreamd_command_lease_write_off,
    &dreamd_command_tenant_create,
    &dreamd_command_key_create,
    &dreamd_command_key_list,
    &dreamd_command_key_rotate,
    &dreamd_command_key_revoke,
    &dreamd_command_audit_list,
    &dreamd_command_master_key_rotate,
    &dreamd_command_fixture_load,
};
enum { COMMANDS = sizeof commands / sizeof commands[0], SHOWN = 60 };

/* Does `name` begin with the word? `*out_rest` then points behind it and its blank. */
static bool begins_with_word(const char *name, const char *word, const char **out_rest)
{
    size_t size = strlen(word);
    if (size == 0 || strncmp(name, word, size) != 0 || (name[size] != '\0' && name[size] != ' '))
        return false;
    *out_rest = name + size + (name[size] == ' ');
    return true;
}

static void print_list(const char *group, FILE *out)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *rest;
        if (!group || begins_with_word(commands[i]->name, group, &rest))
            (void)fprintf(out, "  %-18s %s\n", commands[i]->name, commands[i]->summary);
    }
}

static void print_help(const char *group, FILE *out)
{
    (void)fprintf(out, "Usage: dreamapid %s%s<command> [options]\n\nCommands:\n", group ? group : "", group ? " " : "");
    print_list(group, out);
    (void)fprintf(out, "\n\"dreamapid %s%s<command> --help\" tells a command's options.%s\n", group ? group : "",
                  group ? " " : "", group ? "" : " \"dreamapid --version\" prints the version.");
}

static int finish_text(void)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? DREAMD_EXIT_OK : dreamd_failed("Cannot write to standard output.");
}

static int run(const dreamd_command *command, int argc, char **argv)
{
    dreamd_arguments arguments;
    char error[256];
    switch (dreamd_arguments_read(command, argc, argv, &arguments, error)) {
    case DREAMD_ARGUMENTS_OK:
        return command->run(&arguments);
    case DREAMD_ARGUMENTS_HELP:
        dreamd_command_print_help(command, stdout);
        return finish_text();
    case DREAMD_ARGUMENTS_BAD:
    default:
        return dreamd_misused("%s", error);
    }
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* The words after a group's name: "create ...", "--help". */
static int run_in_group(const char *group, int argc, char **argv)
{
    const char *second = argc > 2 ? argv[2] : NULL;
    if (second && is_help(second)) {
        print_help(group, stdout);
        return finish_text();
    }
    for (size_t i = 0; second && i < COMMANDS; i++) {
        const char *rest;
        if (begins_with_word(commands[i]->name, group, &rest) && strcmp(rest, second) == 0)
            return run(commands[i], argc - 2, argv + 2);
    }
    if (second)
        return dreamd_misused("%s has no command \"%.*s\"; \"dreamapid %s --help\" lists them.", group, SHOWN, second,
                              group);
    return dreamd_misused("%s needs a command; \"dreamapid %s --help\" lists them.", group, group);
}

/* A core file would hold every secret this process has. 1 byte, not 0: a kernel that pipes cores into a program takes 0 for that
 * program's to judge, and 1 for none (core(5)). The hard limit stays, for who must debug (prlimit), also
 * one of 0, under which nothing can be set. */
static void forbid_core(void)
{
    struct rlimit core;
    if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur == 1 || core.rlim_max < 1)
        return;
    core.rlim_cur = 1;
    (void)setrlimit(RLIMIT_CORE, &core);
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : NULL;
    forbid_core();
    if (!first) {
        print_help(NULL, stderr);
        return DREAMD_EXIT_USAGE;
    }
    if (is_help(first)) {
        print_help(NULL, stdout);
        return finish_text();
    }
    if (strcmp(first, "--version") == 0) {
        (void)printf("dreamapid %s\n", DREAMAPID_VERSION);
        return finish_text();
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *rest;
        if (begins_with_word(commands[i]->name, first, &rest))
            return *rest ? run_in_group(first, argc, argv) : run(commands[i], argc - 1, argv + 1);
    }
    return dreamd_misused(first[0] == '-' ? "There is no option %.*s; \"dreamapid --help\" lists the commands."
                                          : "There is no command \"%.*s\"; \"dreamapid --help\" lists them.",
                          SHOWN, first);
}
