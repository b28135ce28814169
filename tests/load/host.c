/* SPDX-License-Identifier: Apache-2.0 */
/* host.c - a program that loads plugins, uses them and ends, in the ways that go wrong with libraries which have threads:
 *
 *   host CASE PLUGIN [PLUGIN]     BASE_URL, CA_FILE (only for https) and ROUNDS are in the environment
 *
 * It ends by exit() with 0, or tells what was wrong and ends with 1. Cases that end in the middle of a transfer print "running", and go on
 * when stdin ends. */
#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin.h"

/* What the loader itself keeps of a round, for a plugin that uses libcurl and nothing of ours, is below 200 bytes. */
enum { MAX_BYTES_A_ROUND = 1024, MAX_BYTES_ONCE = 4096, CALLERS = 4, CALLS = 50, CONNECTIONS = 64 };

struct plugin {
    void *handle;
    plugin_open_function open;
    plugin_call_function call;
    plugin_start_function start;
    plugin_close_function close;
};

static void require(bool is_good, const char *what)
{
    if (is_good)
        return;
    fprintf(stderr, "host: %s\n", what);
    _exit(1);
}

static void load(struct plugin *plugin, const char *path)
{
    plugin->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (plugin->handle == NULL)
        fprintf(stderr, "%s\n", dlerror());
    require(plugin->handle != NULL, "the plugin cannot be loaded");
    *(void **)&plugin->open = dlsym(plugin->handle, "plugin_open");
    *(void **)&plugin->call = dlsym(plugin->handle, "plugin_call");
    *(void **)&plugin->start = dlsym(plugin->handle, "plugin_start");
    *(void **)&plugin->close = dlsym(plugin->handle, "plugin_close");
    require(plugin->close != NULL, "a function is missing");
}

static void open_plugin(struct plugin *plugin, const char *path)
{
    load(plugin, path);
    require(plugin->open(getenv("BASE_URL"), getenv("CA_FILE")) == 0, "no client");
}

static void use(struct plugin *plugin)
{
    require(plugin->call() == 0, "a call failed");
}

static void unload(struct plugin *plugin)
{
    require(dlclose(plugin->handle) == 0, "the plugin cannot be unloaded");
}

