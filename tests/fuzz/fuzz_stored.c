/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_stored.c - what a broken or older program may have left in the database, one field a line: a tier's features, meters, display
 * name, description and image, a customer's email, name and plan. One bad row never takes a page down: every page answers 200. */
#include "served.h"

enum { COLUMNS = 8 };

/* Each at one address, as a connection keeps statements by that. A value that the schema refuses stays out. */
static const char *const updates[COLUMNS] = {
    "UPDATE tiers SET features_json = $1 WHERE name IN ('free', 'shirt')",
    "UPDATE tiers SET meters_json = $1 WHERE name IN ('free', 'shirt')",
    "UPDATE tiers SET display_name = $1 WHERE name IN ('free', 'shirt')",
    "UPDATE tiers SET description = $1 WHERE name IN ('free', 'shirt')",
    "UPDATE tiers SET image_url = $1 WHERE name IN ('free', 'shirt')",
    "UPDATE customers SET email = $1 WHERE user_id = 'user_1'",
    "UPDATE customers SET first_name = $1 WHERE user_id = 'user_1'",
    "UPDATE customers SET plan = $1 WHERE user_id = 'user_1'",
};

static dreamd_db_status write_rows(dreamd_db *db, void *arg)
{
    char *const *values = arg;

    for (size_t i = 0; i < COLUMNS; i++) {
        if (values[i] != NULL)
            (void)dreamd_db_run(db, updates[i], DREAMD_PARAMS(dreamd_text(values[i])), NULL);
    }
    return DREAMD_DB_OK;
}

static void check_pages(void)
{
    static const char track[] = "{\"userId\":\"user_1\"}";
    static const char acquire[] =
        "{\"holder\":\"00000000-0000-4000-8000-000000000001\",\"acquire\":[{\"requestId\":\"r\",\"userId\":"
        "\"user_1\",\"meter\":\"tokens\",\"want\":1}]}";
    static const served_request pages[] = {
        { "GET", "/api/tiers", NULL, "", 0 },
        { "GET", "/api/products", NULL, "", 0 },
        { "GET", "/api/customers", NULL, "", 0 },
        { "GET", "/api/customers?email=a", NULL, "", 0 },
        { "GET", "/api/dashboard", NULL, "", 0 },
        { "GET", "/api/dashboard/totals", NULL, "", 0 },
        { "POST", "/api/leases", NULL, acquire, sizeof(acquire) - 1 },
    };
    served_answer answer;

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        served_ask(&pages[i], &answer);
        if (answer.status != 200)
            (void)fprintf(stderr, "%s: %s\n", pages[i].target, answer.bytes.data);
        FUZZ_CHECK(answer.status == 200);
        served_answer_clear(&answer);
    }
    /* A plan that is none may refuse. */
    served_ask(&(served_request){ "POST", "/api/data", NULL, track, sizeof(track) - 1 }, &answer);
    FUZZ_CHECK(answer.status != 0 && answer.status < 500);
    served_answer_clear(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char *rest = text;
    char *values[COLUMNS] = { NULL };

    /* No JSON that was taken brings bytes that are no UTF-8, and PostgreSQL keeps none. */
    for (size_t i = 0; i < size; i++)
        text[i] &= 0x7f;
    served_begin();
    for (size_t i = 0; i < COLUMNS && rest != NULL; i++)
        values[i] = fuzz_line(&rest);
    FUZZ_CHECK(dreamd_store_write_now(stage_store, write_rows, values) == DREAMD_DB_OK);
    check_pages();
    free(text);
    return 0;
}
