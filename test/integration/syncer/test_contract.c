/* What the header promises about odd moments and about what is said. */
#include "equal.h"
#include "servers.h"
#include "suites.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STOP_MS = 2000 };

/* ---- a server of the test's own ---- */

/* Listens on a port of 127.0.0.1 that the kernel chooses. */
static int open_server(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, 16) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* The next client, before the deadline; -1 when there is none. */
static int accept_client(int server)
{
    struct pollfd ready = {.fd = server, .events = POLLIN};
    return poll(&ready, 1, timeout_ms()) == 1 ? accept4(server, NULL, NULL, SOCK_CLOEXEC) : -1;
}

struct fake_redis {
    struct fixture *f;
    int server;
    const char *answer; /* to whatever the client sends first */
};

static void *answer_once(void *context)
{
    struct fake_redis *fake = context;
    char bytes[512];
    int client = accept_client(fake->server);
    bool fine = client >= 0 && read(client, bytes, sizeof bytes) > 0 &&
                write(client, fake->answer, strlen(fake->answer)) == (ssize_t)strlen(fake->answer);
    if (!fine) {
        atomic_fetch_add(&fake->f->thread_fault, 1);
    }
    while (fine && read(client, bytes, sizeof bytes) > 0) {
    }
    if (client >= 0) {
        close(client);
    }
    return NULL;
}

/* Redis quotes what it does not understand: a server without AUTH answers with the password in it. */
START_TEST(no_password_in_messages)
{
    struct fixture *f = fixture_open();
    int port = 0;
    static const char *const answers[] = {
        "-ERR unknown command 'AUTH', with args beginning with: 'sesame' \r\n",
        "-ERR unknown command `AUTH`, with args beginning with: `sesame`, \r\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        static struct fake_redis fake;
        fake = (struct fake_redis){.f = f, .server = open_server(&port), .answer = answers[i]};
        char redis[64];
        snprintf(redis, sizeof redis, "redis://:sesame@127.0.0.1:%d", port);
        cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("redis", redis));
        fixture_thread(f, answer_once, &fake);
        cp_error err = {0};
        REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_REDIS);
        fixture_join(f);
        close(fake.server);
        REQUIRE_CONTAINS(err.message, "unknown command");
        REQUIRE(strstr(err.message, "sesame") == NULL);
        REQUIRE_INT(count_logged(f, "sesame"), ==, 0);
        destroy_syncer(f, syncer);
    }
    fixture_close(f);
}
END_TEST

/* libpq would print them; the library prints nothing. */
START_TEST(warnings_of_functions_go_to_the_log)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) values (1, 'Ada')");
    fetch_by_customer_get(f);
    sql(f, "create or replace function customer_get(id integer) returns json language plpgsql stable as"
           " $$ begin raise warning 'hello %', id; return json_build_object('id', id); end $$");
    FILE *printed = tmpfile();
    int saved = dup(STDERR_FILENO);
    REQUIRE(printed != NULL && saved >= 0 && dup2(fileno(printed), STDERR_FILENO) >= 0);
    cp_error err = {0};
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    cp_code code = cp_syncer_start(syncer, &err);
    code = code == CP_OK ? cp_syncer_wait_ready(syncer, timeout_ms(), &err) : code;
    cp_code stopped = cp_syncer_stop(syncer, timeout_ms(), NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    long length = fseek(printed, 0, SEEK_END) == 0 ? ftell(printed) : -1;
    fclose(printed);
    REQUIRE_OK(code, err);
    REQUIRE_INT(stopped, ==, CP_OK);
    REQUIRE_INT(length, ==, 0);
    expect_document(f, 1, "{\"id\" : 1}");
    REQUIRE_INT(count_logged(f, "hello 1"), ==, 1);
    REQUIRE_INT(count_logged(f, "debug: cachepusher worker: WARNING:  hello 1"), ==, 1);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- stopping in odd moments ---- */

struct waiter {
    cp_syncer *syncer;
    int timeout_ms;
    atomic_bool waiting;
    atomic_bool done;
    cp_code code;
    cp_error err;
};

static void *wait_long(void *context)
{
    struct waiter *waiter = context;
    atomic_store(&waiter->waiting, true);
    waiter->code = cp_syncer_wait_ready(waiter->syncer, waiter->timeout_ms, &waiter->err);
    atomic_store(&waiter->done, true);
    return NULL;
}

START_TEST(stopped_before_it_was_started)
{
    struct fixture *f = fixture_open();
    for (int round = 0; round < 20; round++) {
        static struct waiter waiter;
        /* For ever only when it has turned out to be woken. */
        waiter = (struct waiter){.syncer = make_syncer(f, NULL, NO_SETTINGS),
                                 .timeout_ms = round < 10 ? 2 * STOP_MS * slowness() : -1};
        cp_syncer *syncer = waiter.syncer;
        cp_error err = {0};
        fixture_thread(f, wait_long, &waiter);
        WAIT_UNTIL(atomic_load(&waiter.waiting));
        poll(NULL, 0, round % 4); /* so that it waits in some of the rounds, and is about to in others */
        int64_t began_ms = now_ms();
        REQUIRE_OK(cp_syncer_stop(syncer, 0, &err), err);
        WAIT_UNTIL(atomic_load(&waiter.done));
        REQUIRE_INT(now_ms() - began_ms, <, STOP_MS * slowness());
        fixture_join(f);
        REQUIRE_INT(waiter.code, ==, CP_ERR_STOPPED);
        REQUIRE_CONTAINS(waiter.err.message, "stopping");
        REQUIRE_INT(cp_syncer_enqueue(syncer, "customer", "1", &err), ==, CP_ERR_STOPPED);
        REQUIRE_INT(cp_syncer_resync(syncer, NULL, &err), ==, CP_ERR_STOPPED);
        REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_STOPPED);
        REQUIRE_CONTAINS(err.message, "stopped");
        REQUIRE_INT(cp_syncer_wait_ready(syncer, -1, &err), ==, CP_ERR_STOPPED);
        REQUIRE_OK(cp_syncer_stop(syncer, 0, &err), err);
        REQUIRE(!stats_of(syncer).ready);
        destroy_syncer(f, syncer);
    }
    fixture_close(f);
}
END_TEST

