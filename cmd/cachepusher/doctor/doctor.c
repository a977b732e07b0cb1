#include "doctor/doctor.h"

#include "commands.h"
#include "common/complain.h"
#include "common/escape.h"
#include "common/exit_code.h"
#include "postgres/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { STRING_BYTES = 8192 };

/* ---- the configuration, as JSON for the queries ---- */

static void write_string(FILE *out, const char *string)
{
    char line[STRING_BYTES] = "";
    struct text text = {.data = line, .size = sizeof line};
    text_add_json(&text, string);
    fprintf(out, "\"%s\"", line);
}

/* Channels only where triggers announce on them. */
static void write_entity(FILE *out, const struct cpi_entity *entity, bool has_triggers)
{
    fputs("{\"entity\":", out);
    write_string(out, entity->name);
    fputs(",\"fetch\":", out);
    write_string(out, entity->fetch);
    fputs(",\"channels\":[", out);
    for (size_t i = 0; has_triggers && i < entity->channel_count; i++) {
        fputs(i > 0 ? "," : "", out);
        write_string(out, entity->channels[i]);
    }
    for (size_t i = 0; has_triggers && i < entity->watch_count; i++) {
        const struct cpi_names *channels = &entity->watch[i].channels;
        for (size_t c = 0; entity->watch[i].maps != NULL && c < channels->count; c++) {
            fputs(",", out);
            write_string(out, channels->items[c]);
        }
    }
    fputs("],\"id_type\":", out);
    write_string(out, cpi_id_type_name(entity->id_type));
    fputs("}", out);
}

static bool describe_entities(struct doctor *doctor)
{
    size_t size = 0;
    FILE *out = open_memstream(&doctor->entities, &size);
    if (out == NULL) {
        return false;
    }
    fputs("[", out);
    for (size_t e = 0; e < doctor->config->entity_count; e++) {
        fputs(e > 0 ? "," : "", out);
        write_entity(out, &doctor->config->entities[e], cpi_config_has_triggers(doctor->config));
    }
    fputs("]", out);
    return fclose(out) == 0;
}

const char *doctor_watched(const struct doctor *doctor, enum watched_column column)
{
    return cpi_rows_value(doctor->watched, 0, (int)column);
}

/* ---- the command that mends most ---- */

void doctor_add_word(struct text *text, const char *word)
{
    bool is_plain =
        *word != '\0' &&
        strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./=") == strlen(word);
    text_add(text, is_plain ? "" : "'");
    for (; *word != '\0'; word++) {
        const char letter[] = {*word, '\0'};
        text_add(text, *word == '\'' ? "'\\''" : letter);
    }
    text_add(text, is_plain ? "" : "'");
}

/* What setup was told here it has to be told there; how to get into the servers is left out, for it may hold a
 * password. */
static void describe_setup(struct doctor *doctor)
{
    static const char *const passed_on[] = {"prefix", "name"};
    const struct options *options = doctor->options;
    struct text text = {.data = doctor->setup, .size = sizeof doctor->setup};
    text_add(&text, "cachepusher setup");
    if (options->config_file != NULL) {
        text_add(&text, " --config ");
        doctor_add_word(&text, options->config_file);
    }
    for (size_t i = 0; i < options->setting_count; i++) {
        const struct setting *setting = &options->settings[i];
        bool is_needed = strncmp(setting->name, "source", strlen("source")) == 0;
        for (size_t k = 0; k < sizeof passed_on / sizeof *passed_on; k++) {
            is_needed = is_needed || strcmp(setting->name, passed_on[k]) == 0;
        }
        if (is_needed) {
            text_add(&text, " --set ");
            doctor_add_word(&text, setting->name);
            text_add(&text, "=");
            doctor_add_word(&text, setting->value);
        }
    }
}

/* ---- the visit ---- */

void doctor_set_deadline(struct doctor *doctor)
{
    const struct itimerspec end = {.it_value.tv_sec = DOCTOR_SERVER_S};
    timerfd_settime(doctor->deadline_fd, 0, &end, NULL);
}

const char *doctor_reason(const cp_error *err)
{
    return strstr(err->message, "given up, stopping") != NULL ? "all checks together took longer than a minute"
                                                              : err->message;
}

static int examine(struct doctor *doctor)
{
    static void (*const groups[])(struct doctor * doctor) = {doctor_check_postgres, doctor_check_documents,
                                                             doctor_check_watch,    doctor_check_wal,
                                                             doctor_check_redis,    doctor_check_sample};
    doctor->deadline_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (doctor->deadline_fd < 0 || !describe_entities(doctor)) {
        complain("out of memory or file descriptors");
        return EXIT_FAILED;
    }
    describe_setup(doctor);
    findings_begin(&doctor->findings, doctor->options->json);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        groups[i](doctor);
    }
    return findings_end(&doctor->findings);
}

int doctor(const struct options *options, cp_config *config)
{
    cp_error err = {0};
    struct doctor doctor = {.options = options, .config = config, .deadline_fd = -1};
    if (!names_read(&doctor.names, config)) {
        cp_config_destroy(config);
        return EXIT_FAILED;
    }
    doctor.syncer = cp_config_resolve(config, &err) == CP_OK ? cp_syncer_create(config, NULL, &err) : NULL;
    if (doctor.syncer == NULL) {
        complain("%s", err.message);
        cp_config_destroy(config);
        return err.code == CP_ERR_CONFIG ? EXIT_USAGE : EXIT_FAILED;
    }
    int exit_code = examine(&doctor);
    cpi_rows_free(doctor.watched);
    cpi_pg_close(&doctor.pg);
    free(doctor.entities);
    if (doctor.deadline_fd >= 0) {
        close(doctor.deadline_fd);
    }
    cp_syncer_destroy(doctor.syncer); /* and with it the configuration */
    return exit_code;
}
