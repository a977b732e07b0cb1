/*
 * What the configuration's own files share: settings.c (the table of settings), config.c (validation as a whole),
 * config_default.c (what there is without a file), config_file.c (a JSON file), config_entity.c (the "entities" in it),
 * config_watch.c (their "watch"), config_declared.c (their "document"), config_apply.c (what setup has made of that)
 * and config_reader.c (values, and messages that name the place).
 */
#ifndef CPI_CONFIG_INTERNAL_H
#define CPI_CONFIG_INTERNAL_H

#include "config/config.h"

#include <jansson.h>

/* ---- settings: settings.c ---- */

enum cpi_setting_kind {
    CPI_SETTING_POSTGRES, /* char *; checked by libpq */
    CPI_SETTING_REDIS,    /* char *, and the address made of it */
    CPI_SETTING_PREFIX,   /* char * and whether it was ever set */
    CPI_SETTING_CHOICE,   /* an enum, from 0 on, by its words */
    CPI_SETTING_STRING,   /* char * */
    CPI_SETTING_FLAG,     /* bool */
    CPI_SETTING_COUNT,    /* unsigned, from min to max */
    CPI_SETTING_TIME      /* int, from min to max */
};

enum { CPI_SETTING_WORDS = 4 };

struct cpi_setting {
    enum cpi_setting_kind kind;
    size_t offset;                        /* in struct cp_config, of the kinds that do not name their member */
    const char *words[CPI_SETTING_WORDS]; /* of a choice, by its value; NULL: no more */
    cp_setting shown;                     /* its name, range and initial value are what the parser goes by */
};

/* The setting called name, or NULL. */
const struct cpi_setting *cpi_setting_find(const char *name);

/* Sets one from text. Messages begin with the setting's name. */
cp_code cpi_setting_set(struct cp_config *config, const struct cpi_setting *setting, const char *value, cp_error *err);

/* Sets all to their defaults. */
cp_code cpi_settings_reset(struct cp_config *config, cp_error *err);

/* Appends name to the list in buffer, with ", " between; what does not fit is left away. */
void cpi_list_append(char *buffer, size_t size, const char *name);

/* What to say of a name that no setting has: the one that is like it, or all of them, and `besides` ("": nothing),
 * where a file may have "entities", too. */
enum { CPI_EXPECTED_BYTES = 512 };
void cpi_setting_expected(const char *name, const char *besides, char *buffer, size_t size);

/* Those that a group may have in a file, without the group's name. */
void cpi_setting_group_names(const char *group, char *buffer, size_t size);

void cpi_entity_fini(struct cpi_entity *entity);
void cpi_config_fini(struct cp_config *config);

/* ---- reading JSON: config_reader.c ---- */

/* Where reading is: for messages. */
struct cpi_reader {
    const char *file;
    char path[160]; /* such as entities[1].key; empty for the whole */
    cp_error *err;
};

/* CP_ERR_CONFIG, "FILE: PATH: …" */
cp_code cpi_reader_reject(struct cpi_reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a value of the wrong type: "expected …, found …". */
cp_code cpi_reader_reject_type(struct cpi_reader *reader, const json_t *value, const char *expected);

/* Whether a member of this name is a comment. */
bool cpi_is_comment(const char *name);

/* Copies a string to *string; it must not be empty. */
cp_code cpi_read_string(struct cpi_reader *reader, const json_t *value, char **string);

/* NAME or SCHEMA.NAME, quoted or not; a NAME alone. Such a text may be pasted into a statement. */
bool cpi_is_sql_name(const char *text);
bool cpi_is_sql_column(const char *text);

/* ---- what is watched: config_watch.c ---- */

/* Reads "watch" into the entity, which has none yet and owns what was read on failure, too. */
cp_code cpi_read_watches(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity);

/* Once all entities are there, and again when one has changed: says where each watched table announces, and makes what
 * is mapped. */
cp_code cpi_config_wire(struct cp_config *config, cp_error *err);

bool cpi_names_same(const struct cpi_names *a, const struct cpi_names *b);
void cpi_names_fini(struct cpi_names *names);
void cpi_watch_fini(struct cpi_watch *watch);

/* ---- declared documents: config_declared.c ---- */

/* Reads "document". */
cp_code cpi_read_document(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity);

/* Once the entity has been read: has what a declaration takes the place of not been given, and completes it. */
cp_code cpi_finish_declared(struct cpi_reader *reader, const json_t *object, struct cpi_entity *entity);

/* The template without the names of columns: {a}:{b} is {id}. From malloc; NULL: out of memory. */
char *cpi_plain_template(const char *key_template);

/* ---- entities: config_entity.c ---- */

/* What an entity has, described; index is below the count. */
extern const size_t cpi_entity_setting_count;
const cp_setting *cpi_entity_setting(size_t index);

/* Reads one of them into an entity that does not have it yet. */
cp_code cpi_read_entity_member(struct cpi_reader *reader, const char *name, json_t *value, struct cpi_entity *entity);

/* Reads "entities" into the draft, which has none yet and owns what was read on failure, too. */
cp_code cpi_read_entities(struct cpi_reader *reader, json_t *array, struct cp_config *draft);

#endif
