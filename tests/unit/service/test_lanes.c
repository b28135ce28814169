/* SPDX-License-Identifier: Apache-2.0 */
/* test_lanes.c - one at a time by name, in the order of arrival, without deep stacks. */
#include "service/api/lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct visitor {
    dreamd_lane_place place;
    dreamd_lanes *lanes;
    char name[16]; /* its own copy: names are compared, not addresses */
    char letter;
    bool leaves_at_once;
};

static char order[16];
static int depth;
static int deepest;
static unsigned long visits;

static void visit(void *context)
{
    struct visitor *visitor = context;
    size_t size = strlen(order);

    visits++;
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (size < sizeof order - 1) {
        order[size] = visitor->letter;
        order[size + 1] = '\0';
    }
    if (visitor->leaves_at_once)
        dreamd_lane_leave(visitor->lanes, &visitor->place);
    depth--;
}

static struct visitor visitor(dreamd_lanes *lanes, const char *name, char letter)
{
    struct visitor self = { .lanes = lanes, .letter = letter };

    (void)strncpy(self.name, name, sizeof self.name - 1);
    return self;
}

static void enter(struct visitor *self)
{
    self->place = (dreamd_lane_place){ .name = self->name, .fn = visit, .context = self };
    dreamd_lane_enter(self->lanes, &self->place);
}

static int begin(void **state)
{
    (void)state;
    order[0] = '\0';
    depth = deepest = 0;
    visits = 0;
    return 0;
}

static void test_lanes__the_same_name_waits_in_order(void **state)
{
    dreamd_lanes *lanes = dreamd_lanes_new();
    struct visitor a = visitor(lanes, "user_1", 'a');
    struct visitor b = visitor(lanes, "user_1", 'b');
    struct visitor c = visitor(lanes, "user_1", 'c');

    (void)state;
    enter(&a);
    enter(&b);
    enter(&c);
    assert_string_equal(order, "a");
    dreamd_lane_leave(lanes, &a.place);
    assert_string_equal(order, "ab");
    dreamd_lane_leave(lanes, &b.place);
    assert_string_equal(order, "abc");
    dreamd_lane_leave(lanes, &c.place);
    enter(&a);
    assert_string_equal(order, "abca");
    dreamd_lane_leave(lanes, &a.place);
    dreamd_lanes_free(lanes);
}

static void test_lanes__other_names_do_not_wait(void **state)
{
    dreamd_lanes *lanes = dreamd_lanes_new();
    struct visitor a = visitor(lanes, "user_1", 'a');
    struct visitor b = visitor(lanes, "user_2", 'b');
    struct visitor c = visitor(lanes, "user_3", 'c');
    struct visitor d = visitor(lanes, "user_2", 'd');

    (void)state;
    enter(&a);
    enter(&b);
    enter(&c);
    enter(&d);
    assert_string_equal(order, "abc");
    dreamd_lane_leave(lanes, &c.place);
    dreamd_lane_leave(lanes, &a.place);
    assert_string_equal(order, "abc");
    dreamd_lane_leave(lanes, &b.place);
    assert_string_equal(order, "abcd");
    dreamd_lane_leave(lanes, &d.place);
    dreamd_lanes_free(lanes);
}

static void test_lanes__a_long_queue_makes_no_deep_stack(void **state)
{
    enum { QUEUE = 10000 };
    dreamd_lanes *lanes = dreamd_lanes_new();
    struct visitor *queue = calloc(QUEUE, sizeof *queue);

    (void)state;
    assert_non_null(queue);
    for (int i = 0; i < QUEUE; i++) {
        queue[i] = visitor(lanes, "user_1", 'x');
        queue[i].leaves_at_once = i > 0;
        enter(&queue[i]);
    }
    assert_int_equal(visits, 1);
    dreamd_lane_leave(lanes, &queue[0].place);
    assert_int_equal(visits, QUEUE);
    assert_int_equal(deepest, 1);
    free(queue);
    dreamd_lanes_free(lanes);
    dreamd_lanes_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lanes__the_same_name_waits_in_order, begin),
        cmocka_unit_test_setup(test_lanes__other_names_do_not_wait, begin),
        cmocka_unit_test_setup(test_lanes__a_long_queue_makes_no_deep_stack, begin),
    };

    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
