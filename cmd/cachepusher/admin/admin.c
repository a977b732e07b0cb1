#include "admin/admin.h"

#include "admin/listen.h"
#include "admin/metrics.h"
#include "admin/status.h"
#include "common/clock.h"
#include "common/complain.h"
#include "embedded.h"

#include <jansson.h>
#include <microhttpd.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TURN_MS = 500,         /* of the thread, at most */
    STUCK_AFTER_MS = 3500, /* a thread that has not been seen for so long */
    CONNECTIONS = 32,      /* at once */
    SILENT_CLIENT_S = 10,  /* is sent away */
    BODY_BYTES = 4096      /* of a request */
};

struct admin {
    _Atomic(const cp_syncer *) syncer; /* NULL: there is none yet */
    struct admin_facts facts;
    struct logger *logger;
    struct listen_socket listening;
    struct MHD_Daemon *server;
    double started; /* seconds since 1970 */

    pthread_t thread;
    atomic_bool is_ending;
    _Atomic int64_t seen_ms;      /* the thread, last */
    _Atomic int64_t main_seen_ms; /* the main thread */
};

static int64_t now_ms(void)
{
    return (int64_t)(clock_now_s() * 1000);
}

/* ---- answers ---- */

/* Takes text, from malloc. */
static enum MHD_Result answer_owned(struct MHD_Connection *connection, unsigned code, const char *type, char *text)
{
    if (text == NULL) {
        return MHD_NO; /* out of memory: the connection is closed */
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) == -1) {
        text = NULL;
    }
    va_end(arguments);
    return answer_owned(connection, code, "text/plain; charset=utf-8", text);
}

static enum MHD_Result answer_metrics(struct admin *admin, struct MHD_Connection *connection)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return MHD_NO;
    }
    metrics_write(out, admin->syncer, &admin->facts, admin->started);
    if (fclose(out) != 0) {
        free(text);
        return MHD_NO;
    }
    return answer_owned(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text);
}

static enum MHD_Result answer_page(struct MHD_Connection *connection)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(embedded_page_html), (void *)embedded_page_html, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/html; charset=utf-8");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    /* What it may load and run it says itself; who may frame it cannot be said there. */
    MHD_add_response_header(response, "Content-Security-Policy", "frame-ancestors 'none'");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- health ---- */

static enum MHD_Result answer_live(struct admin *admin, struct MHD_Connection *connection)
{
    cp_health health = {.size = sizeof health, .alive = true};
    if (admin->syncer != NULL) {
        cp_syncer_health(admin->syncer, &health, NULL);
    }
    int64_t silent_ms = now_ms() - atomic_load(&admin->main_seen_ms);
    if (silent_ms >= STUCK_AFTER_MS) {
        return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the main thread is stuck: nothing for %.1f s\n",
                      (double)silent_ms / 1000);
    }
    if (!health.alive) {
        return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "%s\n", health.why);
    }
    return answer(connection, MHD_HTTP_OK, "alive\n");
}

static enum MHD_Result answer_ready(struct admin *admin, struct MHD_Connection *connection)
{
    cp_health health = {.size = sizeof health};
    cp_syncer_health(admin->syncer, &health, NULL);
    if (health.ready) {
        return answer(connection, MHD_HTTP_OK, "%s\n", cp_state_name(health.state));
    }
    return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "%s: %s\n", cp_state_name(health.state), health.why);
}

/* ---- requests ---- */

/* A request with a body, while that comes in. */
struct body {
    char text[BODY_BYTES + 1];
    size_t length;
    bool is_too_long;
};

static enum MHD_Result retry(struct admin *admin, struct MHD_Connection *connection, const struct body *body)
{
    cp_error err = {0};
    json_error_t wrong;
    const char *entity = NULL;
    const char *id = NULL;
    json_t *of = NULL;
    json_t *asked = body->is_too_long ? NULL : json_loadb(body->text, body->length, 0, &wrong);
    if (asked == NULL || json_unpack(asked, "{s:s, s:s, s?o}", "entity", &entity, "id", &id, "table", &of) != 0 ||
        (of != NULL && !json_is_null(of) && !json_is_string(of))) {
        json_decref(asked);
        return answer(connection, MHD_HTTP_BAD_REQUEST,
                      "expected {\"entity\": \"...\", \"id\": \"...\"}, and \"table\" where it has one\n");
    }
    /* Not const for this alone; a syncer may be asked by any thread. */
    cp_syncer *syncer = (cp_syncer *)(uintptr_t)admin->syncer;
    const char *table = json_string_value(of);
    cp_code code = table != NULL ? cp_syncer_enqueue_rows(syncer, entity, table, id, &err)
                                 : cp_syncer_enqueue(syncer, entity, id, &err);
    if (code == CP_OK) {
        logger_printf(admin->logger, CP_LOG_INFO, "admin: %s %s is to be tried again", table != NULL ? table : entity,
                      id);
    }
    json_decref(asked);
    return code == CP_OK ? answer(connection, MHD_HTTP_ACCEPTED, "it is tried again\n")
                         : answer(connection, MHD_HTTP_BAD_REQUEST, "%s\n", err.message);
}

static enum MHD_Result take_body(struct body *body, const char *bytes, size_t *length)
{
    size_t room = BODY_BYTES - body->length;
    size_t n = *length < room ? *length : room;
    memcpy(body->text + body->length, bytes, n);
    body->length += n;
    body->is_too_long = body->is_too_long || n < *length;
    *length = 0;
    return MHD_YES;
}

