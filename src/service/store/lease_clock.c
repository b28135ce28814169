/* SPDX-License-Identifier: Apache-2.0 */
/* lease_clock.c - the clock by which books close. What closes stays closed, so one wrong reading of the machine's clock must not close
 * what still runs: a reading is believed if it is within a day of the last one that was, and one that is not once the clock has gone
 * on from it for hours. A store that rested, or was restored, closes nothing more so long. */
#include "service/store/leases.h"
#include "service/store/row.h"

static const int64_t leap_ms = 86400000;   /* further ahead in one step is doubted */
static const int64_t stay_ms = 43200000;   /* for so long; less than a leap, to catch up with a clock that goes on */
static const int64_t written_ms = 3600000; /* what is believed is written down so often: most requests only read */

#define META_NUMBER(name) "CAST((SELECT value FROM meta WHERE name = '" name "') AS BIGINT)"

typedef struct belief {
    int64_t books_ms; /* believed last; 0: nothing was ever asked */
    int64_t leapt_ms; /* the first that is doubted; 0: none is */
} belief;

static belief judge(belief was, int64_t now_ms)
{
    if (was.leapt_ms != 0 && now_ms - was.leapt_ms >= stay_ms)
        was = (belief){ was.leapt_ms, 0 }; /* not this reading: it may be another leap */
    if (was.books_ms == 0 || now_ms - was.books_ms < leap_ms)
        return (belief){ now_ms, 0 };
    if (was.leapt_ms == 0 || now_ms < was.leapt_ms)
        was.leapt_ms = now_ms;
    return was;
}

static bool is_worth_writing(belief was, belief is)
{
    return is.leapt_ms != was.leapt_ms || is.books_ms - was.books_ms >= written_ms
           || was.books_ms - is.books_ms >= written_ms;
}

dreamd_db_status dreamd_books_clock(dreamd_db *db, int64_t now_ms, int64_t *out_books_ms)
{
    dreamd_rows *rows = NULL;
    belief was = { 0, 0 };
    dreamd_db_status status =
        dreamd_row_one(db, "SELECT " META_NUMBER("books_ms") ", " META_NUMBER("leapt_ms"), DREAMD_NO_PARAMS, &rows);
    if (rows)
        was = (belief){ dreamd_row_int(rows, 0, 0), dreamd_row_int(rows, 1, 0) };
    dreamd_rows_finish(rows);
    belief is = judge(was, now_ms);
    *out_books_ms = is.books_ms;
    if (status != DREAMD_DB_OK || !is_worth_writing(was, is))
        return status;
    return dreamd_db_run(db,
                         "INSERT INTO meta (name, value) VALUES ('books_ms', CAST($1 AS TEXT)), "
                         "('leapt_ms', CAST($2 AS TEXT)) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                         DREAMD_PARAMS(dreamd_int(is.books_ms), dreamd_int(is.leapt_ms)), NULL);
}
