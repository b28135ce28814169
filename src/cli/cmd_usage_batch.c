/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_usage_batch.c - `dreamapi usage batch`: lines of a file to events, a thousand a call. The file may be of any length: a thousand
 * lines are in memory. Quoted fields are refused, not misread: ids and meters have no commas. */
#include "cmd_usage_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "terminal.h"
#include "text.h"

enum { MOST_LINE = 4096, FIELDS = 5 };
enum field { FIELD_ID, FIELD_USER, FIELD_METER, FIELD_UNITS, FIELD_AT };
static const char *const field_names[FIELDS] = { "id", "user_id", "meter", "units", "at" };

typedef struct batch {
    cli_session *session;
    FILE *file;
    const char *path;
    long long line; /* the last one that was read */
    char *text;     /* of it, getline's */
    size_t room;
    int fields[FIELDS]; /* what each column is */
    int columns;
    dreamapi_usage_event events[DREAMAPI_USAGE_BATCH_MAX];
    char *lines[DREAMAPI_USAGE_BATCH_MAX]; /* what the events borrow from */
    long long numbers[DREAMAPI_USAGE_BATCH_MAX];
    size_t count;
    cli_table *refused;
    long long applied, duplicate, limited, wrong;
} batch;

static int refuse_line(const batch *self, const char *why)
{
    int exit_status = cli_misused("%s, line %lld: %s.", self->path, self->line, why);

    if (self->applied + self->duplicate + self->limited + self->wrong > 0)
        cli_advise("Events before it were sent. Correct the file and run it again: none is counted twice.");
    return exit_status;
}

/* False at the end of the file; `*out_status` tells if that is one. */
static bool read_line(batch *self, int *out_status)
{
    ssize_t size;

    errno = 0;
    size = getline(&self->text, &self->room, self->file);
    *out_status = CLI_EXIT_OK;
    if (size < 0) {
        if (ferror(self->file))
            *out_status = cli_failed("Cannot read %s: %s.", self->path, strerror(errno));
        return false;
    }
    self->line++;
    if (size > MOST_LINE || strlen(self->text) != (size_t)size || strchr(self->text, '"')) {
        *out_status =
            refuse_line(self, size > MOST_LINE ? "it is too long" : "it has a quote or a NUL, which no field may have");
        return false;
    }
    self->text[strcspn(self->text, "\r\n")] = '\0';
    return true;
}

static int read_head(batch *self)
{
    bool has[FIELDS] = { false };
    int exit_status;

    if (!read_line(self, &exit_status))
        return exit_status != CLI_EXIT_OK ? exit_status : refuse_line(self, "the file is empty");
    for (char *rest = self->text, *name; (name = strsep(&rest, ",")) != NULL;) {
        int field = 0;
        while (field < FIELDS && strcmp(name, field_names[field]) != 0)
            field++;
        if (field == FIELDS || has[field])
            return refuse_line(self, "it names the columns: id, user_id, meter, units, at, each once at most");
        has[field] = true;
        self->fields[self->columns++] = field;
    }
    return has[FIELD_ID] && has[FIELD_USER] ? CLI_EXIT_OK : refuse_line(self, "there must be columns id and user_id");
}

static bool read_count(const char *text, int64_t *out)
{
    *out = 0;
    for (; *text >= '0' && *text <= '9' && *out < INT64_MAX / 100; text++)
        *out = *out * 10 + (*text - '0');
    return *text == '\0';
}

static int add_event(batch *self)
{
    dreamapi_usage_event *event = &self->events[self->count];
    char *rest = strdup(self->text);
    int column = 0;

    memset(event, 0, sizeof *event);
    self->lines[self->count] = rest;
    self->numbers[self->count] = self->line;
    if (!rest)
        return cli_failed("Out of memory.");
    self->count++;
    for (char *value; (value = strsep(&rest, ",")) != NULL; column++) {
        bool is_good = true;
        if (column == self->columns)
            return refuse_line(self, "it has more fields than there are columns");
        switch ((enum field)self->fields[column]) {
        case FIELD_ID:
            event->id = value;
            break;
        case FIELD_USER:
            event->user_id = value;
            break;
        case FIELD_METER:
            event->meter = value[0] != '\0' ? value : NULL;
            break;
        case FIELD_UNITS:
            is_good = read_count(value, &event->units) && (event->units > 0 || value[0] == '\0');
            break;
        case FIELD_AT:
            is_good = read_count(value, &event->at_ms);
            break;
        }
        if (!is_good)
            return refuse_line(self, "units are whole numbers from 1 on, and at is milliseconds since 1970");
    }
    if (!event->id || event->id[0] == '\0' || !event->user_id || event->user_id[0] == '\0')
        return refuse_line(self, "id or user_id is missing");
    return CLI_EXIT_OK;
}

