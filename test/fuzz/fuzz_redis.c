/*
 * A target whose Redis answers whatever it likes. The input's first line says what is done, a letter for each call (see
 * steps below; others are ignored), and what the server does as it should, in capitals. The rest is what it answers:
 * pieces that a '|' ends, one for each command.
 */
#include "fuzz_server.h"

#include "redis/target.h"

enum { STEPS_MAX = 24 };

static struct {
    bool greets;        /* V: PING, INFO and what else there is at the beginning is answered as Redis does */
    bool lists_clients; /* L: and so are CLIENT LIST and CLIENT KILL */
} manners;

/* ---- the server ---- */

struct command {
    const char *arguments[4]; /* the first ones */
    size_t lengths[4];
    size_t count;
};

static const char *parse_head(const char *at, const char *end, size_t *number)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    if (newline == NULL) {
        return NULL;
    }
    *number = strtoul(at + 1, NULL, 10);
    return newline + 1;
}

/* How many bytes the first command has; 0: not all of it is there. */
static size_t parse_command(const char *bytes, size_t length, struct command *command)
{
    const char *end = bytes + length;
    const char *at = parse_head(bytes, end, &command->count);
    for (size_t i = 0; at != NULL && i < command->count; i++) {
        size_t size = 0;
        at = at < end ? parse_head(at, end, &size) : NULL;
        if (at == NULL || (size_t)(end - at) < size + 2) {
            return 0;
        }
        if (i < sizeof command->lengths / sizeof *command->lengths) {
            command->arguments[i] = at;
            command->lengths[i] = size;
        }
        at += size + 2;
    }
    return at != NULL ? (size_t)(at - bytes) : 0;
}

static bool is_argument(const struct command *command, size_t i, const char *text)
{
    return i < command->count && command->lengths[i] == strlen(text) &&
           memcmp(command->arguments[i], text, strlen(text)) == 0;
}

static void say(struct fuzz_client *client, const char *text)
{
    fuzz_server_say(client, text, strlen(text));
}

static void say_string(struct fuzz_client *client, const char *text)
{
    char reply[1024];
    snprintf(reply, sizeof reply, "$%zu\r\n%s\r\n", strlen(text), text);
    say(client, reply);
}

static bool answer_greeting(struct fuzz_client *client, const struct command *command)
{
    char number[32];
    if (is_argument(command, 0, "PING")) {
        say(client, "+PONG\r\n");
    } else if (is_argument(command, 0, "INFO")) {
        say_string(client, is_argument(command, 1, "server")
                               ? "# Server\r\nrun_id:run-1\r\nredis_mode:standalone\r\n"
                               : "# Replication\r\nrole:master\r\nmaster_replid:history-1\r\n");
    } else if (is_argument(command, 0, "CLIENT") && is_argument(command, 1, "ID")) {
        snprintf(number, sizeof number, ":%lld\r\n", client->number);
        say(client, number);
    } else if (is_argument(command, 0, "CLIENT") && is_argument(command, 1, "SETNAME")) {
        say(client, "+OK\r\n");
    } else {
        return false;
    }
    return true;
}

static bool answer_clients(struct fuzz_client *client, const struct command *command)
{
    if (!is_argument(command, 0, "CLIENT")) {
        return false;
    }
    if (is_argument(command, 1, "LIST")) {
        char list[512];
        size_t used = (size_t)snprintf(list, sizeof list, "id=900 name=cachepusher-worker:group:other db=0\n");
        for (long long number = 1; number <= 4; number++) {
            if (fuzz_server_client(number) != NULL) {
                used += (size_t)snprintf(list + used, sizeof list - used, "id=%lld name=cachepusher-proof\n", number);
            }
        }
        say_string(client, list);
        return true;
    }
    if (is_argument(command, 1, "KILL") && command->count > 3) {
        struct fuzz_client *other = fuzz_server_client(strtoll(command->arguments[3], NULL, 10));
        if (other != NULL) {
            fuzz_server_hang_up(other);
        }
        say(client, other != NULL ? ":1\r\n" : ":0\r\n");
        return true;
    }
    return false;
}

static size_t answer(struct fuzz_client *client)
{
    struct command command = {.count = 0};
    size_t length = parse_command(client->in, client->used, &command);
    if (length == 0 || client->hung_up) {
        return length;
    }
    if ((manners.greets && answer_greeting(client, &command)) ||
        (manners.lists_clients && answer_clients(client, &command))) {
        return length;
    }
    size_t size = 0;
    const uint8_t *piece = fuzz_server_next(&size);
    if (piece != NULL) {
        fuzz_server_say(client, piece, size);
    } else {
        fuzz_server_hang_up(client);
    }
    return length;
}

