/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_serve.c - `dreamapid serve`: puts store, sandbox and service together, tells where they listen, and takes them apart in
 * the right order when a signal says so.
 *
 * Order of start: settings, database, sandbox (its addresses are settings of the service), service, webhook addresses.
 * Order of stop: service (it uses all others), sandbox, store. The main thread only starts, waits and stops. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/crypto.h"
#include "common/secret.h"
#include "common/timefmt.h"
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "dreamapid/environment.h"
#include "dreamapid/notify.h"
#include "dreamapid/private_folder.h"
#include "dreamapid/ready_line.h"
#include "dreamapid/sandbox_link.h"
#include "dreamapid/stop_signal.h"
#include "net/log.h"
#include "service/service.h"

enum {
    DRAIN_MS = 10000,
    SANDBOX_DRAIN_MS = 2000, /* by then nobody asks it anything */
    SANDBOX_FIRST_PORT = 8791
};

static const char default_api[] = "127.0.0.1:8787";
static const char default_admin[] = "127.0.0.1:9187";
static const char free_port[] = "127.0.0.1:0";

enum {
    OPTION_SANDBOX,
    OPTION_DB,
    OPTION_API,
    OPTION_ADMIN,
    OPTION_FREE_PORTS,
    OPTION_ENV_FILE,
    OPTION_ASSETS,
    OPTION_TLS_CERT,
    OPTION_TLS_KEY,
    OPTION_PROXY
};

static const dreamd_option options[] = {
    { "sandbox", NULL, "play Clerk and Stripe too, on ports 8791 to 8796" },
    { "db", "PATH", "the database, made if absent (default: see below)" },
    { "listen-api", "ADDR:PORT", "where the API listens (default 127.0.0.1:8787)" },
    { "listen-admin", "ADDR:PORT", "where /metrics, /health and /ready are (default 127.0.0.1:9187)" },
    { "free-ports", NULL, "free loopback ports for everything that has no --listen option" },
    { "env-file", "FILE", "settings for what the environment does not set" },
    { "assets", "DIR", "where uploaded files are kept, or off (default: beside the database, PATH.assets)" },
    { "tls-cert", "FILE", "PEM: the certificate and its chain; the API then speaks https only" },
    { "tls-key", "FILE", "PEM: the certificate's key, without a passphrase" },
    { "trusted-proxy", "CIDR", "a proxy whose X-Forwarded-For and -Proto are believed; repeatable", true },
    { NULL, NULL, NULL },
};

struct server {
    const dreamd_arguments *arguments;
    char *folder; /* temporary; NULL with --db */
    char *db_path;
    char *assets_folder; /* NULL: none */
    dreamd_environment *environment;
    dreamd_settings *settings; /* in memory of secret.h: the master key is in it */
    dreamd_tls *tls;           /* NULL: plain HTTP */
    dreamd_proxies proxies;
    dreamd_metrics *metrics;
    dreamd_store *store;
    sandbox *box;
    dreamd_service *service;
    char error[256];
};

static bool has(const struct server *server, int option)
{
    return server->arguments->values[option] != NULL;
}

/* "ADDR:PORT" with a numeric address or "localhost", as the server takes it; asked before anything is made. */
static bool is_listen_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *port = colon ? colon + 1 : "";
    size_t digits = strspn(port, "0123456789");
    char host[INET6_ADDRSTRLEN + 2];
    unsigned char address[sizeof(struct in6_addr)];
    if (!colon || digits == 0 || digits > 5 || port[digits] || strtol(port, NULL, 10) > 65535)
        return false;
    size_t size = (size_t)(colon - text);
    if (size == 0 || size >= sizeof host)
        return false;
    memcpy(host, text, size);
    host[size] = '\0';
    if (host[0] != '[')
        return strcmp(host, "localhost") == 0 || inet_pton(AF_INET, host, address) == 1;
    if (host[size - 1] != ']')
        return false;
    host[size - 1] = '\0';
    return inet_pton(AF_INET6, host + 1, address) == 1;
}

