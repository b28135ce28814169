/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - finds the command that the words on the command line name, and runs it. Names are one word ("health") or two ("customers
 * get"), whose first is a group with a help of its own. Everything a command does is in its group's file. */
#include <dreamapi.h>
#include <string.h>

#include "commands.h"
#include "terminal.h"

static const cli_command *const groups[] = {
    cli_health_commands,  cli_customer_commands, cli_usage_commands,     cli_tier_commands,
    cli_product_commands, cli_payment_commands,  cli_dashboard_commands, cli_asset_commands,
    cli_token_commands,   cli_webhook_commands,  cli_journal_commands,
};
enum { GROUPS = sizeof groups / sizeof groups[0], SHOWN = 60 };

/* Does `name` begin with the word? `*out_rest` then points behind it and its blank. */
static bool is_named(const char *name, const char *word, const char **out_rest)
{
    size_t size = strlen(word);

    if (size == 0 || strncmp(name, word, size) != 0 || (name[size] != '\0' && name[size] != ' '))
        return false;
    *out_rest = name + size + (name[size] == ' ');
    return true;
}

/* The command of these words; `*out_used` of them are its name. NULL: none; `*out_is_group` if the first names one. */
static const cli_command *find_command(int count, char **words, int *out_used, bool *out_is_group)
{
    *out_is_group = false;
    for (size_t i = 0; i < GROUPS; i++) {
        for (const cli_command *command = groups[i]; command->name; command++) {
            const char *rest;
            if (!is_named(command->name, words[0], &rest))
                continue;
            *out_used = *rest != '\0' ? 2 : 1;
            if (*rest == '\0' || (count > 1 && strcmp(rest, words[1]) == 0))
                return command;
            *out_is_group = true;
        }
    }
    return NULL;
}

/* Of all groups, or of one. */
static int print_help(const char *group, FILE *out)
{
    const char *space = group ? " " : "";
    const char *name = group ? group : "";

    (void)fprintf(out, "Usage: dreamapi %s%s<command> [options]\n\nCommands:\n", name, space);
    for (size_t i = 0; i < GROUPS; i++) {
        for (const cli_command *command = groups[i]; command->name; command++) {
            const char *rest;
            if (!group || is_named(command->name, group, &rest))
                (void)fprintf(out, "  %-18s %s\n", command->name, command->summary);
        }
    }
    (void)fprintf(out, "\n\"dreamapi %s%s<command> --help\" tells a command's options.\n", name, space);
    if (!group)
        (void)fputs("\"dreamapi --version\" prints the version.\n\n"
                    "Examples:\n"
                    "  export DREAMAPI_BASE_URL=https://api.example.com DREAMAPI_SECRET_KEY=sk_...\n"
                    "  dreamapi health\n"
                    "  dreamapi customers list --plan pro\n",
                    out);
    return CLI_EXIT_OK;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int run(const cli_command *command, int count, char **words)
{
    cli_arguments arguments;
    char error[256];

    switch (cli_arguments_read(command, count, words, &arguments, error)) {
    case CLI_READING_OK:
        return command->run(&arguments);
    case CLI_READING_HELP:
        cli_command_print_help(command, stdout);
        return CLI_EXIT_OK;
    case CLI_READING_BAD:
    default:
        return cli_misused("%s", error);
    }
}

static int run_words(int count, char **words)
{
    const cli_command *command;
    bool is_group = false;
    int used = 0;

    if (count == 0) {
        (void)print_help(NULL, stderr);
        return CLI_EXIT_USAGE;
    }
    if (is_help(words[0]))
        return print_help(NULL, stdout);
    if (strcmp(words[0], "--version") == 0) {
        (void)printf("dreamapi %s\n", dreamapi_version());
        return CLI_EXIT_OK;
    }
    command = find_command(count, words, &used, &is_group);
    if (command)
        return run(command, count - used, words + used);
    if (!is_group)
        return cli_misused("There is no command \"%.*s\"; \"dreamapi --help\" lists them.", SHOWN, words[0]);
    if (count > 1 && is_help(words[1]))
        return print_help(words[0], stdout);
    if (count > 1)
        return cli_misused("%s has no command \"%.*s\"; \"dreamapi %s --help\" lists them.", words[0], SHOWN, words[1],
                           words[0]);
    return cli_misused("%s needs a command; \"dreamapi %s --help\" lists them.", words[0], words[0]);
}

int main(int argc, char **argv)
{
    cli_terminal_begin();
    return cli_terminal_end(run_words(argc > 0 ? argc - 1 : 0, argv + 1));
}
