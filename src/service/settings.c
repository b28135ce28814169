/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - turns environment variables into checked settings, and finds or makes the master key.
 * Where the variables come from is the caller's matter (a dreamd_getenv). A variable that is empty counts as not set.
 * Messages name the variable, never its value: most of them are credentials. Nothing here is shared between threads;
 * several processes may make the key file at once, and then agree on one. */
#include "service/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "common/encoding.h"

enum {
    ERROR_SIZE = 256,
    NAME_SIZE = 64,
    MAX_VALUE = 4096,
    KEY_SIZE = 32,
    KEY_TEXT = 2 * KEY_SIZE,
    SHOWN = 120 /* of a path in a message */
};

static const char default_clerk_base[] = "https://api.clerk.com";
static const char default_stripe_base[] = "https://api.stripe.com";
static const char default_frontend_url[] = "http://localhost:5173";

struct reader {
    dreamd_getenv *get;
    void *context;
    char *error;
};

static bool refuse(const struct reader *reader, const char *name, const char *why)
{
    (void)snprintf(reader->error, ERROR_SIZE, "%s %s", name, why);
    return false;
}

/* Visible ASCII only: these values become header lines and addresses. */
static bool is_one_word(const char *value)
{
    size_t size = 0;
    for (; value[size]; size++) {
        unsigned char c = (unsigned char)value[size];
        if (c <= ' ' || c >= 0x7f || size >= MAX_VALUE)
            return false;
    }
    return true;
}

static const char *look_up(const struct reader *reader, const char *prefix, const char *name, const char *suffix,
                           char out_name[NAME_SIZE])
{
    (void)snprintf(out_name, NAME_SIZE, "%s%s%s", prefix, name, suffix);
    const char *value = reader->get(reader->context, out_name);
    return value && value[0] ? value : NULL;
}

/* The value under the first of these names that is set. A secret never stands in for the other mode's: a test key that is
 * missing means that test mode is not configured. An address does, since it says where a provider is, not who asks. */
static const char *find(const struct reader *reader, const char *const prefixes[], size_t count, const char *name,
                        enum dreamd_mode mode, bool is_address, char out_name[NAME_SIZE])
{
    const char *value = NULL;
    for (size_t i = 0; !value && i < count; i++)
        value = look_up(reader, prefixes[i], name, mode == DREAMD_TEST ? "_TEST" : "", out_name);
    for (size_t i = 0; !value && is_address && mode == DREAMD_TEST && i < count; i++)
        value = look_up(reader, prefixes[i], name, "", out_name);
    return value;
}

static bool copy(const struct reader *reader, const char *name, const char *value, char **out)
{
    *out = strdup(value);
    return *out || refuse(reader, name, "cannot be kept: out of memory");
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(".-_[]:", c) != NULL;
}

/* Does the text begin with http(s)://HOST[:PORT]? Gives what follows. */
static const char *after_origin(const char *value)
{
    const char *host = strncmp(value, "https://", 8) == 0  ? value + 8
                       : strncmp(value, "http://", 7) == 0 ? value + 7
                                                           : NULL;
    if (!host)
        return NULL;
    const char *end = host;
    while (*end && is_host_char(*end))
        end++;
    return end > host && *host != ':' && (*end == '\0' || *end == '/') ? end : NULL;
}

static void cut_final_slashes(char *address)
{
    size_t size = strlen(address);
    while (size > 0 && address[size - 1] == '/')
        address[--size] = '\0';
}

static bool read_address(const struct reader *reader, const char *name, const char *value, char **out)
{
    if (!is_one_word(value) || !after_origin(value) || strpbrk(value, "?#@"))
        return refuse(reader, name, "must be an address such as https://example.com, without user, query or fragment");
    if (!copy(reader, name, value, out))
        return false;
    cut_final_slashes(*out);
    return true;
}

static bool read_secret(const struct reader *reader, const char *name, const char *value, char **out)
{
    if (!value)
        return true;
    if (!is_one_word(value))
        return refuse(reader, name, "holds a blank or a control character; secrets are one word");
    return copy(reader, name, value, out);
}