static bool choose_database(struct server *server, bool *out_is_misuse)
{
    *out_is_misuse = false;
    if (has(server, OPTION_DB) || !has(server, OPTION_SANDBOX)) {
        server->db_path = dreamd_database_locate(server->arguments->values[OPTION_DB], out_is_misuse, server->error);
        return server->db_path != NULL;
    }
    server->folder = dreamd_private_folder_make(server->error);
    if (!server->folder)
        return false;
    if (asprintf(&server->db_path, "%s/dreamapid.db", server->folder) < 0) {
        server->db_path = NULL;
        (void)snprintf(server->error, sizeof server->error, "out of memory");
        return false;
    }
    return true;
}

static bool read_settings(struct server *server)
{
    server->settings = dream_secret_new(sizeof *server->settings);
    (void)snprintf(server->error, sizeof server->error, "out of memory");
    if (server->settings)
        server->environment = dreamd_environment_open(server->arguments->values[OPTION_ENV_FILE], server->error);
    return server->environment
           && dreamd_settings_read(server->settings, dreamd_environment_get, server->environment, server->error);
}

static bool choose_assets(struct server *server)
{
    const char *named = server->arguments->values[OPTION_ASSETS];
    if (!named)
        named = server->settings->assets_folder;
    if (named && strcmp(named, "off") == 0)
        return true;
    if (asprintf(&server->assets_folder, "%s%s", named ? named : server->db_path, named ? "" : ".assets") >= 0)
        return true;
    server->assets_folder = NULL;
    (void)snprintf(server->error, sizeof server->error, "out of memory");
    return false;
}

/* What others may read is no secret any more; what is out of date is refused by every client. Both may be meant, in a test. */
static void warn_about_tls(const struct server *server, const char *key_file)
{
    const int64_t now_s = dream_wall_ms() / 1000;
    struct stat key;
    if (now_s >= dreamd_tls_ends_at_s(server->tls) || now_s < dreamd_tls_begins_at_s(server->tls))
        dreamd_log(DREAMD_LOG_WARN, "tls_certificate_out_of_date",
                   dreamd_log_text("note", now_s < dreamd_tls_begins_at_s(server->tls) ? "its time has not come"
                                                                                       : "it has expired"),
                   dreamd_log_int("from_s", dreamd_tls_begins_at_s(server->tls)),
                   dreamd_log_int("to_s", dreamd_tls_ends_at_s(server->tls)));
    if (stat(key_file, &key) == 0 && (key.st_mode & S_IROTH))
        dreamd_log(DREAMD_LOG_WARN, "tls_key_is_readable_by_all", dreamd_log_text("path", key_file));
}

/* Before anything is made: a wrong file is the most likely mistake here. */
static bool load_tls(struct server *server)
{
    const char *const *files = server->arguments->values;
    if (!files[OPTION_TLS_CERT])
        return true;
    server->tls = dreamd_tls_load(files[OPTION_TLS_CERT], files[OPTION_TLS_KEY], server->error);
    if (server->tls)
        warn_about_tls(server, files[OPTION_TLS_KEY]);
    return server->tls != NULL;
}

static bool open_store(struct server *server)
{
    server->metrics = dreamd_metrics_new();
    if (!server->metrics) {
        (void)snprintf(server->error, sizeof server->error, "out of memory");
        return false;
    }
    server->store =
        dreamd_database_open(server->db_path, server->settings, server->environment, server->metrics, server->error);
    if (server->store)
        dreamd_log(DREAMD_LOG_INFO, "database_open", dreamd_log_text("path", server->db_path),
                   dreamd_log_text("schema", "up to date"));
    return server->store != NULL;
}

static bool start_sandbox(struct server *server)
{
    char *path = dreamd_sandbox_path(server->db_path);
    const sandbox_options wanted = { .path = path,
                                     .first_port = has(server, OPTION_FREE_PORTS) ? 0 : SANDBOX_FIRST_PORT,
                                     .metrics = server->metrics,
                                     .webhook_pin = server->tls ? dreamd_tls_pin(server->tls) : NULL };
    (void)snprintf(server->error, sizeof server->error, "out of memory");
    server->box = path ? sandbox_start(&wanted, server->error) : NULL;
    bool is_started = server->box && dreamd_sandbox_apply(server->box, server->settings);
    if (is_started)
        dreamd_log(DREAMD_LOG_INFO, "sandbox_started", dreamd_log_text("path", path),
                   dreamd_log_text("note", "it stands for Clerk and Stripe; settings that name others are not used"));
    free(path);
    return is_started;
}

