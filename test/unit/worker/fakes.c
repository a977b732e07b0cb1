#include "worker/fakes.h"

#include "base/error.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- Redis ---- */

static struct fake_target *fake_of(struct cpi_target *target)
{
    return (struct fake_target *)target;
}

static cp_code fake_open(struct cpi_target *target, cp_error *err)
{
    struct fake_target *fake = fake_of(target);
    fake->opened++;
    fake->open = !fake->away;
    fake->admitted = false;
    fake->appended = 0;
    fake->output_length = 0;
    return fake->open ? CP_OK : cpi_error(err, CP_ERR_REDIS, true, "Redis: connection refused");
}

static bool fake_is_open(const struct cpi_target *target)
{
    return ((const struct fake_target *)target)->open;
}

static void fake_close(struct cpi_target *target)
{
    fake_of(target)->open = false;
}

static bool fake_is_admitted(const struct cpi_target *target)
{
    const struct fake_target *fake = (const struct fake_target *)target;
    return fake->open && fake->admitted;
}

static cp_code append(struct cpi_target *target, const char *id, enum fake_kind kind, size_t length, cp_error *err)
{
    struct fake_target *fake = fake_of(target);
    ck_assert(fake_is_admitted(target) && !fake->lent);
    fake->appended = fake->sent ? 0 : fake->appended;
    fake->output_length = fake->sent ? 0 : fake->output_length;
    fake->sent = false;
    ck_assert_uint_lt(fake->appended, FAKE_BATCH);
    if (fake->full) {
        fake->open = false;
        return cpi_error_memory(err);
    }
    fake->commands[fake->appended++] =
        (struct fake_command){.id = strtoll(id, NULL, 10), .kind = kind, .length = length};
    return CP_OK;
}

static cp_code fake_set(struct cpi_target *target, const struct cpi_key *key, const char *id, const char *value,
                        size_t length, int64_t ttl_s, size_t *at, cp_error *err)
{
    struct fake_target *fake = fake_of(target);
    (void)key;
    (void)ttl_s;
    ck_assert_ptr_nonnull(value);
    cp_code code = append(target, id, FAKE_SET, length, err);
    if (code != CP_OK) {
        return code;
    }
    *at = fake->output_length;
    size_t kept = length < FAKE_TEXT ? length : FAKE_TEXT; /* those that are longer have no more text than this */
    memcpy(fake->output + fake->output_length, value, kept);
    fake->output_length += kept;
    return code;
}

static cp_code fake_del(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err)
{
    (void)key;
    return append(target, id, FAKE_DEL, 0, err);
}

static cp_code fake_exists(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err)
{
    (void)key;
    return append(target, id, FAKE_EXISTS, 0, err);
}

static int64_t *find_key(struct fake_target *fake, int64_t id)
{
    for (uint32_t i = 0; i < fake->keys.count; i++) {
        if (fake->keys.numbers[i] == id) {
            return &fake->keys.numbers[i];
        }
    }
    return NULL;
}

static enum cpi_answer answer_to(const struct fake_target *fake, const struct fake_command *command)
{
    bool is_odd = fake->odd.count == 0;
    for (uint32_t i = 0; i < fake->odd.count; i++) {
        is_odd = is_odd || fake->odd.numbers[i] == command->id;
    }
    return is_odd && (fake->odd_any || command->kind == fake->odd_kind) ? fake->answer : CPI_ANSWER_DONE;
}

static enum cpi_answer execute(struct fake_target *fake, const struct fake_command *command)
{
    enum cpi_answer answer = fake->open ? answer_to(fake, command) : CPI_ANSWER_NONE;
    if (answer == CPI_ANSWER_DONE) {
        ck_assert_uint_lt(fake->count, FAKE_DOCUMENTS);
        fake->acknowledged[fake->count++] = *command;
        int64_t *key = find_key(fake, command->id);
        if (command->kind == FAKE_DEL && key != NULL) {
            *key = fake->keys.numbers[--fake->keys.count];
        }
    }
    fake->open = fake->open && (answer == CPI_ANSWER_DONE || answer == CPI_ANSWER_WAIT || answer == CPI_ANSWER_REFUSED);
    return answer;
}

static cp_code fake_flush(struct cpi_target *target, struct cpi_output *output, cp_error *err)
{
    struct fake_target *fake = fake_of(target);
    (void)err;
    if (output != NULL) {
        fake->lent = true;
        fake->lendings++;
        output->bytes = fake->output;
    }
    ck_assert(fake->open);
    fake->flushed++;
    fake->sent = true;
    for (uint32_t i = 0; i < fake->appended; i++) {
        fake->answers[i] = execute(fake, &fake->commands[i]);
    }
    return CP_OK;
}

static void fake_give_back(struct cpi_target *target, struct cpi_output *output)
{
    ck_assert(fake_of(target)->lent && output->bytes == fake_of(target)->output);
    memset(output->bytes, '#', FAKE_OUTPUT);
    fake_of(target)->lent = false;
}

static struct cpi_result fake_result(struct cpi_target *target, uint32_t i)
{
    struct fake_target *fake = fake_of(target);
    ck_assert_uint_lt(i, fake->appended);
    return (struct cpi_result){.answer = fake->answers[i],
                               .exists = find_key(fake, fake->commands[i].id) != NULL,
                               .message = fake->answers[i] == CPI_ANSWER_DONE ? NULL : "Redis: not now"};
}