static enum MHD_Result handle_post(struct admin *admin, struct MHD_Connection *connection, const char *path,
                                   const char *bytes, size_t *length, void **state)
{
    if (strcmp(path, "/parked/retry") != 0) {
        return answer(connection, MHD_HTTP_NOT_FOUND, "POST is for /parked/retry\n");
    }
    /* A page of somebody else's, in the browser of whoever may reach us, cannot send this header. */
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Cachepusher") == NULL) {
        return answer(connection, MHD_HTTP_FORBIDDEN, "the header X-Cachepusher is missing\n");
    }
    struct body *body = *state;
    if (body == NULL) {
        *state = calloc(1, sizeof *body);
        return *state != NULL ? MHD_YES : MHD_NO;
    }
    return *length > 0 ? take_body(body, bytes, length) : retry(admin, connection, body);
}

static enum MHD_Result handle_get(struct admin *admin, struct MHD_Connection *connection, const char *path)
{
    if (strcmp(path, "/metrics") == 0) {
        return answer_metrics(admin, connection);
    }
    if (strcmp(path, "/livez") == 0) {
        return answer_live(admin, connection);
    }
    if (strcmp(path, "/readyz") == 0) {
        return answer_ready(admin, connection);
    }
    if (strcmp(path, "/status") == 0) {
        return answer_owned(connection, MHD_HTTP_OK, "application/json",
                            status_json(admin->syncer, &admin->facts, admin->started));
    }
    if (strcmp(path, "/") == 0) {
        return answer_page(connection);
    }
    return answer(connection, MHD_HTTP_NOT_FOUND, "there are /, /status, /metrics, /livez and /readyz\n");
}

static enum MHD_Result handle_early(struct admin *admin, struct MHD_Connection *connection, const char *path)
{
    return strcmp(path, "/livez") == 0
               ? answer_live(admin, connection)
               : answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "starting: looking up what is declared\n");
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *bytes, size_t *length, void **state)
{
    struct admin *admin = context;
    (void)version;
    if (admin->syncer == NULL) {
        return handle_early(admin, connection, path);
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0) {
        return handle_get(admin, connection, path);
    }
    if (strcmp(method, MHD_HTTP_METHOD_POST) == 0) {
        return handle_post(admin, connection, path, bytes, length, state);
    }
    return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and POST only\n");
}

static void end_request(void *context, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode how)
{
    (void)context;
    (void)connection;
    (void)how;
    free(*state);
    *state = NULL;
}

/* ---- the thread ---- */

static void *serve(void *context)
{
    struct admin *admin = context;
    while (!atomic_load(&admin->is_ending)) {
        atomic_store(&admin->seen_ms, now_ms());
        MHD_run_wait(admin->server, TURN_MS);
    }
    return NULL;
}

static void log_of_server(void *context, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

static void log_of_server(void *context, const char *format, va_list arguments)
{
    const struct admin *admin = context;
    char text[256];
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    logger_printf(admin->logger, CP_LOG_DEBUG, "admin: %s", text);
}

static bool start_thread(struct admin *admin)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&admin->thread, NULL, serve, admin);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        complain("--admin: cannot start a thread: %s", strerror(failure));
        return false;
    }
    pthread_setname_np(admin->thread, "cp-admin");
    return true;
}

void admin_tell_of(struct admin *admin, const cp_syncer *syncer)
{
    if (admin != NULL) {
        atomic_store(&admin->syncer, syncer);
    }
}

struct admin *admin_open(const char *address, const struct admin_facts *facts, struct logger *logger)
{
    struct admin *admin = calloc(1, sizeof *admin);
    struct timespec now;
    if (admin == NULL) {
        complain("out of memory");
        return NULL;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    admin->started = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    atomic_init(&admin->syncer, NULL);
    admin->facts = *facts;
    admin->logger = logger;
    atomic_init(&admin->is_ending, false);
    atomic_init(&admin->seen_ms, now_ms());
    atomic_init(&admin->main_seen_ms, now_ms());
    if (!listen_open(&admin->listening, address)) {
        free(admin);
        return NULL;
    }
    admin->server =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, admin, MHD_OPTION_EXTERNAL_LOGGER,
                         log_of_server, admin, MHD_OPTION_LISTEN_SOCKET, admin->listening.fd,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                         (unsigned)SILENT_CLIENT_S, MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL, MHD_OPTION_END);
    if (admin->server == NULL) {
        complain("--admin: %s: the server does not start: %s", address, strerror(errno));
        listen_close(&admin->listening);
        free(admin);
        return NULL;
    }
    admin->listening.fd = -1; /* the server's now */
    if (!start_thread(admin)) {
        MHD_stop_daemon(admin->server);
        listen_close(&admin->listening);
        free(admin);
        return NULL;
    }
    logger_printf(logger, admin->listening.is_loopback ? CP_LOG_INFO : CP_LOG_WARN, "admin: listening at %s%s", address,
                  admin->listening.is_loopback ? "" : ", where others can reach it: nobody is asked for a password");
    return admin;
}

void admin_close(struct admin *admin)
{
    if (admin == NULL) {
        return;
    }
    atomic_store(&admin->is_ending, true);
    pthread_join(admin->thread, NULL);
    MHD_stop_daemon(admin->server);
    listen_close(&admin->listening);
    free(admin);
}

void admin_main_is_well(struct admin *admin)
{
    if (admin != NULL) {
        atomic_store(&admin->main_seen_ms, now_ms());
    }
}

void admin_main_stops(struct admin *admin)
{
    if (admin != NULL) {
        atomic_store(&admin->main_seen_ms, INT64_MAX);
    }
}

bool admin_is_well(const struct admin *admin)
{
    return admin == NULL || now_ms() - atomic_load(&admin->seen_ms) < STUCK_AFTER_MS;
}
