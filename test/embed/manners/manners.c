/*
 * manners CASE: a host that is particular about something, and what the library makes of it. Needs the servers that
 * CP_DSN and CP_REDIS name, psql and redis-cli (manners.sh). The exit code is 0 if all is as it should be.
 */
#define _GNU_SOURCE
#include "host.h"

#include <dirent.h>
#include <locale.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef THREAD_LOCAL_BYTES
static _Thread_local char own[THREAD_LOCAL_BYTES]; /* with glibc it lies on the stack of each thread */
#else
static _Thread_local char own[1];
#endif

/* Nothing but what every other case does as well. */
static void plain(void)
{
    own[0] = 1;
    cp_syncer *syncer = run_syncer(NULL);
    expect_customer(syncer, 7, "plain");
    end_syncer(syncer);
}

/* ---- numbers, where the decimal point is a comma ---- */

/* Makes Postgres keep notifications for a session that does not take them. */
static FILE *fill_notification_queue(void)
{
    FILE *psql = popen("psql -qX", "w");
    expect(psql != NULL, "psql");
    fprintf(psql, "listen unread; begin; create table listens();\n");
    fflush(psql);
    wait_for_sql("select count(*) = 1 from pg_stat_activity where query like '%create table listens%' and state ~ "
                 "'^idle in'");
    sql("select count(pg_notify('unread', i || repeat('x', 7000))) from generate_series(1, 400) i");
    return psql;
}

static void comma(void)
{
    cp_error err = {0};
    expect(setlocale(LC_ALL, "comma") != NULL, "the locale");
    char number[16];
    snprintf(number, sizeof number, "%.1f", 0.5);
    expect(strcmp(number, "0,5") == 0, "its comma");
    cp_config *config = make_config();
    check(cp_config_parse(config, "{\"batch_bytes\": 100000, \"max_lag_ms\": 1500}", "test", &err), &err);
    char value[16];
    check(cp_config_get(config, "batch_bytes", value, sizeof value, &err), &err);
    expect(strcmp(value, "100000") == 0, "a number of a setting");
    cp_syncer *syncer = run_with(config, NULL);
    sql("create or replace function customer_get(id integer) returns json language sql stable as"
        " $$ select json_build_object('half', 0.5, 'large', 1234567.25, 'name', name) from customer where id_customer "
        "= $1 $$;"
        "create or replace function customer_get_many(ids integer[]) returns table (id integer, document json)"
        " language sql stable as $$ select i, customer_get(i) from unnest($1) i $$");
    check(cp_syncer_resync(syncer, NULL, &err), &err);
    wait_for_redis("GET customer:7", "{\"half\" : 0.5, \"large\" : 1234567.25, \"name\" : ");
    cp_verify_result result = {.size = sizeof result};
    check(cp_syncer_verify(syncer, NULL, &result, &err), &err);
    expect(result.equal == 500 && result.different == 0, "a verification");

    FILE *psql = fill_notification_queue();
    cp_stats stats = {.size = sizeof stats};
    for (int64_t until_ms = deadline_ms(); stats.notification_queue == 0;) {
        wait_more(until_ms, "cp_stats.notification_queue is above 0");
        check(cp_syncer_stats(syncer, &stats, &err), &err);
    }
    pclose(psql);
    end_syncer(syncer);
    expect(strcmp(setlocale(LC_ALL, NULL), "comma") == 0, "the locale is the host's");
}

/* ---- signals ---- */

static volatile sig_atomic_t signalled;

static void note_signal(int number)
{
    signalled = number;
}

/* Nobody can handle or block it: 32 and 33 are glibc's own. */
static bool is_the_systems(int number)
{
    return number == SIGKILL || number == SIGSTOP || number == 32 || number == 33;
}

