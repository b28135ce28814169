/* SPDX-License-Identifier: Apache-2.0 */
/* signed.c - the quickstart's flow in either mode, for tests/e2e/test_signatures.py: `signed bearer|signature BASE_URL PUBLISHABLE_KEY`,
 * with the secret key on standard input. Prints what came of each step, then searches its own memory for the key: first with a
 * copy planted on purpose, which has to be found, then without it.
 *
 * The search must not find itself: what is searched for is kept with every bit turned, and the memory that is read into is
 * passed over. */
#include <dreamapi.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { KEY_ROOM = 256, PREFIX = 8 /* "sk_live_" */, NEEDLE = 16, CHUNK = 1 << 20 };
/* AddressSanitizer's shadow: terabytes that are hardly used. */
static const uintptr_t too_large = (uintptr_t)1 << 36;

static unsigned char turned[NEEDLE];
static unsigned char *chunk;

static size_t count_in(const unsigned char *bytes, size_t size)
{
    size_t count = 0;

    for (size_t at = 0; at + NEEDLE <= size; at++) {
        size_t i = 0;
        while (i < NEEDLE && (bytes[at + i] ^ 0xff) == turned[i])
            i++;
        count += i == NEEDLE;
    }
    return count;
}

/* Pieces overlap, so that none hides between two; what is found twice does not matter. */
static size_t count_in_map(int memory, uintptr_t begin, uintptr_t end)
{
    size_t count = 0;

    while (begin < end) {
        size_t size = end - begin < CHUNK ? end - begin : CHUNK;
        ssize_t got = pread(memory, chunk, size, (off_t)begin);

        if (got <= 0)
            break;
        count += count_in(chunk, (size_t)got);
        begin += (size_t)got > NEEDLE && begin + (size_t)got < end ? (size_t)got - NEEDLE : (size_t)got;
    }
    return count;
}

static size_t count_in_memory(size_t *out_bytes)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    char line[512];
    size_t count = 0;

    *out_bytes = 0;
    if (maps == NULL || memory < 0)
        abort();
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long begin, end;
        char read_right;

        if (sscanf(line, "%lx-%lx %c", &begin, &end, &read_right) != 3 || read_right != 'r' || end - begin > too_large)
            continue;
        if ((uintptr_t)chunk >= begin && (uintptr_t)chunk < end) {
            count +=
                count_in_map(memory, begin, (uintptr_t)chunk) + count_in_map(memory, (uintptr_t)chunk + CHUNK, end);
            continue;
        }
        count += count_in_map(memory, begin, end);
        *out_bytes += end - begin;
    }
    explicit_bzero(chunk, CHUNK);
    (void)fclose(maps);
    (void)close(memory);
    return count;
}

static void search(void)
{
    volatile unsigned char *planted = malloc(NEEDLE);
    size_t bytes, with_planted, without;

    if (planted == NULL)
        abort();
    for (size_t i = 0; i < NEEDLE; i++)
        planted[i] = turned[i] ^ 0xff;
    with_planted = count_in_memory(&bytes);
    for (size_t i = 0; i < NEEDLE; i++)
        planted[i] = 0;
    without = count_in_memory(&bytes);
    printf("searched=%zu planted=%zu left=%zu\n", bytes, with_planted, without);
    free((void *)planted);
}

/* Straight into the buffer that is handed over: stdio would keep a copy. */
static size_t read_key(char buffer[KEY_ROOM])
{
    size_t size = 0;
    ssize_t got;

    while ((got = read(STDIN_FILENO, buffer + size, KEY_ROOM - size)) > 0)
        size += (size_t)got;
    return size;
}