struct provider {
    const char *const *prefixes; /* of its variables' names, the most particular first */
    size_t count;
    const char *default_base;
    char **api_base;
    char **secret_key;
    char **webhook_secret;
    const char *base_name;
    const char *key_name;
    const char *webhook_name;
};

static bool read_provider(const struct reader *reader, const struct provider *provider, enum dreamd_mode mode)
{
    char name[NAME_SIZE];
    const char *value = find(reader, provider->prefixes, provider->count, provider->base_name, mode, true, name);
    if (!read_address(reader, name, value ? value : provider->default_base, provider->api_base))
        return false;
    value = find(reader, provider->prefixes, provider->count, provider->key_name, mode, false, name);
    if (!read_secret(reader, name, value, provider->secret_key))
        return false;
    value = find(reader, provider->prefixes, provider->count, provider->webhook_name, mode, false, name);
    return read_secret(reader, name, value, provider->webhook_secret);
}

static bool read_clerk(const struct reader *reader, const char *prefix, dreamd_clerk_settings *out,
                       enum dreamd_mode mode)
{
    const char *const prefixes[] = { prefix, "" };
    const struct provider provider = { prefixes,
                                       2,
                                       default_clerk_base,
                                       &out->api_base,
                                       &out->secret_key,
                                       &out->webhook_secret,
                                       "CLERK_API_BASE",
                                       "CLERK_SECRET_KEY",
                                       "CLERK_WEBHOOK_SECRET" };
    return read_provider(reader, &provider, mode);
}

static bool read_stripe(const struct reader *reader, dreamd_stripe_settings *out, enum dreamd_mode mode)
{
    const char *const prefixes[] = { "" };
    const struct provider provider = { prefixes,
                                       1,
                                       default_stripe_base,
                                       &out->api_base,
                                       &out->secret_key,
                                       &out->webhook_secret,
                                       "STRIPE_API_BASE",
                                       "STRIPE_SECRET_KEY",
                                       "STRIPE_WEBHOOK_SECRET" };
    return read_provider(reader, &provider, mode);
}

/* One entry of the list, trimmed; false when it is no origin. */
static bool append_origin(dream_buffer *list, const char *entry, size_t size)
{
    char origin[NAME_SIZE * 4];
    while (size > 0 && (*entry == ' ' || *entry == '\t'))
        entry++, size--;
    while (size > 0 && (entry[size - 1] == ' ' || entry[size - 1] == '\t' || entry[size - 1] == '/'))
        size--;
    if (size == 0)
        return true;
    if (size >= sizeof origin)
        return false;
    memcpy(origin, entry, size);
    origin[size] = '\0';
    const char *end = after_origin(origin);
    if (!is_one_word(origin) || !end || *end)
        return false;
    if (list->size)
        dream_buffer_char(list, ',');
    dream_buffer_text(list, origin);
    return true;
}

/* Kept as "a,b" without blanks and final slashes, so that a reader may compare as it finds them, or as "*". */
static bool read_origins(const struct reader *reader, char **out)
{
    static const char name[] = "ALLOWED_ORIGINS";
    char found[NAME_SIZE];
    const char *value = look_up(reader, "", name, "", found);
    if (!value)
        return true;
    if (strcmp(value, "*") == 0)
        return copy(reader, name, value, out);
    dream_buffer list = DREAM_BUFFER_INIT;
    while (*value) {
        size_t size = strcspn(value, ",");
        if (!append_origin(&list, value, size)) {
            dream_buffer_clear(&list);
            return refuse(reader, name, "must be a comma list of origins such as https://app.example.com");
        }
        value += size + (value[size] == ',');
    }
    if (list.size == 0 && !list.is_failed) { /* "," would allow nothing at all, silently */
        dream_buffer_clear(&list);
        return refuse(reader, name, "holds no origin; leave it unset to allow loopback only");
    }
    *out = dream_buffer_take(&list);
    return *out || refuse(reader, name, "cannot be kept: out of memory");
}

struct number {
    const char *name;
    int64_t min;
    int64_t max;
    int64_t fallback;
};

