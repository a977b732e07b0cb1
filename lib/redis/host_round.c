#include "redis/host_round.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A command. */
struct cpi_host_command {
    enum { WRITE, READ, ASK } kind;
    cp_store_answer answer;    /* of what has been given to the host; of a WRITE that has not, WAIT */
    const struct cpi_key *key; /* of a READ, and of a deletion whose key is kept */
    char *id;                  /* the same; owned */
    char *why;                 /* it is not DONE; owned. NULL: the newest failure is why */
    bool is_given;             /* a WRITE: the host has it */
    bool exists;               /* an ASK: there is such a key */
};

static bool keeps_keys(const struct cpi_host_round *round)
{
    return round->host->store->keys == NULL;
}

void cpi_host_round_clear(struct cpi_host_round *round)
{
    for (uint32_t i = 0; i < round->count; i++) {
        free(round->commands[i].id);
        free(round->commands[i].why);
    }
    round->count = 0;
    round->is_sent = false;
    round->puts_off = false;
    cpi_copies_clear(&round->copies);
}

void cpi_host_round_fini(struct cpi_host_round *round)
{
    cpi_host_round_clear(round);
    cpi_copies_fini(&round->copies);
    free(round->commands);
    free(round->answers);
    free(round->text);
}

/* ---- a round: appending ---- */

/* Half a round is not to be told. */
static cp_code no_memory(struct cpi_host_round *round, cp_error *err)
{
    cpi_host_close(round->host);
    return cpi_error_memory(err);
}

/* The text of a key. False: out of memory. */
static bool name_key(struct cpi_host_round *round, const struct cpi_key *key, const char *id)
{
    size_t size = key->before_length + strlen(id) + key->after_length + 1;
    if (size > round->text_capacity) {
        char *text = realloc(round->text, 2 * size);
        if (text == NULL) {
            return false;
        }
        round->text = text;
        round->text_capacity = 2 * size;
    }
    snprintf(round->text, round->text_capacity, "%s%s%s", key->before, id, key->after);
    return true;
}

static bool grow(struct cpi_host_round *round)
{
    uint32_t capacity = 2 * round->capacity + 256;
    struct cpi_host_command *commands = realloc(round->commands, capacity * sizeof *commands);
    round->commands = commands != NULL ? commands : round->commands;
    cp_store_answer *answers = realloc(round->answers, capacity * sizeof *answers);
    round->answers = answers != NULL ? answers : round->answers;
    round->capacity = commands != NULL && answers != NULL ? capacity : round->capacity;
    return commands != NULL && answers != NULL;
}

/* Begins a round, too, where the one before has been flushed. The key is named. */
static cp_code append(struct cpi_host_round *round, struct cpi_host_command command, const struct cpi_key *key,
                      const char *id, struct cpi_host_command **appended, cp_error *err)
{
    if (cpi_host_check_usable(round->host, command.kind == WRITE, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    if (round->is_sent) {
        cpi_host_round_clear(round);
    }
    if ((round->count == round->capacity && !grow(round)) || !name_key(round, key, id)) {
        return no_memory(round, err);
    }
    round->commands[round->count] = command;
    *appended = &round->commands[round->count++];
    return CP_OK;
}

/* False: out of memory. */
static bool remember_key(struct cpi_host_command *command, const struct cpi_key *key, const char *id)
{
    command->key = key;
    command->id = strdup(id);
    return command->id != NULL;
}

static void note_answer(struct cpi_host_round *round, struct cpi_host_command *command, cp_store_answer answer)
{
    if (answer != CP_STORE_DONE && answer != command->answer) {
        free(command->why);
        command->why = strdup(round->host->why.message);
    }
    command->answer = answer;
    round->puts_off = round->puts_off || answer == CP_STORE_WAIT;
}

/* The host has answered a write. */
static cp_code note_given(struct cpi_host_round *round, struct cpi_host_command *command, cp_store_answer answer,
                          cp_error *err)
{
    command->is_given = true;
    command->answer = CP_STORE_DONE;
    note_answer(round, command, cpi_host_end(round->host, answer));
    return command->answer == CP_STORE_LOST ? cpi_host_code(round->host, CP_STORE_LOST, err) : CP_OK;
}

cp_code cpi_host_round_set(struct cpi_host_round *round, const struct cpi_key *key, const char *id, const char *value,
                           size_t length, int64_t ttl_s, size_t *at, cp_error *err)
{
    struct cpi_host_session *host = round->host;
    struct cpi_host_command *command = NULL;
    size_t copied_at = 0;
    cp_code code =
        append(round, (struct cpi_host_command){.kind = WRITE, .answer = CP_STORE_WAIT}, key, id, &command, err);
    if (code != CP_OK) {
        return code;
    }
    if ((round->is_told && !cpi_copies_add(&round->copies, value, length, at != NULL ? at : &copied_at)) ||
        (keeps_keys(round) && !cpi_kept_keys_add(host->kept, key, id))) {
        return no_memory(round, err);
    }
    if (round->puts_off) {
        return CP_OK;
    }
    cpi_host_begin(host);
    return note_given(round, command, host->store->set(host->session, round->text, value, length, ttl_s, &host->given),
                      err);
}

cp_code cpi_host_round_del(struct cpi_host_round *round, const struct cpi_key *key, const char *id, cp_error *err)
{
    struct cpi_host_session *host = round->host;
    struct cpi_host_command *command = NULL;
    cp_code code =
        append(round, (struct cpi_host_command){.kind = WRITE, .answer = CP_STORE_WAIT}, key, id, &command, err);
    if (code != CP_OK) {
        return code;
    }
    if (keeps_keys(round) && !remember_key(command, key, id)) {
        return no_memory(round, err);
    }
    if (round->puts_off) {
        return CP_OK;
    }
    cpi_host_begin(host);
    return note_given(round, command, host->store->del(host->session, round->text, &host->given), err);
}

/* Read when its result is taken: what the host returns lives until the next call. */
cp_code cpi_host_round_get(struct cpi_host_round *round, const struct cpi_key *key, const char *id, cp_error *err)
{
    struct cpi_host_command *command = NULL;
    if (round->host->store->get == NULL) {
        return cpi_error(err, CP_ERR_REDIS, false, "store: it has no get");
    }
    cp_code code = append(round, (struct cpi_host_command){.kind = READ}, key, id, &command, err);
    return code != CP_OK || remember_key(command, key, id) ? code : no_memory(round, err);
}

static cp_store_answer read_named(struct cpi_host_round *round, const char **bytes, size_t *length)
{
    struct cpi_host_session *host = round->host;
    cpi_host_begin(host);
    return cpi_host_end(host, host->store->get(host->session, round->text, bytes, length, &host->given));
}

cp_code cpi_host_round_exists(struct cpi_host_round *round, const struct cpi_key *key, const char *id, cp_error *err)
{
    struct cpi_host_command *command = NULL;
    const char *bytes = NULL;
    size_t length = 0;
    cp_code code = append(round, (struct cpi_host_command){.kind = ASK}, key, id, &command, err);
    if (code != CP_OK) {
        return code;
    }
    if (keeps_keys(round)) {
        return cpi_kept_keys_has(round->host->kept, key, id, &command->exists) ? CP_OK : no_memory(round, err);
    }
    cp_store_answer answer = read_named(round, &bytes, &length);
    note_answer(round, command, answer);
    command->exists = bytes != NULL;
    return answer == CP_STORE_LOST ? cpi_host_code(round->host, answer, err) : CP_OK;
}

/* ---- a round: what came of it ---- */

/* The host may have changed some of the answers, and has one reason for them. */
static void take_answers(struct cpi_host_round *round, cp_store_answer all)
{
    bool is_lost = false;
    uint32_t n = 0;
    for (uint32_t i = 0; i < round->count; i++) {
        struct cpi_host_command *command = &round->commands[i];
        if (!command->is_given) {
            continue;
        }
        cp_store_answer answer = cpi_host_check(round->host, round->answers[n++]);
        answer = answer == CP_STORE_DONE ? all : answer;
        if (answer != command->answer) {
            cpi_host_note_why(round->host, answer);
            note_answer(round, command, answer);
        }
        is_lost = is_lost || answer == CP_STORE_LOST;
    }
    if (is_lost) {
        cpi_host_close(round->host);
    }
}

static uint32_t gather_answers(struct cpi_host_round *round)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < round->count; i++) {
        if (round->commands[i].is_given) {
            round->answers[n++] = round->commands[i].answer;
        }
    }
    return n;
}