/* ---- what is done ---- */

static const char marker[] = "cachepusher:marker:fuzz";

static struct cpi_entity entities[] = {{.id_type = CPI_ID_BIGINT}, {.id_type = CPI_ID_TEXT}, {.id_type = CPI_ID_UUID}};

enum { ENTITIES = sizeof entities / sizeof *entities };

/* One input's. */
struct run {
    struct cpi_target *target;
    const struct cpi_target_ops *ops;
    struct cpi_cursor cursor;
    struct cpi_keys keys;
    uint32_t appended; /* in the round under way */
};

/* A call that fails says why. One that succeeds is no sign that the target was open before. */
static void check(cp_code code, const cp_error *err)
{
    if (code != CP_OK) {
        fuzz_check_server_error(err, CP_ERR_REDIS);
    }
}

static void check_result(struct run *run, const struct cpi_result *result)
{
    bool is_open = run->ops->is_open(run->target);
    switch (result->answer) {
    case CPI_ANSWER_DONE:
        REQUIRE(result->kind != CPI_VALUE_STRING || result->bytes != NULL);
        if (result->kind == CPI_VALUE_STRING) {
            fuzz_touch(result->bytes, result->length);
        }
        return;
    case CPI_ANSWER_NONE:
    case CPI_ANSWER_RECONNECT:
    case CPI_ANSWER_NONSENSE:
        REQUIRE(!is_open);
        break;
    case CPI_ANSWER_WAIT:
    case CPI_ANSWER_REFUSED:
        REQUIRE(is_open);
        break;
    default:
        REQUIRE(false);
    }
    size_t length = strnlen(result->message, sizeof(cp_error));
    REQUIRE(length > 0 && length < sizeof(cp_error));
    REQUIRE(cpi_utf8_valid(result->message, length));
}

static void append(struct run *run, char step)
{
    static const char value[] = "{\"a\": \"document\"}";
    const struct cpi_key *key = &entities[run->appended % ENTITIES].key;
    bool was_open = run->ops->is_open(run->target);
    bool was_admitted = run->ops->is_admitted(run->target);
    cp_error err;
    cp_code code = step == 's'   ? run->ops->set(run->target, key, "7", value, sizeof value - 1, 0, NULL, &err)
                   : step == 'e' ? run->ops->set(run->target, key, "8", value, sizeof value - 1, 60, NULL, &err)
                   : step == 'd' ? run->ops->del(run->target, key, "9", &err)
                   : step == 'k' ? run->ops->exists(run->target, key, "11", &err)
                                 : run->ops->get(run->target, key, "10", &err);
    check(code, &err);
    REQUIRE(code != CP_OK || (was_open && (was_admitted || step == 'g' || step == 'k')));
    run->appended += code == CP_OK;
}

/* Sends the round and takes its results: every command gets one. */
static void finish_round(struct run *run)
{
    cp_error err;
    check(run->ops->flush(run->target, NULL, &err), &err);
    for (uint32_t i = 0; i < run->appended; i++) {
        struct cpi_result result = run->ops->result(run->target, i);
        check_result(run, &result);
    }
    run->appended = 0;
}

/* The keys of a page, and what they stand for. */
static void check_keys(const struct cpi_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        size_t length;
        const char *text = cpi_keys_at(keys, i, &length);
        fuzz_touch(text, length);
        for (size_t j = 0; j < ENTITIES; j++) {
            union cpi_id id;
            bool out_of_memory = false;
            if (cpi_keyspace_id(&entities[j], text, length, &id, &out_of_memory)) {
                REQUIRE(cpi_id_is_valid(entities[j].id_type, &id));
                cpi_id_fini(entities[j].id_type, &id);
            }
            REQUIRE(!out_of_memory);
        }
    }
}

static cp_code scan(struct run *run, cp_error *err)
{
    cp_code code = run->ops->scan(run->target, &run->cursor, &run->keys, err);
    REQUIRE(memchr(run->cursor.position, '\0', sizeof run->cursor.position) != NULL);
    if (code == CP_OK) {
        check_keys(&run->keys);
    }
    return code;
}

