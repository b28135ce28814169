/* SPDX-License-Identifier: Apache-2.0 */
/* lease_case.c - see lease_case.h. */
#include "lease_case.h"

static const dreamd_lease_terms terms = { TTL_MS, GRACE_MS, CLOSE_DAYS };

void put_customer(const store_case *self, const char *user, const char *plan)
{
    dreamd_customer customer = { .user_id = user, .plan = plan };
    assert_ok(dreamd_customer_put(self->db, &self->project, &customer, T0));
}

dreamd_lease_scope scope_of(const store_case *self, const char *holder, int64_t now_ms)
{
    return (dreamd_lease_scope){ &self->project, holder, &terms, now_ms, 0, now_ms };
}

dreamd_lease_grant acquire_for(const store_case *self, const dreamd_lease_scope *scope, const dreamd_lease_want *want)
{
    dreamd_lease_grant grant;
    assert_ok(dreamd_lease_acquire(self->db, scope, want, &grant));
    return grant;
}

dreamd_lease_grant acquire(const store_case *self, const dreamd_lease_scope *scope, const char *request, int64_t want)
{
    dreamd_lease_want wanted = { request, "user_a", DREAMD_DEFAULT_METER, want, want };
    return acquire_for(self, scope, &wanted);
}

dreamd_lease_grant granted(const store_case *self, const dreamd_lease_scope *scope, const char *request, int64_t want)
{
    dreamd_lease_grant grant = acquire(self, scope, request, want);
    assert_int_equal(grant.refusal, DREAMD_LEASE_GRANTED);
    assert_int_equal(grant.state, DREAMD_LEASE_ACTIVE);
    return grant;
}

dreamd_lease_report report_of(const dreamd_lease_grant *grant, const char *request, int64_t admitted)
{
    return (dreamd_lease_report){ .lease_id = grant->lease_id,
                                  .request_id = request,
                                  .user_id = "user_a",
                                  .meter = DREAMD_DEFAULT_METER,
                                  .period_start_day = grant->period_start_day,
                                  .granted = grant->granted,
                                  .admitted = admitted };
}

dreamd_lease_settled settle(const store_case *self, const dreamd_lease_scope *scope, const dreamd_lease_report *report)
{
    dreamd_lease_settled settled;
    assert_ok(dreamd_lease_settle(self->db, scope, report, &settled));
    return settled;
}

dreamd_lease_settled finish(const store_case *self, const dreamd_lease_scope *scope, const dreamd_lease_grant *grant,
                            int64_t admitted)
{
    dreamd_lease_report report = report_of(grant, "request", admitted);
    report.is_final = true;
    return settle(self, scope, &report);
}

dreamd_lease_refund_outcome refund(const store_case *self, const dreamd_lease_scope *scope, const char *id,
                                   const char *lease_id, int64_t units)
{
    dreamd_lease_refund wanted = { id, lease_id, units };
    dreamd_lease_refund_outcome outcome;
    assert_ok(dreamd_lease_refund_apply(self->db, scope, &wanted, &outcome));
    return outcome;
}

void assert_counts(const store_case *self, int64_t used, int64_t held, int64_t lost)
{
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts ORDER BY period_start_day DESC LIMIT 1"), used);
    assert_int_equal(number_of(self->db, "SELECT held FROM usage_counts ORDER BY period_start_day DESC LIMIT 1"), held);
    assert_int_equal(number_of(self->db, "SELECT lost FROM usage_counts ORDER BY period_start_day DESC LIMIT 1"), lost);
}