cp_code cpi_host_round_flush(struct cpi_host_round *round, struct cpi_output *output, cp_error *err)
{
    struct cpi_host_session *host = round->host;
    uint32_t n = gather_answers(round);
    cp_store_answer all = CP_STORE_DONE;
    round->is_sent = true;
    if (cpi_host_check_usable(round->host, false, err) != CP_OK) {
        take_answers(round, CP_STORE_LOST);
        return CP_ERR_REDIS;
    }
    if (n > 0 && host->store->flush != NULL) {
        cpi_host_begin(host);
        all = cpi_host_end(host, host->store->flush(host->session, round->answers, n, &host->given));
        take_answers(round, all);
    }
    if (all != CP_STORE_LOST && output != NULL) {
        cpi_copies_lend(&round->copies, output);
    }
    return all != CP_STORE_LOST ? CP_OK : cpi_host_code(host, all, err);
}

static struct cpi_result not_done(const struct cpi_host_round *round, enum cpi_answer answer)
{
    return (struct cpi_result){.answer = answer, .message = round->host->why.message};
}

static const enum cpi_answer answers_to[] = {[CP_STORE_DONE] = CPI_ANSWER_DONE,
                                             [CP_STORE_WAIT] = CPI_ANSWER_WAIT,
                                             [CP_STORE_REFUSED] = CPI_ANSWER_REFUSED,
                                             [CP_STORE_LOST] = CPI_ANSWER_NONE};

static struct cpi_result read_value(struct cpi_host_round *round, const struct cpi_host_command *command)
{
    const char *bytes = NULL;
    size_t length = 0;
    if (!round->host->is_open || !name_key(round, command->key, command->id)) {
        return not_done(round, CPI_ANSWER_NONE);
    }
    cp_store_answer answer = read_named(round, &bytes, &length);
    if (answer != CP_STORE_DONE) {
        return not_done(round, answers_to[answer]);
    }
    return (struct cpi_result){.answer = CPI_ANSWER_DONE,
                               .kind = bytes != NULL ? CPI_VALUE_STRING : CPI_VALUE_NONE,
                               .bytes = bytes,
                               .length = length};
}

/* A key that is gone is kept no more; one for which there was no memory to look is only deleted once more. */
struct cpi_result cpi_host_round_result(struct cpi_host_round *round, uint32_t i)
{
    if (i >= round->count || !round->is_sent) {
        return not_done(round, CPI_ANSWER_NONE);
    }
    const struct cpi_host_command *command = &round->commands[i];
    if (command->kind == READ) {
        return read_value(round, command);
    }
    if (command->answer == CP_STORE_DONE && command->key != NULL) {
        bool existed = false;
        (void)cpi_kept_keys_remove(round->host->kept, command->key, command->id, &existed);
    }
    return (struct cpi_result){.answer = answers_to[command->answer],
                               .message = command->why != NULL ? command->why : round->host->why.message,
                               .exists = command->exists};
}