static cp_code prove(struct run *run, cp_error *err)
{
    const struct cpi_key *keys[] = {&entities[0].key, &entities[1].key};
    char warning[512];
    cp_code code = run->ops->prove(run->target, keys, 2, marker, warning, sizeof warning, err);
    REQUIRE(memchr(warning, '\0', sizeof warning) != NULL);
    return code;
}

static cp_code advance_marker(struct run *run, cp_error *err)
{
    int64_t number = -1;
    cp_code code = run->ops->advance_marker(run->target, marker, &number, err);
    REQUIRE(code == CP_OK || number == 0 || number == -1);
    return code;
}

static cp_code unlink_keys(struct run *run, cp_error *err)
{
    uint64_t count = 0;
    return run->ops->unlink(run->target, &entities[1].key, &run->keys, &count, err);
}

static cp_code open_target(struct run *run, cp_error *err)
{
    cp_code code = run->ops->open(run->target, err);
    REQUIRE((code == CP_OK) == run->ops->is_open(run->target));
    REQUIRE(!run->ops->is_admitted(run->target));
    run->appended = 0;
    return code;
}

/* The calls that need an open target. */
static cp_code do_open_step(struct run *run, char step, cp_error *err)
{
    switch (step) {
    case 'c':
        return scan(run, err);
    case 'f':
        return run->ops->fence(run->target, "group", "token", err);
    case 'i':
        return advance_marker(run, err);
    case 'w':
        return run->ops->write_marker(run->target, marker, 1000, err);
    case 'm':
        return run->ops->check_primary(run->target, err);
    case 'p':
        return prove(run, err);
    case 'u':
        return unlink_keys(run, err);
    default:
        return CP_OK;
    }
}

static void do_step(struct run *run, char step)
{
    cp_error err;
    switch (step) {
    case 'o':
        check(open_target(run, &err), &err);
        break;
    case 'x':
        run->ops->close(run->target);
        REQUIRE(!run->ops->is_open(run->target));
        break;
    case 'a':
        run->ops->admit(run->target);
        break;
    case 'b':
        run->ops->data_may_differ(run->target, true);
        break;
    case 'r':
        finish_round(run);
        break;
    case 's':
    case 'e':
    case 'd':
    case 'k':
    case 'g':
        append(run, step);
        break;
    default: /* no round may be under way */
        if (run->appended > 0) {
            finish_round(run);
        }
        if (run->ops->is_open(run->target)) {
            check(do_open_step(run, step, &err), &err);
        }
    }
}

/* ---- an input ---- */

static struct cpi_redis_address address;

static void start(void)
{
    static char path[] = "/nowhere";
    address.path = path;
    REQUIRE(cpi_key_init(&entities[0].key, "number:{id}", "", NULL, NULL) == CP_OK);
    REQUIRE(cpi_key_init(&entities[1].key, "text:{id}:json", "", NULL, NULL) == CP_OK);
    REQUIRE(cpi_key_init(&entities[2].key, "uuid:{id}", "", NULL, NULL) == CP_OK);
}

static void do_steps(const char *steps, size_t count)
{
    const struct cpi_target_options options = {.address = &address,
                                               .role = "cachepusher-fuzz",
                                               .cancel_fd = -1,
                                               .connect_timeout_ms = 1000,
                                               .timeout_ms = 1000};
    struct run run = {.target = cpi_target_create(&options)};
    REQUIRE(run.target != NULL);
    run.ops = run.target->ops;
    REQUIRE(cpi_cursor_init(&run.cursor, &entities[0].key, false, NULL) == CP_OK);
    for (size_t i = 0; i < count && i < STEPS_MAX; i++) {
        do_step(&run, steps[i]);
    }
    cpi_target_destroy(run.target);
    cpi_cursor_fini(&run.cursor);
    cpi_keys_fini(&run.keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (address.path == NULL) {
        start();
    }
    const char *steps = (const char *)data;
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    if (newline == NULL) {
        return -1;
    }
    size_t count = (size_t)(newline - data);
    manners.greets = memchr(steps, 'V', count) != NULL;
    manners.lists_clients = memchr(steps, 'L', count) != NULL;
    const struct fuzz_server_options options = {.script = newline + 1,
                                                .size = size - count - 1,
                                                .answer = answer,
                                                .dribbles = memchr(steps, 'D', count) != NULL,
                                                .times_out = memchr(steps, 'T', count) != NULL};
    fuzz_server_begin(&options);
    do_steps(steps, count);
    fuzz_server_end();
    return 0;
}
