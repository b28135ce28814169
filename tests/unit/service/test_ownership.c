/* SPDX-License-Identifier: Apache-2.0 */
/* test_ownership.c - which publishable keys name a project: all it ever had, and nobody else's. */
#include "service/api/ownership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/store/keys.h"
#include "service/store/tenants.h"
#include "stage.h"

#define KEY(digit) "pk_live_0000000000000000000000000000000" digit
#define SECRET(digit) "sk_live_000000000000000000000000000000000000000000000000000000000000000" digit

static dreamd_db_status put_key(dreamd_db *db, const char *platform_id, const char *project_id, const char *key,
                                const char *secret)
{
    dreamd_new_key made = { platform_id, project_id, key, secret, stage_settings.master_key };

    return dreamd_key_insert(db, &made, 1, NULL);
}

/* Beside the stage's: a second key of its project, one that is revoked, a sibling project's and another platform's. */
static dreamd_db_status fill(dreamd_db *db, void *arg)
{
    dreamd_platform other = { .platform_id = "plt_2", .email = "other@example.test" };
    dreamd_project projects[] = { stage_project, stage_project };
    bool is_found = false;
    dreamd_db_status status = dreamd_platform_insert(db, &other, 1);

    (void)arg;
    (void)strcpy(projects[0].project_id, "prj_2");
    (void)strcpy(projects[0].name, "Sibling");
    (void)strcpy(projects[1].platform_id, "plt_2");
    for (size_t i = 0; status == DREAMD_DB_OK && i < 2; i++)
        status = dreamd_project_insert(db, &projects[i], 1);
    if (status == DREAMD_DB_OK)
        status = put_key(db, "plt_1", "prj_1", KEY("2"), SECRET("2"));
    if (status == DREAMD_DB_OK)
        status = put_key(db, "plt_1", "prj_1", KEY("3"), SECRET("3"));
    if (status == DREAMD_DB_OK)
        status = dreamd_key_revoke(db, "plt_1", KEY("3"), NULL, 2, &is_found);
    if (status == DREAMD_DB_OK)
        status = put_key(db, "plt_1", "prj_2", KEY("4"), SECRET("4"));
    /* The other platform's project has the same internal id: ids are compared with their platform. */
    if (status == DREAMD_DB_OK)
        status = put_key(db, "plt_2", "prj_1", KEY("5"), SECRET("5"));
    return status;
}

static int begin(void **state)
{
    (void)state;
    return stage_begin(fill);
}

static int end(void **state)
{
    (void)state;
    return stage_end();
}

struct question {
    const char *key;
    bool is_own;
};

static dreamd_db_status ask(dreamd_db *db, void *arg)
{
    struct question *question = arg;

    return dreamd_is_own_key(db, &stage_project, question->key, &question->is_own);
}

static void test_ownership__a_project_is_named_by_its_own_keys(void **state)
{
    static const struct {
        const char *key;
        bool is_own;
    } cases[] = {
        { STAGE_PK, true },
        { KEY("2"), true },
        { KEY("3"), true }, /* revoked: it opens nothing, but says whose a user is */
        { KEY("4"), false },
        { KEY("5"), false },
        { KEY("6"), false },
        { "", false },
        { "pk_live_", false },
        { STAGE_PK "0", false },
        { STAGE_PK STAGE_PK STAGE_PK STAGE_PK, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct question question = { cases[i].key, !cases[i].is_own };

        assert_int_equal(dreamd_store_read_now(stage_store, ask, &question), DREAMD_DB_OK);
        if (question.is_own != cases[i].is_own)
            fail_msg("case %zu: %s", i, cases[i].key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ownership__a_project_is_named_by_its_own_keys, begin, end),
    };

    return cmocka_run_group_tests_name("ownership", tests, NULL, NULL);
}
