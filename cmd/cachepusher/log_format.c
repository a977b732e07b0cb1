#include "log_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

/* What the parts of a line may take, so that a long one leaves the others whole. */
enum { TIME_BYTES = 40, MESSAGE_MOST = 2600, KEY_MOST = 700, NAME_MOST = 200 };

const char *const log_level_names[] = {
    [CP_LOG_ERROR] = "error",
    [CP_LOG_WARN] = "warn",
    [CP_LOG_INFO] = "info",
    [CP_LOG_DEBUG] = "debug",
};

const int log_priorities[] = {
    [CP_LOG_ERROR] = LOG_ERR,
    [CP_LOG_WARN] = LOG_WARNING,
    [CP_LOG_INFO] = LOG_INFO,
    [CP_LOG_DEBUG] = LOG_DEBUG,
};

static void format_time(char *buffer, size_t size)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(buffer, size, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(buffer + length, size - length, ".%03ldZ", now.tv_nsec / 1000000);
}

void format_text(struct text *line, const cp_log_entry *entry)
{
    char head[TIME_BYTES + 16];
    format_time(head, TIME_BYTES);
    size_t length = strlen(head);
    snprintf(head + length, sizeof head - length, " %-5s ", log_level_names[entry->level]);
    text_add(line, head);
    text_add_plain(line, entry->message);
}

/* Of text that anybody may have written, no more than most bytes. */
static void add_cut(struct text *line, void (*add)(struct text *, const char *), const char *value, size_t most)
{
    size_t size = line->size;
    line->size = line->length + most < size ? line->length + most : size;
    add(line, value);
    line->size = size;
}

static void add_number(struct text *line, const char *before, uint64_t number)
{
    char digits[24];
    if (number > 0) {
        snprintf(digits, sizeof digits, "%" PRIu64, number);
        text_add(line, before);
        text_add(line, digits);
    }
}

static void add_json_string(struct text *line, const char *name, const char *value, size_t most)
{
    if (value != NULL) {
        text_add(line, ",\"");
        text_add(line, name);
        text_add(line, "\":\"");
        add_cut(line, text_add_json, value, most);
        text_add(line, "\"");
    }
}

void format_json(struct text *line, const cp_log_entry *entry)
{
    char time[TIME_BYTES];
    format_time(time, sizeof time);
    text_add(line, "{\"time\":\"");
    text_add(line, time);
    text_add(line, "\"");
    add_json_string(line, "level", log_level_names[entry->level], NAME_MOST);
    add_json_string(line, "message", entry->message, MESSAGE_MOST);
    add_json_string(line, "entity", entry->entity, NAME_MOST);
    add_json_string(line, "key", entry->key, KEY_MOST);
    add_json_string(line, "host", entry->host, NAME_MOST);
    add_number(line, ",\"duration_ms\":", entry->duration_ms > 0 ? (uint64_t)entry->duration_ms : 0);
    add_number(line, ",\"count\":", entry->count);
    text_add(line, "}");
}

static void add_field(struct text *line, const char *name, const char *value, size_t most)
{
    if (value != NULL) {
        text_add(line, name);
        add_cut(line, text_add_plain, value, most);
    }
}

void format_journal(struct text *line, const cp_log_entry *entry)
{
    char priority[24];
    snprintf(priority, sizeof priority, "PRIORITY=%d", log_priorities[entry->level]);
    text_add(line, priority);
    add_field(line, "\nMESSAGE=", entry->message, MESSAGE_MOST);
    add_field(line, "\nCACHEPUSHER_ENTITY=", entry->entity, NAME_MOST);
    add_field(line, "\nCACHEPUSHER_KEY=", entry->key, KEY_MOST);
    add_field(line, "\nCACHEPUSHER_HOST=", entry->host, NAME_MOST);
    add_number(line, "\nCACHEPUSHER_DURATION_MS=", entry->duration_ms > 0 ? (uint64_t)entry->duration_ms : 0);
    add_number(line, "\nCACHEPUSHER_COUNT=", entry->count);
}