static void forget_events(batch *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->lines[i]);
    self->count = 0;
}

static void count_outcome(batch *self, size_t index, const dreamapi_usage_outcome *outcome)
{
    const char *status = dreamapi_usage_outcome_status(outcome);
    char number[CLI_NUMBER_SIZE];

    if (strcmp(status, "applied") == 0) {
        self->applied++;
        return;
    }
    if (strcmp(status, "duplicate") == 0) {
        self->duplicate++;
        return;
    }
    if (strcmp(status, "limit") == 0)
        self->limited++;
    else
        self->wrong++;
    if (self->session->is_json)
        return;
    cli_table_text(self->refused, cli_units(self->numbers[index], number));
    cli_table_text(self->refused, self->events[index].id);
    cli_table_text(self->refused, self->events[index].user_id);
    cli_table_text(self->refused, status);
    cli_table_text(self->refused, dreamapi_usage_outcome_error(outcome));
}

static int send_events(batch *self)
{
    dreamapi_usage_outcomes *outcomes = NULL;
    dreamapi_call *call = NULL;
    dreamapi_error error;
    dreamapi_status status;
    int exit_status;

    if (self->count == 0)
        return CLI_EXIT_OK;
    status = dreamapi_usage_batch_start(self->session->client, self->events, self->count, &self->session->options,
                                        &call, &error);
    exit_status = cli_session_wait(call, status, &error);
    if (exit_status == CLI_EXIT_OK) {
        (void)dreamapi_usage_outcomes_result(call, &outcomes, NULL);
        for (size_t i = 0; i < dreamapi_usage_outcomes_count(outcomes); i++)
            count_outcome(self, i, dreamapi_usage_outcomes_at(outcomes, i));
        if (self->session->is_json)
            cli_session_print_json(dreamapi_call_json(call));
        else if (self->limited + self->wrong > 0)
            cli_table_flush(self->refused);
        cli_progress_say("Sent up to line %lld", self->line);
    } else {
        cli_advise("Lines from %lld on are open. Run the file again: no event is counted twice.", self->numbers[0]);
    }
    dreamapi_usage_outcomes_free(outcomes);
    dreamapi_call_free(call);
    forget_events(self);
    return exit_status;
}

static int send_file(batch *self)
{
    int exit_status = read_head(self);
    int trouble;

    while (exit_status == CLI_EXIT_OK && read_line(self, &exit_status)) {
        if (self->text[0] != '\0')
            exit_status = add_event(self);
        if (exit_status == CLI_EXIT_OK && self->count == DREAMAPI_USAGE_BATCH_MAX)
            exit_status = send_events(self);
    }
    trouble = exit_status == CLI_EXIT_OK ? send_events(self) : exit_status;
    cli_progress_end();
    if (trouble != CLI_EXIT_OK)
        return trouble;
    if (!self->session->is_json)
        (void)printf("%lld counted, %lld counted before, %lld over their limit, %lld wrong\n", self->applied,
                     self->duplicate, self->limited, self->wrong);
    return self->wrong > 0 ? CLI_EXIT_FAILED : self->limited > 0 ? CLI_EXIT_REFUSED : CLI_EXIT_OK;
}

static int run_with(batch *self, const cli_arguments *arguments)
{
    static const cli_column columns[] = {
        { "LINE", true }, { "ID", false }, { "USER", false }, { "STATUS", false }, { "ERROR", false },
    };
    bool is_input = strcmp(arguments->operand, "-") == 0;
    int exit_status;

    self->path = is_input ? "standard input" : arguments->operand;
    self->file = is_input ? stdin : fopen(arguments->operand, "re");
    if (!self->file)
        return cli_failed("Cannot read %s: %s.", self->path, strerror(errno));
    self->refused = cli_session_table(self->session, columns, sizeof columns / sizeof columns[0]);
    exit_status = send_file(self);
    cli_table_free(self->refused);
    forget_events(self);
    free(self->text);
    if (!is_input)
        (void)fclose(self->file);
    return exit_status;
}

int cli_usage_batch_run(const cli_arguments *arguments)
{
    cli_session session;
    batch *self = cli_allocate(sizeof *self);
    int exit_status = cli_session_open(&session, arguments, NULL);

    memset(self, 0, sizeof *self);
    self->session = &session;
    if (exit_status == CLI_EXIT_OK)
        exit_status = run_with(self, arguments);
    cli_session_close(&session);
    free(self);
    return exit_status;
}