struct starter {
    cp_syncer *syncer;
    atomic_bool done;
    cp_code code;
    cp_error err;
};

static void *start_it(void *context)
{
    struct starter *starter = context;
    starter->code = cp_syncer_start(starter->syncer, &starter->err);
    atomic_store(&starter->done, true);
    return NULL;
}

/* The server takes the connection and never says a word. */
static void stop_while_starting(struct fixture *f, const char *const *settings, int server)
{
    static struct starter starter;
    starter = (struct starter){.syncer = make_syncer(f, NULL, settings)};
    cp_error err = {0};
    fixture_thread(f, start_it, &starter);
    int client = accept_client(server);
    REQUIRE(client >= 0);
    REQUIRE(!atomic_load(&starter.done));
    int64_t began_ms = now_ms();
    REQUIRE_OK(cp_syncer_stop(starter.syncer, 0, &err), err);
    WAIT_UNTIL(atomic_load(&starter.done));
    REQUIRE_INT(now_ms() - began_ms, <, STOP_MS * slowness());
    fixture_join(f);
    close(client);
    REQUIRE_INT(starter.code, !=, CP_OK);
    REQUIRE_INT(cp_syncer_start(starter.syncer, &err), ==, CP_ERR_STOPPED);
    REQUIRE_CONTAINS(err.message, "stopped");
    destroy_syncer(f, starter.syncer);
}

START_TEST(stopped_while_it_starts)
{
    struct fixture *f = fixture_open();
    int port = 0;
    int server = open_server(&port);
    char postgres[100];
    char redis[64];
    snprintf(postgres, sizeof postgres, "host=127.0.0.1 port=%d dbname=x user=x", port);
    snprintf(redis, sizeof redis, "127.0.0.1:%d", port);
    stop_while_starting(f, SETTINGS("postgres", postgres, "connect_timeout_ms", "60000"), server);
    stop_while_starting(f, SETTINGS("redis", redis, "connect_timeout_ms", "60000", "redis_timeout_ms", "60000"),
                        server);
    close(server);
    fixture_close(f);
}
END_TEST

/* ---- rights ---- */

static void expect_refusal(cp_syncer *syncer, const char *part)
{
    cp_error err = {0};
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_POSTGRES);
    REQUIRE_CONTAINS(err.message, part);
    REQUIRE_CONTAINS(err.message, "entity \"customer\"");
    REQUIRE(strchr(err.message, '\n') == NULL);
    REQUIRE(!err.retriable);
}

START_TEST(start_without_rights)
{
    struct fixture *f = fixture_open();
    char dsn[600];
    snprintf(dsn, sizeof dsn, "%s user=cp_password password=secret", f->dsn);
    sql(f, "insert into customer (id_customer, name) values (1, 'Ada');"
           "revoke execute on function customer_get_many from public; grant select on address to cp_password");
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("postgres", dsn));
    expect_refusal(syncer, "no right to execute fetch function customer_get_many");
    sql(f, "grant execute on function customer_get_many to cp_password");
    expect_refusal(syncer, "permission denied for table customer");
    sql(f, "grant select on customer to cp_password");
    start_syncer(syncer);
    wait_ready(syncer);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *contract_suite(void)
{
    Suite *suite = suite_create("contract");
    TCase *tcase = tcase_create("contract");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, no_password_in_messages);
    tcase_add_test(tcase, warnings_of_functions_go_to_the_log);
    tcase_add_test(tcase, stopped_before_it_was_started);
    tcase_add_test(tcase, stopped_while_it_starts);
    tcase_add_test(tcase, start_without_rights);
    suite_add_tcase(suite, tcase);
    return suite;
}