/* Each signal is one that a thread of the library would take if it did not block it: the host's only thread does. */
static void signals(void)
{
    sigset_t all;
    cp_syncer *syncer = run_syncer(NULL);
    for (int number = 1; number < NSIG; number++) {
        signal(number, number == SIGPIPE ? SIG_DFL : note_signal); /* those that cannot be handled stay */
    }
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (int number = 1; number < NSIG; number++) {
        if (!is_the_systems(number)) {
            kill(getpid(), number);
        }
    }
    expect_customer(syncer, 7, "while signals are pending");
    expect(signalled == 0, "no signal is taken by a thread of the library");

    /* Sockets that are gone, under threads that write to them. */
    redis("CLIENT KILL TYPE normal");
    expect_customer(syncer, 7, "after Redis has closed every connection");
    sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name ~ 'cachepusher'");
    expect_customer(syncer, 8, "after Postgres has ended every session");
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        bool is_ours = is_the_systems(number) || (sigaction(number, NULL, &action) == 0 &&
                                                  action.sa_handler == (number == SIGPIPE ? SIG_DFL : note_signal));
        expect(is_ours, "every handler is the host's");
    }
    end_syncer(syncer);
    expect(signalled == 0, "no signal until the end");
}

/* ---- a host's threads with small stacks ---- */

static void visit(void *context, const cp_parked *parked)
{
    (void)context;
    (void)parked;
}

static void call_the_rest(cp_syncer *syncer)
{
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    cp_stats stats = {.size = sizeof stats};
    cp_health health = {.size = sizeof health};
    cp_histogram histogram = {.size = sizeof histogram};
    cp_entity_stats entity = {.size = sizeof entity};
    cp_lane lane = {.size = sizeof lane};
    cp_thread thread = {.size = sizeof thread};
    cp_ticket ticket = 0;
    check(cp_syncer_resync(syncer, NULL, &err), &err);
    check(cp_syncer_ticket(syncer, &ticket, &err), &err);
    check(cp_syncer_wait(syncer, ticket, -1, &err), &err);
    check(cp_syncer_verify(syncer, NULL, &result, &err), &err);
    check(cp_syncer_stats(syncer, &stats, &err), &err);
    check(cp_syncer_health(syncer, &health, &err), &err);
    check(cp_syncer_histogram(syncer, 0, &histogram, &err), &err);
    check(cp_syncer_entity(syncer, 0, &entity, &err), &err);
    check(cp_syncer_lane(syncer, 0, &lane, &err), &err);
    check(cp_syncer_thread(syncer, 0, &thread, &err), &err);
    check(cp_syncer_parked(syncer, visit, NULL, NULL, &err), &err);
    check(cp_syncer_last_error(syncer, &err), &err);
    expect(cp_config_set(NULL, NULL, NULL, &err) == CP_ERR_ARGUMENT, "what is wrong is refused");
}

static void *call_everything(void *context)
{
    static const char declared[] =
        "{\"entities\": [{\"name\": \"thing\", \"key\": \"thing:{id}\", \"document\": {\"table\": \"customer\"}}]}";
    cp_error err = {0};
    cp_config *config = make_config();
    check(cp_config_load(config, context, &err), &err);
    cp_config *other = make_config();
    check(cp_config_parse(other, declared, "test", &err), &err);
    expect(cp_config_resolve(other, &err) == CP_ERR_POSTGRES, err.message); /* which takes a connection */
    expect(cp_config_same(config, other, "redis"), "cp_config_same()");
    cp_config_destroy(other);
    cp_syncer *syncer = run_with(config, NULL);
    expect_customer(syncer, 7, "from a small stack");
    call_the_rest(syncer);
    end_syncer(syncer);
    return NULL;
}

static void small_stack(void)
{
    char path[] = "/tmp/cp-manners.XXXXXX";
    pthread_attr_t attributes;
    pthread_t thread;
    int fd = mkstemp(path);
    expect(fd >= 0 && write(fd, "{\"threads\": 2}", 14) == 14 && close(fd) == 0, path);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    expect(pthread_create(&thread, &attributes, call_everything, path) == 0, "a thread");
    pthread_join(thread, NULL);
    unlink(path);
}

/* ---- how much of their stacks the library's threads use ---- */

