/* SPDX-License-Identifier: Apache-2.0 */
/* asset.c - gives a file to the service, and prints the address where everybody can see it.
 *
 *   cc asset.c $(pkg-config --cflags --libs dreamapi) -o asset
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./asset mug.png image/png */
#include <dreamapi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads at most `max` bytes; more, or none, is an error. The memory is the caller's. */
static char *read_file(const char *path, size_t max, size_t *out_size)
{
    FILE *file = fopen(path, "rb");
    char *data = malloc(max + 1);
    *out_size = file && data ? fread(data, 1, max + 1, file) : 0;
    if (file && ferror(file))
        *out_size = 0;
    if (file)
        fclose(file);
    if (*out_size == 0 || *out_size > max) {
        free(data);
        return NULL;
    }
    return data;
}

int main(int argc, char **argv)
{
    dreamapi_client *client = NULL;
    dreamapi_asset *asset = NULL;
    dreamapi_error error;
    dreamapi_status status;
    size_t size;
    if (argc != 3) {
        fprintf(stderr, "usage: %s FILE CONTENT_TYPE   (with DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY set)\n",
                argv[0]);
        return 2;
    }
    char *data = read_file(argv[1], DREAMAPI_ASSET_MAX_SIZE, &size);
    if (!data) {
        fprintf(stderr, "%s cannot be read, is empty or too large\n", argv[1]);
        return EXIT_FAILURE;
    }
    status = dreamapi_client_new(NULL, &client, &error);
    if (status != DREAMAPI_OK)
        goto done;

    const char *slash = strrchr(argv[1], '/');
    dreamapi_asset_params params = DREAMAPI_ASSET_PARAMS_INIT;
    params.filename = slash ? slash + 1 : argv[1];
    params.content_type = argv[2];
    params.data = data;
    params.size = size;
    /* A large file takes its time: the deadline covers sending it, too. */
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    options.timeout_ms = 120000;
    status = dreamapi_asset_upload(client, &params, &options, &asset, &error);
    if (status == DREAMAPI_OK)
        printf("stored as %s: %s\n", dreamapi_asset_key(asset), dreamapi_asset_url(asset));

done:
    if (status != DREAMAPI_OK)
        fprintf(stderr, "%s: %s\n", dreamapi_status_name(status), error.message);
    dreamapi_asset_free(asset);
    dreamapi_client_free(client);
    free(data);
    return status == DREAMAPI_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