static bool start_service(struct server *server)
{
    const char *const *values = server->arguments->values;
    bool is_free = has(server, OPTION_FREE_PORTS);
    const dreamd_service_options wanted = {
        .settings = server->settings,
        .store = server->store,
        .metrics = server->metrics,
        .listen_api = values[OPTION_API] ? values[OPTION_API]
                      : is_free          ? free_port
                                         : default_api,
        .listen_admin = values[OPTION_ADMIN] ? values[OPTION_ADMIN]
                        : is_free            ? free_port
                                             : default_admin,
        .tls = server->tls,
        .proxies = &server->proxies,
        .assets_folder = server->assets_folder,
    };
    server->service = dreamd_service_start(&wanted, server->error);
    if (!server->service)
        return false;
    if (server->box && !dreamd_sandbox_connect(server->box, dreamd_service_api_url(server->service))) {
        (void)snprintf(server->error, sizeof server->error, "Cannot tell the sandbox where the webhooks go");
        return false;
    }
    return true;
}

/* A test key in a live setting, or the other way, is nearly always a mistake, and one that costs. */
static void warn_about_key(const char *name, const char *key, enum dreamd_mode mode)
{
    const char *other = mode == DREAMD_LIVE ? "_test_" : "_live_";
    if (key && strlen(key) > 2 && strncmp(key + 2, other, strlen(other)) == 0)
        dreamd_log(DREAMD_LOG_WARN, "key_of_the_other_mode", dreamd_log_text("provider", name),
                   dreamd_log_text("mode", mode == DREAMD_LIVE ? "live" : "test"));
}

/* Its secret key travels with every request. */
static void warn_about_base(const char *name, const char *base, const char *key)
{
    static const char *const near[] = { "http://127.", "http://localhost", "http://[::1]", "https://" };
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++)
        if (!key || strncmp(base, near[i], strlen(near[i])) == 0)
            return;
    dreamd_log(DREAMD_LOG_WARN, "provider_in_the_clear", dreamd_log_text("provider", name),
               dreamd_log_text("address", base));
}

static void warn_about_settings(const dreamd_settings *settings)
{
    for (int i = 0; i < DREAMD_MODES; i++) {
        enum dreamd_mode mode = (enum dreamd_mode)i;
        warn_about_key("stripe", settings->stripe[i].secret_key, mode);
        warn_about_key("clerk-platform", settings->clerk_platform[i].secret_key, mode);
        warn_about_key("clerk-end-user", settings->clerk_end_user[i].secret_key, mode);
        warn_about_base("stripe", settings->stripe[i].api_base, settings->stripe[i].secret_key);
        warn_about_base("clerk-platform", settings->clerk_platform[i].api_base, settings->clerk_platform[i].secret_key);
        warn_about_base("clerk-end-user", settings->clerk_end_user[i].api_base, settings->clerk_end_user[i].secret_key);
    }
    if (!settings->clerk_end_user[DREAMD_LIVE].secret_key && !settings->clerk_end_user[DREAMD_TEST].secret_key)
        dreamd_log(DREAMD_LOG_WARN, "not_configured", dreamd_log_text("provider", "clerk-end-user"),
                   dreamd_log_text("note", "set CLERK_SECRET_KEY; until then calls that need it answer 502"));
    if (!settings->stripe[DREAMD_LIVE].secret_key && !settings->stripe[DREAMD_TEST].secret_key)
        dreamd_log(DREAMD_LOG_WARN, "not_configured", dreamd_log_text("provider", "stripe"),
                   dreamd_log_text("note", "set STRIPE_SECRET_KEY; until then calls that need it answer 502"));
}

/* A service manager that was told to wait for this ends us in time: the log says why. */
static void notify(const char *state)
{
    if (!dreamd_notify(state))
        dreamd_log(DREAMD_LOG_WARN, "service_manager_not_told", dreamd_log_text("state", state));
}