/* How many entries a folder of /proc has. */
static int entries(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    int count = 0;

    require(folder != NULL, path);
    while ((entry = readdir(folder)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static bool is_mapped(const char *name)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    bool is_found = false;

    while (fgets(line, sizeof(line), maps) != NULL)
        is_found = is_found || strstr(line, name) != NULL;
    fclose(maps);
    return is_found;
}

static void fork_once(void (*in_child)(void *), void *data)
{
    int ended;
    pid_t child = fork();

    if (child == 0) {
        in_child(data);
        exit(0);
    }
    require(child > 0 && waitpid(child, &ended, 0) == child && WIFEXITED(ended) && WEXITSTATUS(ended) == 0,
            "the forked child did not end with 0");
}

static void do_nothing(void *data)
{
    (void)data;
}

/* Loaded, used or not, and unloaded again and again. The first half may leave what libraries below keep for the process's life. */
static void rounds(const char *path, bool is_used)
{
    struct plugin plugin;
    int count = atoi(getenv("ROUNDS"));
    size_t bytes = 0;
    int files = 0;

    for (int i = 0; i < count; i++) {
        if (i == count / 2) {
            bytes = mallinfo2().uordblks;
            files = entries("/proc/self/fd");
        }
        load(&plugin, path);
        if (is_used) {
            require(plugin.open(getenv("BASE_URL"), getenv("CA_FILE")) == 0, "no client");
            use(&plugin);
            plugin.close();
        }
        unload(&plugin);
        require(!is_mapped("dreamapi"), "unloaded, it is still mapped");
        /* The handlers of a library that is gone must be gone too. */
        if (i == 0)
            fork_once(do_nothing, NULL);
    }
    require(entries("/proc/self/task") == 1, "a thread is left");
    require(entries("/proc/self/fd") == files, "a descriptor is left");
    require(mallinfo2().uordblks < bytes + MAX_BYTES_ONCE + (size_t)(count - count / 2) * MAX_BYTES_A_ROUND,
            "memory is left");
}

static void load_only(char **paths)
{
    rounds(paths[0], false);
}

static void load_and_use(char **paths)
{
    rounds(paths[0], true);
}

static void *call_often(void *plugin)
{
    for (int i = 0; i < CALLS; i++)
        use(plugin);
    return NULL;
}

/* Two plugins at once, each with a libdreamapi of its own or with one between them; one goes first. */
static void two_plugins(char **paths)
{
    struct plugin plugins[2];
    pthread_t thread;

    open_plugin(&plugins[0], paths[0]);
    open_plugin(&plugins[1], paths[1]);
    require(pthread_create(&thread, NULL, call_often, &plugins[0]) == 0, "no thread");
    call_often(&plugins[1]);
    pthread_join(thread, NULL);
    plugins[0].close();
    unload(&plugins[0]);
    use(&plugins[1]);
}

static void client_left(char **paths)
{
    struct plugin plugin;

    open_plugin(&plugin, paths[0]);
    use(&plugin);
}

static struct plugin late;

static void close_late(void)
{
    late.close();
}

/* As a C++ program's global object would: its end was registered before the library first ran, so it comes after all others. */
static void freed_late(char **paths)
{
    require(atexit(close_late) == 0, "no handler");
    open_plugin(&late, paths[0]);
    use(&late);
}

static void start_and_wait(struct plugin *plugin, const char *path)
{
    open_plugin(plugin, path);
    require(plugin->start() == 0, "no call");
    puts("running");
    fflush(stdout);
    (void)getchar();
}

static void transfer_left(char **paths)
{
    struct plugin plugin;

    start_and_wait(&plugin, paths[0]);
}

/* So many at once that libcurl begins as many connections as it may. What it does then has to be over when the last handler runs. */
static void connections_begun(char **paths)
{
    require(atexit(close_late) == 0, "no handler");
    open_plugin(&late, paths[0]);
    for (int i = 0; i < CONNECTIONS; i++)
        require(late.start() == 0, "no call");
    puts("running");
    fflush(stdout);
    (void)getchar();
}

static atomic_int calls;

static void *call_for_ever(void *data)
{
    struct plugin *plugin = data;

    for (;;) {
        (void)plugin->call();
        atomic_fetch_add(&calls, 1);
    }
    return NULL;
}

static void await_calls(void)
{
    int until = atomic_load(&calls) + CALLS;

    while (atomic_load(&calls) < until)
        sched_yield();
}

/* The program has a handler of its own that was registered before all others and so runs last: until then the threads go on. */
static void threads_calling(char **paths)
{
    static struct plugin plugin;
    pthread_t thread;

    require(atexit(await_calls) == 0, "no handler");
    open_plugin(&plugin, paths[0]);
    for (int i = 0; i < CALLERS; i++)
        require(pthread_create(&thread, NULL, call_for_ever, &plugin) == 0, "no thread");
    await_calls();
}

static void close_plugin(void *plugin)
{
    ((struct plugin *)plugin)->close();
}

static void fork_then_exit(char **paths)
{
    struct plugin plugin;

    start_and_wait(&plugin, paths[0]);
    fork_once(do_nothing, NULL);
    fork_once(close_plugin, &plugin);
    use(&plugin);
}

static const struct {
    const char *name;
    void (*run)(char **paths);
} cases[] = {
    { "load-only", load_only },
    { "load-and-use", load_and_use },
    { "two-plugins", two_plugins },
    { "client-left", client_left },
    { "freed-late", freed_late },
    { "transfer-left", transfer_left },
    { "connections-begun", connections_begun },
    { "threads-calling", threads_calling },
    { "fork-then-exit", fork_then_exit },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run(argv + 2);
            exit(0);
        }
    }
    fprintf(stderr, "host: no such case\n");
    return 2;
}