static bool read_number(const struct reader *reader, const struct number *number, int64_t *out)
{
    char name[NAME_SIZE];
    char why[80];
    const char *value = look_up(reader, "", number->name, "", name);
    size_t digits = value ? strspn(value, "0123456789") : 0;
    *out = number->fallback;
    if (!value)
        return true;
    if (digits >= 1 && digits <= 12 && value[digits] == '\0') {
        *out = strtoll(value, NULL, 10);
        if (*out >= number->min && *out <= number->max)
            return true;
    }
    (void)snprintf(why, sizeof why, "must be a whole number from %lld to %lld", (long long)number->min,
                   (long long)number->max);
    return refuse(reader, number->name, why);
}

static bool read_leases(const struct reader *reader, dreamd_settings *settings)
{
    static const struct number ttl = { "DREAMAPID_LEASE_TTL_MS", 1000, 3600000, 60000 };
    static const struct number grace = { "DREAMAPID_LEASE_GRACE_MS", 0, 3600000, 30000 };
    static const struct number close = { "DREAMAPID_LEASE_CLOSE_DAYS", 0, 3650, 7 };
    return read_number(reader, &ttl, &settings->lease_ttl_ms) && read_number(reader, &grace, &settings->lease_grace_ms)
           && read_number(reader, &close, &settings->lease_close_days);
}

static bool read_all(const struct reader *reader, dreamd_settings *settings)
{
    char name[NAME_SIZE];
    for (int i = 0; i < DREAMD_MODES; i++) {
        enum dreamd_mode mode = (enum dreamd_mode)i;
        if (!read_clerk(reader, "PLATFORM_", &settings->clerk_platform[i], mode)
            || !read_clerk(reader, "ENDUSER_", &settings->clerk_end_user[i], mode)
            || !read_stripe(reader, &settings->stripe[i], mode))
            return false;
    }
    const char *value = look_up(reader, "", "ASSETS_DIR", "", name);
    if (value && !copy(reader, name, value, &settings->assets_folder))
        return false;
    value = look_up(reader, "", "FRONTEND_URL", "", name);
    return read_address(reader, name, value ? value : default_frontend_url, &settings->frontend_url)
           && read_origins(reader, &settings->allowed_origins) && read_leases(reader, settings);
}

bool dreamd_settings_read(dreamd_settings *settings, dreamd_getenv *get, void *context, char error[ERROR_SIZE])
{
    const struct reader reader = { get, context, error };
    *settings = (dreamd_settings){ 0 };
    error[0] = '\0';
    if (read_all(&reader, settings))
        return true;
    dreamd_settings_clear(settings);
    return false;
}

static void clear_provider(char **api_base, char **secret_key, char **webhook_secret)
{
    free(*api_base);
    dream_free_secret(*secret_key);
    dream_free_secret(*webhook_secret);
}

void dreamd_settings_clear(dreamd_settings *settings)
{
    for (int i = 0; i < DREAMD_MODES; i++) {
        dreamd_clerk_settings *platform = &settings->clerk_platform[i];
        dreamd_clerk_settings *end_user = &settings->clerk_end_user[i];
        dreamd_stripe_settings *stripe = &settings->stripe[i];
        clear_provider(&platform->api_base, &platform->secret_key, &platform->webhook_secret);
        clear_provider(&end_user->api_base, &end_user->secret_key, &end_user->webhook_secret);
        clear_provider(&stripe->api_base, &stripe->secret_key, &stripe->webhook_secret);
    }
    free(settings->frontend_url);
    free(settings->allowed_origins);
    free(settings->assets_folder);
    if (settings->database_lock > 0)
        (void)close(settings->database_lock);
    dream_wipe(settings, sizeof *settings);
}

/* ---- the master key ---- */

static bool key_failed(const char *path, const char *what, const char *why, char error[ERROR_SIZE])
{
    (void)snprintf(error, ERROR_SIZE, "Cannot %s the master key file %.*s: %s", what, SHOWN, path, why);
    return false;
}

static bool write_whole(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, text, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        text += written;
        size -= (size_t)written;
    }
    return fsync(fd) == 0;
}

