/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_assets.c - `dreamapi assets upload`. */
#include <string.h>
#include <strings.h>

#include "commands.h"
#include "file.h"
#include "session.h"
#include "terminal.h"

/* What pages show; anything else is named with --content-type, or left to the service. */
static const struct {
    const char *ending;
    const char *type;
} types[] = {
    { ".png", "image/png" },   { ".jpg", "image/jpeg" },    { ".jpeg", "image/jpeg" },     { ".gif", "image/gif" },
    { ".webp", "image/webp" }, { ".svg", "image/svg+xml" }, { ".pdf", "application/pdf" },
};

static const char *type_of(const char *name)
{
    const char *ending = strrchr(name, '.');

    for (size_t i = 0; ending && i < sizeof types / sizeof types[0]; i++) {
        if (strcasecmp(ending, types[i].ending) == 0)
            return types[i].type;
    }
    return NULL;
}

static int upload(cli_session *session, const dreamapi_asset_params *params)
{
    dreamapi_call *call = NULL;
    dreamapi_asset *asset = NULL;
    dreamapi_error error;
    dreamapi_status status = dreamapi_asset_upload_start(session->client, params, &session->options, &call, &error);
    int exit_status = cli_session_wait(call, status, &error);

    cli_progress_end();
    if (exit_status == CLI_EXIT_OK && session->is_json) {
        cli_session_print_json(dreamapi_call_json(call));
    } else if (exit_status == CLI_EXIT_OK) {
        cli_table *table = cli_session_fields(session);
        (void)dreamapi_asset_result(call, &asset, NULL);
        cli_table_field(table, "key", dreamapi_asset_key(asset));
        cli_table_field(table, "url", dreamapi_asset_url(asset));
        cli_table_free(table);
        dreamapi_asset_free(asset);
    }
    dreamapi_call_free(call);
    return exit_status;
}

static int run(const cli_arguments *arguments)
{
    dreamapi_asset_params params = DREAMAPI_ASSET_PARAMS_INIT;
    const char *slash = strrchr(arguments->operand, '/');
    cli_session session;
    char *data;
    int exit_status;

    params.filename = cli_value(arguments, "name");
    if (!params.filename && strcmp(arguments->operand, "-") == 0)
        return cli_misused("Standard input has no name: give one with --name.");
    if (!params.filename)
        params.filename = slash ? slash + 1 : arguments->operand;
    params.content_type = cli_value(arguments, "content-type");
    if (!params.content_type)
        params.content_type = type_of(params.filename);
    data = cli_file_read(arguments->operand, DREAMAPI_ASSET_MAX_SIZE, &params.size);
    if (!data)
        return CLI_EXIT_FAILED;
    params.data = data;
    exit_status = cli_session_open(&session, arguments, NULL);
    if (exit_status == CLI_EXIT_OK)
        exit_status = upload(&session, &params);
    cli_session_close(&session);
    cli_file_free(data);
    return exit_status;
}

static const cli_option options[] = {
    { "name", "NAME", "the file's name at the service (default: FILE's)", false },
    { "content-type", "TYPE", "as in image/png (default: by the name's ending)", false },
    { NULL, NULL, NULL, false },
};

const cli_command cli_asset_commands[] = {
    { "assets upload", "Uploads a file that everybody may read; prints its address", "FILE", options,
      CLI_TAKES_OUTPUT | CLI_TAKES_CALL | CLI_TAKES_KEY,
      "FILE may be \"-\". At most 10 MiB.\n\nExample:\n  dreamapi assets upload logo.png\n", run },
    { NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