static bool print_ready(const struct server *server)
{
    const char *api = dreamd_service_api_url(server->service);
    const char *admin = dreamd_service_admin_url(server->service);
    char *line = dreamd_ready_line(api, admin, server->box);
    bool is_printed = line && dreamd_print_line(line);
    dream_free_secret(line);
    if (!is_printed)
        return false;
    notify("READY=1");
    dreamd_log(DREAMD_LOG_INFO, "ready", dreamd_log_text("api", api), dreamd_log_text("admin", admin));
    return true;
}

static void stop(struct server *server, int64_t drain_ms)
{
    dreamd_service_stop(server->service, drain_ms);
    sandbox_stop(server->box, drain_ms ? SANDBOX_DRAIN_MS : 0);
    dreamd_store_close(server->store);
    dreamd_metrics_free(server->metrics);
    if (server->settings)
        dreamd_settings_clear(server->settings);
    dream_secret_free(server->settings);
    dreamd_tls_free(server->tls);
    dreamd_environment_free(server->environment);
    dreamd_private_folder_remove(server->folder);
    free(server->assets_folder);
    free(server->db_path);
    free(server->folder);
}

/* Many systems give 1024 to begin with, fewer than there may be connections, and let a process that asks have more. */
static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

static int serve(struct server *server)
{
    if (!print_ready(server)) {
        stop(server, 0);
        return DREAMD_EXIT_FAILED;
    }
    int number = dreamd_stop_signal_wait();
    notify("STOPPING=1");
    dreamd_log(DREAMD_LOG_INFO, "stopping", dreamd_log_text("signal", strsignal(number)),
               dreamd_log_int("drain_ms", DRAIN_MS));
    dreamd_stop_signal_arm();
    stop(server, DRAIN_MS);
    dreamd_stop_signal_disarm();
    dreamd_log(DREAMD_LOG_INFO, "stopped", dreamd_log_int("exit_status", DREAMD_EXIT_OK));
    return DREAMD_EXIT_OK;
}

static int run(const dreamd_arguments *arguments)
{
    struct server server = { .arguments = arguments };
    bool is_misuse = false;
    for (int i = OPTION_API; i <= OPTION_ADMIN; i++) {
        if (arguments->values[i] && !is_listen_address(arguments->values[i]))
            return dreamd_misused("--%s wants ADDR:PORT, such as 127.0.0.1:8787 or [::1]:0.", options[i].name);
    }
    if (has(&server, OPTION_TLS_CERT) != has(&server, OPTION_TLS_KEY))
        return dreamd_misused("--tls-cert and --tls-key go together.");
    for (size_t i = 0; i < arguments->repeat_count; i++) {
        if (!dreamd_proxies_add(&server.proxies, arguments->repeats[i].value))
            return dreamd_misused(
                "--trusted-proxy wants an address or a network, such as 10.0.0.0/8 or fd00::/8, with no bits "
                "beyond its prefix.");
    }
    if (!dreamd_stop_signal_block())
        return dreamd_failed("Cannot block signals.");
    raise_file_limit();
    if (load_tls(&server) && choose_database(&server, &is_misuse) && read_settings(&server) && choose_assets(&server)
        && open_store(&server) && (!has(&server, OPTION_SANDBOX) || start_sandbox(&server)) && start_service(&server)) {
        warn_about_settings(server.settings);
        return serve(&server);
    }
    int status = is_misuse ? dreamd_misused("%s.", server.error) : dreamd_failed("%s.", server.error);
    stop(&server, 0);
    return status;
}

const dreamd_command dreamd_command_serve = {
    "serve",
    "Runs the service",
    NULL,
    options,
    "When ready it prints one line of JSON on standard output: where each part listens. Logs go to\n"
    "standard error. SIGTERM, SIGINT or SIGHUP: finishes what is in hand (at most 10 s) and ends with 0;\n"
    "a second one ends at once. Settings are environment variables: see dreamapid(8).\n"
    "--sandbox without --db keeps everything in a temporary folder that is removed at the "
    "end.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