/* The new name must be as durable as the content: rows sealed with a key that a crash takes back are lost. */
bool dreamd_key_file_sync(const char *path)
{
    char *text = strdup(path);
    if (!text)
        return false;
    int fd = open(dirname(text), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(text);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return is_synced;
}

/* Writes the key under another name and links it to `path`: whoever sees the file sees a whole key, and of processes that
 * start together one wins. Winning and losing are both true: the caller reads what is there. */
bool dreamd_key_file_make(const char *path, const unsigned char *given, char error[ERROR_SIZE])
{
    unsigned char key[KEY_SIZE];
    char text[KEY_TEXT + 2] = "";
    char *draft = NULL;
    bool is_made = false;
    int fd = -1;

    if (asprintf(&draft, "%s.XXXXXX", path) < 0) {
        draft = NULL;
        (void)key_failed(path, "make", "out of memory", error);
        goto done;
    }
    if (given) {
        memcpy(key, given, sizeof key);
    } else if (!dream_random(key, sizeof key)) {
        (void)key_failed(path, "make", "the system gives no random numbers", error);
        goto done;
    }
    dream_hex_encode(key, sizeof key, text);
    text[KEY_TEXT] = '\n';
    fd = mkostemp(draft, O_CLOEXEC); /* O_EXCL, mode 0600 */
    if (fd < 0 || !write_whole(fd, text, KEY_TEXT + 1) || (link(draft, path) != 0 && errno != EEXIST)) {
        (void)key_failed(path, "make", strerror(errno), error);
        goto done;
    }
    is_made = dreamd_key_file_sync(path) || key_failed(path, "make", strerror(errno), error);
done:
    if (fd >= 0) {
        (void)close(fd);
        (void)unlink(draft);
    }
    dream_wipe(key, sizeof key);
    dream_wipe(text, sizeof text);
    free(draft);
    return is_made;
}

static bool is_private(int fd, const char *path, char error[ERROR_SIZE])
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return key_failed(path, "read", strerror(errno), error);
    if (!S_ISREG(facts.st_mode))
        return key_failed(path, "use", "it is not a file", error);
    if (facts.st_mode & 077)
        return key_failed(path, "use", "others may read or write it; chmod 600 it", error);
    return true;
}

static bool read_key_file(int fd, const char *path, unsigned char key[KEY_SIZE], char error[ERROR_SIZE])
{
    char text[KEY_TEXT + 2];
    if (!is_private(fd, path, error))
        return false;
    ssize_t size = pread(fd, text, sizeof text, 0);
    bool is_whole = size == KEY_TEXT || (size == KEY_TEXT + 1 && text[KEY_TEXT] == '\n');
    bool is_good = is_whole && dream_hex_decode(text, KEY_TEXT, key, KEY_SIZE);
    dream_wipe(text, sizeof text);
    return is_good
           || key_failed(path, "use", "it does not hold 64 hexadecimal characters; restore it from a backup", error);
}

bool dreamd_key_file_read(const char *path, unsigned char key[KEY_SIZE], char error[ERROR_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT) {
        if (!dreamd_key_file_make(path, NULL, error))
            return false;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    }
    if (fd < 0)
        return key_failed(path, "read", strerror(errno), error);
    bool is_read = read_key_file(fd, path, key, error);
    (void)close(fd);
    return is_read;
}

bool dreamd_settings_master_key(dreamd_settings *settings, dreamd_getenv *get, void *context, const char *db_path,
                                char error[ERROR_SIZE])
{
    static const char name[] = "DREAMAPID_MASTER_KEY";
    const char *value = get(context, name);
    char *path = NULL;
    error[0] = '\0';
    if (value && value[0]) {
        if (dream_hex_decode(value, strlen(value), settings->master_key, KEY_SIZE))
            return true;
        (void)snprintf(error, ERROR_SIZE, "%s must be 64 hexadecimal characters", name);
        return false;
    }
    if (asprintf(&path, "%s.key", db_path) < 0)
        return key_failed(db_path, "read", "out of memory", error);
    bool is_read = dreamd_key_file_read(path, settings->master_key, error);
    free(path);
    return is_read;
}