enum { PAINT = 0xA5, OWN_FRAME = 512, DEEPEST_KIB = 128 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static size_t deepest;
static char deepest_in[16];

static unsigned char *stack_of_this_thread(size_t *size)
{
    pthread_attr_t attributes;
    void *lowest;
    expect(pthread_getattr_np(pthread_self(), &attributes) == 0, "a thread's attributes");
    pthread_attr_getstack(&attributes, &lowest, size);
    pthread_attr_destroy(&attributes);
    return lowest;
}

static void paint(void *context, const char *name)
{
    size_t size;
    volatile unsigned char *lowest = stack_of_this_thread(&size);
    (void)context;
    (void)name;
    const unsigned char *here = __builtin_frame_address(0);
    for (volatile unsigned char *at = lowest; at < here - OWN_FRAME; at++) {
        *at = PAINT;
    }
}

static void measure(void *context, const char *name)
{
    size_t size;
    size_t untouched = 0;
    const unsigned char *lowest = stack_of_this_thread(&size);
    (void)context;
    while (untouched < size && lowest[untouched] == PAINT) {
        untouched++;
    }
    pthread_mutex_lock(&mutex);
    if (size - untouched > deepest) {
        deepest = size - untouched;
        snprintf(deepest_in, sizeof deepest_in, "%s", name);
    }
    pthread_mutex_unlock(&mutex);
}

static void stack(void)
{
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    cp_callbacks callbacks = {.size = sizeof callbacks, .thread_start = paint, .thread_end = measure};
    cp_config *config = make_config();
    check(cp_config_set(config, "audit_per_second", "100", &err), &err);
    cp_syncer *syncer = run_with(config, &callbacks);
    expect_customer(syncer, 7, "");
    check(cp_syncer_resync(syncer, NULL, &err), &err);
    check(cp_syncer_verify(syncer, NULL, &result, &err), &err);
    redis("CLIENT KILL TYPE normal");
    sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name ~ 'cachepusher'");
    expect_customer(syncer, 8, "after every connection has been made again");
    end_syncer(syncer);
    printf("deepest: %zu KiB, in %s\n", deepest >> 10, deepest_in);
    expect(deepest > 0 && deepest < (size_t)DEEPEST_KIB << 10, "no more than half of the library's share");
}

/* ---- descriptors ---- */

static int count_inherited(void)
{
    int count = 0;
    DIR *list = opendir("/proc/self/fd");
    for (const struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        count += atoi(entry->d_name) > STDERR_FILENO && atoi(entry->d_name) != dirfd(list);
    }
    closedir(list);
    return count;
}

static void descriptors(void)
{
    close_range(STDERR_FILENO + 1, ~0u, 0); /* what this program has inherited itself */
    cp_syncer *syncer = run_syncer(NULL);
    int here = count_inherited();
    expect(here >= 10, "the library has descriptors");
    for (int i = 0; i < 50; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
            execl("/proc/self/exe", "manners", "inherited", (char *)NULL);
            _exit(127);
        }
        expect(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
               "an executed program inherits nothing of the library");
        expect_customer(syncer, 1 + i, "while programs are executed");
    }
    end_syncer(syncer);
    expect(count_inherited() < here, "they are closed again");
}

static void inherited(void)
{
    expect(count_inherited() == 0, "nothing is inherited");
}

/* ---- OpenSSL ---- */

static void use_openssl(void)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    expect(EVP_Digest("host", 4, digest, &length, EVP_sha256(), NULL) == 1 && length == 32, "the host's own OpenSSL");
}

static void openssl(void)
{
    expect(OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_LOAD_CONFIG, NULL) == 1, "OpenSSL");
    use_openssl();
    cp_syncer *syncer = run_syncer(NULL);
    use_openssl();
    expect_customer(syncer, 7, "beside an OpenSSL of the host");
    end_syncer(syncer);
    use_openssl();
    syncer = run_syncer(NULL);
    end_syncer(syncer);
    OPENSSL_cleanup();
}

/* Registered before the first start, the host's own goes after the library's. */
static void openssl_at_exit(void)
{
    expect(OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_LOAD_CONFIG, NULL) == 1, "OpenSSL");
    atexit(OPENSSL_cleanup);
    expect_customer(run_syncer(NULL), 7, "and now exit() with the syncer running");
    exit(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"plain", plain},
                 {"comma", comma},
                 {"signals", signals},
                 {"small_stack", small_stack},
                 {"stack", stack},
                 {"descriptors", descriptors},
                 {"inherited", inherited},
                 {"openssl", openssl},
                 {"openssl_at_exit", openssl_at_exit}};
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            return EXIT_SUCCESS;
        }
    }
    fprintf(stderr, "usage: manners CASE\n");
    return EXIT_FAILURE;
}