static bool make_client(int argc, char **argv, dreamapi_client **out_client, dreamapi_error *error)
{
    dreamapi_options *options = dreamapi_options_new();
    char buffer[KEY_ROOM] = "";
    bool is_signed = argc == 4 && strcmp(argv[1], "signature") == 0;
    bool is_made = options != NULL && argc == 4 && read_key(buffer) >= PREFIX + NEEDLE;

    for (size_t i = 0; is_made && i < NEEDLE; i++)
        turned[i] = (unsigned char)buffer[PREFIX + i] ^ 0xff;
    is_made =
        is_made && dreamapi_options_set_base_url(options, argv[2]) == DREAMAPI_OK
        && dreamapi_options_set_publishable_key(options, argv[3]) == DREAMAPI_OK
        && dreamapi_options_set_auth(options, is_signed ? DREAMAPI_AUTH_SIGNATURE : DREAMAPI_AUTH_BEARER) == DREAMAPI_OK
        && dreamapi_options_take_secret_key(options, buffer, sizeof(buffer)) == DREAMAPI_OK
        && dreamapi_client_new(options, out_client, error) == DREAMAPI_OK;
    dreamapi_options_free(options);
    return is_made;
}

static dreamapi_customer *create(dreamapi_client *client, const char *email, const char *plan)
{
    dreamapi_error error;
    dreamapi_customer_params who = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_customer *customer = NULL;

    who.email = email;
    who.plan = plan;
    printf("customer_create: %s\n",
           dreamapi_status_name(dreamapi_customer_create(client, &who, NULL, &customer, &error)));
    if (customer == NULL)
        printf("%s\n", error.message);
    return customer;
}

/* A user of its own, as the units that a lease holds are not there for direct calls. */
static void use_meter(dreamapi_client *client)
{
    dreamapi_error error;
    dreamapi_customer *customer = create(client, "bob@example.test", "pro");
    dreamapi_meter *meter = NULL;
    dreamapi_decision decision;

    if (customer == NULL)
        return;
    printf("meter_open: %s\n",
           dreamapi_status_name(dreamapi_meter_open(client, dreamapi_customer_id(customer), NULL, &meter, &error)));
    dreamapi_customer_free(customer);
    if (meter == NULL)
        return;
    printf("meter_use: %s\n", dreamapi_status_name(dreamapi_meter_use(meter, 1, &decision)));
    printf("flush: %s\n", dreamapi_status_name(dreamapi_client_flush(client, 5000, &error)));
    dreamapi_meter_close(meter);
}

static void run_flow(dreamapi_client *client)
{
    dreamapi_error error;
    dreamapi_checkout_params offer = DREAMAPI_CHECKOUT_PARAMS_INIT;
    dreamapi_customer *customer = create(client, "ada@example.test", "free");
    dreamapi_usage *usage = NULL;
    dreamapi_status status;

    if (customer == NULL)
        return;
    offer.user_id = dreamapi_customer_id(customer);
    offer.tier = "pro";
    do {
        status = dreamapi_usage_track(client, offer.user_id, NULL, NULL, NULL, &error);
        printf("usage_track: %s\n", dreamapi_status_name(status));
    } while (status == DREAMAPI_OK);
    printf("checkout_create: %s\n", dreamapi_status_name(dreamapi_checkout_create(client, &offer, NULL, NULL, &error)));
    status = dreamapi_usage_get(client, offer.user_id, NULL, &usage, &error);
    printf("usage_get: %s\n", dreamapi_status_name(status));
    if (usage != NULL)
        printf("used: %lld of %lld on %s\n", (long long)dreamapi_usage_count(usage),
               (long long)dreamapi_usage_limit(usage), dreamapi_usage_plan(usage));
    dreamapi_usage_free(usage);
    dreamapi_customer_free(customer);
}

int main(int argc, char **argv)
{
    dreamapi_client *client = NULL;
    dreamapi_error error = { 0 };

    chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED || !make_client(argc, argv, &client, &error)) {
        fprintf(stderr, "no client: %s\n", error.message);
        return 1;
    }
    run_flow(client);
    use_meter(client);
    dreamapi_client_free(client);
    search();
    return 0;
}
