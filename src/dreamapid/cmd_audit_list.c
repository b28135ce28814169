/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_audit_list.c - `dreamapid audit list`: who changed what, and when. */
#include <errno.h>
#include <stdlib.h>

#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "dreamapid/key_command.h"
#include "service/store/audit.h"

enum { OPTION_DB, OPTION_PLATFORM, OPTION_LIMIT };
enum { DEFAULT_LIMIT = 1000 };

static const dreamd_option options[] = {
    { "db", "PATH", "the database (default: see below)" },
    { "platform", "ID", "only this platform's, plt_..." },
    { "limit", "N", "only the newest so many (default: 1000)" },
    { NULL, NULL, NULL },
};

struct list {
    dreamd_key_command command;
    const char *platform_id;
    int64_t limit;
};

static bool print_line(void *context, const char *json)
{
    (void)context;
    return dreamd_print_line(json);
}

static dreamd_db_status work(dreamd_db *db, void *arg)
{
    const struct list *self = arg;
    return dreamd_audit_list(db, self->platform_id, self->limit, print_line, NULL);
}

static int run(const dreamd_arguments *arguments)
{
    const char *const *values = arguments->values;
    const char *text = values[OPTION_LIMIT];
    char *end = NULL;
    struct list self = { { .db = values[OPTION_DB], .is_reading = true }, values[OPTION_PLATFORM], DEFAULT_LIMIT };
    errno = 0;
    if (text)
        self.limit = strtoll(text, &end, 10);
    if (text && (errno != 0 || *end != '\0' || end == text || self.limit < 1))
        return dreamd_misused("--limit wants a whole number from 1 on.");
    return dreamd_key_command_run(&self.command, work, &self);
}

const dreamd_command dreamd_command_audit_list = {
    "audit list",
    "Lists changes of keys, tiers and connections",
    NULL,
    options,
    "One line of JSON each, the oldest first: "
    "{\"at\",\"platformId\",\"actor\",\"action\",\"detail\"}.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