/* Without what neither an applier nor a worker asks for. */
static const struct cpi_target_ops fake_target_ops = {.open = fake_open,
                                                      .is_open = fake_is_open,
                                                      .close = fake_close,
                                                      .set = fake_set,
                                                      .del = fake_del,
                                                      .exists = fake_exists,
                                                      .flush = fake_flush,
                                                      .give_back = fake_give_back,
                                                      .result = fake_result,
                                                      .is_admitted = fake_is_admitted};

static unsigned count_acknowledged(const struct fakes *fakes, int64_t id, enum fake_kind kind)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < fakes->target.count; i++) {
        n += fakes->target.acknowledged[i].id == id && fakes->target.acknowledged[i].kind == kind;
    }
    return n;
}

unsigned fakes_stored(const struct fakes *fakes, int64_t id)
{
    return count_acknowledged(fakes, id, FAKE_SET);
}

unsigned fakes_deleted(const struct fakes *fakes, int64_t id)
{
    return count_acknowledged(fakes, id, FAKE_DEL);
}

bool fakes_has_key(const struct fakes *fakes, int64_t id)
{
    return find_key((struct fake_target *)&fakes->target, id) != NULL;
}

/* ---- the servers ---- */

struct fake_servers {
    struct cpi_servers servers; /* first: what is handed out */
    struct fakes *fakes;
};

static cp_code admit(struct cpi_servers *servers, cp_error *err)
{
    struct fakes *fakes = ((struct fake_servers *)servers)->fakes;
    ck_assert(fakes->target.open && fakes->postgres.open);
    fakes->target.admitted = !fakes->target.not_admitted;
    return fakes->target.admitted ? CP_OK : cpi_error(err, CP_ERR_POSTGRES, true, "another cachepusher is the writer");
}

static void destroy(struct cpi_servers *servers)
{
    cpi_reader_destroy(servers->reader);
    free(servers);
}

struct cpi_servers *fakes_servers(struct fakes *fakes)
{
    struct fake_servers *fake = calloc(1, sizeof *fake);
    ck_assert_ptr_nonnull(fake);
    fake->fakes = fakes;
    fake->servers =
        (struct cpi_servers){.reader = cpi_reader_create(&fake_postgres_ops, &fakes->postgres, &fakes->entity, 1,
                                                         FAKE_BATCH, fakes->config.batch_bytes),
                             .target = &fakes->target.target,
                             .admit = admit,
                             .destroy = destroy};
    ck_assert_ptr_nonnull(fake->servers.reader);
    return &fake->servers;
}

/* ---- the rest of a syncer ---- */

static void ignore_change(void *context)
{
    (void)context;
}

void fakes_begin_term(struct fakes *fakes)
{
    const struct cpi_lease_session session = {.token = "session", .group = "0123456789abcdef"};
    cpi_lease_begin_term(&fakes->lease, &session);
}

void fakes_init(struct fakes *fakes)
{
    static char name[] = "customer";
    static char before[] = "customer:";
    static char after[] = "";
    cp_error err;
    *fakes = (struct fakes){.entity = {.name = name,
                                       .id_type = CPI_ID_BIGINT,
                                       .key = {.before = before, .after = after, .before_length = sizeof before - 1}}};
    fakes->config = (struct cp_config){.threads = 1,
                                       .batch = FAKE_BATCH,
                                       .batch_bytes = FAKE_BATCH_BYTES,
                                       .max_pending = 1024,
                                       .entities = &fakes->entity,
                                       .entity_count = 1};
    fakes->target.target.ops = &fake_target_ops;
    fakes->target.answer = CPI_ANSWER_DONE;
    fakes->target.odd_any = true;
    ck_assert(cpi_stats_init(&fakes->stats, 4));
    ck_assert_int_eq(cpi_stop_init(&fakes->stop, &err), CP_OK);
    ck_assert_int_eq(cpi_requests_init(&fakes->requests, 1, &err), CP_OK);
    ck_assert_int_eq(cpi_allowance_init(&fakes->allowance, 1, FAKE_PERCENT, &err), CP_OK);
    ck_assert_int_eq(cpi_lane_init(&fakes->lane, &err), CP_OK);
    cpi_lease_init(&fakes->lease, "test", "token", ignore_change, NULL);
    fakes_begin_term(fakes);
    fakes->env = (struct cpi_env){
        .config = &fakes->config,
        .stats = &fakes->stats,
        .lease = &fakes->lease,
        .requests = &fakes->requests,
        .allowance = &fakes->allowance,
        .stop = &fakes->stop,
        .lanes = {
            .items = &fakes->lane, .count = 1, .capacity = 1024, .entities = &fakes->entity, .stats = &fakes->stats}};
}

void fakes_fini(struct fakes *fakes)
{
    cpi_lane_fini(&fakes->lane, &fakes->entity);
    cpi_lease_fini(&fakes->lease);
    cpi_stats_fini(&fakes->stats);
    cpi_allowance_fini(&fakes->allowance);
    cpi_requests_fini(&fakes->requests);
    cpi_stop_fini(&fakes->stop);
}
