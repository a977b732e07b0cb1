#include "document/qualify.h"

#include <string.h>

#define OWN "pg_catalog."

struct text_under_way {
    const char *at;
    FILE *out;
};

static void copy_to(struct text_under_way *text, const char *end)
{
    fwrite(text->at, 1, (size_t)(end - text->at), text->out);
    text->at = end;
}

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_operator(char c)
{
    return c != '\0' && strchr("+-*/<>=~!@#%^&|`?", c) != NULL;
}

/* The end of what begins with a quote. One inside is doubled. */
static const char *skip_quoted(const char *text)
{
    const char quote = *text++;
    while (*text != '\0' && (*text != quote || text[1] == quote)) {
        text += *text == quote ? 2 : 1;
    }
    return *text == quote ? text + 1 : text;
}

static const char *skip_word(const char *text)
{
    if (*text == '"') {
        return skip_quoted(text);
    }
    while (is_word_start(*text) || is_digit(*text) || *text == '$') {
        text++;
    }
    return text;
}

/* A name with what stands before it, and before that. */
static const char *skip_qualified(const char *text)
{
    text = skip_word(text);
    while (*text == '.') {
        text = skip_word(text + 1);
    }
    return text;
}

static bool is_one_of(const char *word, const char *end, const char *const *words)
{
    size_t length = (size_t)(end - word);
    for (; *words != NULL; words++) {
        if (strlen(*words) == length && memcmp(word, *words, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_the(const char *word, const char *end, const char *wanted)
{
    return is_one_of(word, end, (const char *const[]){wanted, NULL});
}

/* Of a type or a collation; one that is another schema's has it. */
static void write_name(struct text_under_way *text)
{
    const char *end = skip_qualified(text->at);
    if (end == skip_word(text->at)) {
        fputs(OWN, text->out);
    }
    copy_to(text, end);
}

/* Some types are words of the grammar, and mean pg_catalog's in any case. */
static void write_type(struct text_under_way *text)
{
    static const char *const words[] = {"integer", "bigint",    "smallint",  "boolean", "numeric",  "real", "double",
                                        "bit",     "character", "timestamp", "time",    "interval", NULL};
    static const char *const more[] = {"precision", "varying", "with", "without", "time",   "zone", "year",
                                       "month",     "day",     "hour", "minute",  "second", "to",   NULL};
    if (!is_one_of(text->at, skip_word(text->at), words)) {
        write_name(text);
        return;
    }
    copy_to(text, skip_word(text->at));
    while (true) {
        const char *closing = *text->at == '(' ? strchr(text->at, ')') : NULL;
        if (closing != NULL) {
            copy_to(text, closing + 1);
        }
        if (*text->at != ' ' || !is_one_of(text->at + 1, skip_word(text->at + 1), more)) {
            return;
        }
        copy_to(text, skip_word(text->at + 1));
    }
}

/* A column, a keyword, a function, or the word before a collation or an operator that is another schema's. */
static void write_word(struct text_under_way *text)
{
    const char *word = text->at;
    const char *end = skip_qualified(word);
    bool is_keyword = *word >= 'A' && *word <= 'Z';
    if (*end == '(' && is_the(word, end, "OPERATOR")) {
        copy_to(text, end + strcspn(end, ")"));
    } else if (*end == ' ' && is_the(word, end, "COLLATE")) {
        copy_to(text, end + 1);
        write_name(text);
    } else {
        if (*end == '(' && !is_keyword && end == skip_word(word)) {
            fputs(OWN, text->out);
        }
        copy_to(text, end);
    }
}

static void write_operator(struct text_under_way *text)
{
    const char *end = text->at;
    while (is_operator(*end)) {
        end++;
    }
    if (is_the(text->at, end, "=>")) { /* of an argument that is given by its name */
        copy_to(text, end);
        return;
    }
    fputs("operator(" OWN, text->out);
    copy_to(text, end);
    fputc(')', text->out);
}

const char *qualify(const char *sql, struct memory *memory)
{
    struct writing writing;
    writing_begin(&writing);
    struct text_under_way text = {.at = sql, .out = writing.stream};
    while (*text.at != '\0') {
        if (*text.at == '\'') {
            copy_to(&text, skip_quoted(text.at));
        } else if (is_word_start(*text.at) || *text.at == '"') {
            write_word(&text);
        } else if (is_digit(*text.at)) {
            copy_to(&text, text.at + strspn(text.at, "0123456789."));
        } else if (strncmp(text.at, "::", 2) == 0) {
            copy_to(&text, text.at + 2);
            write_type(&text);
        } else if (*text.at == '.') { /* of a row in parentheses: a field's name follows */
            copy_to(&text, skip_word(text.at + 1));
        } else if (is_operator(*text.at)) {
            write_operator(&text);
        } else {
            copy_to(&text, text.at + 1);
        }
    }
    return writing_end(&writing, memory);
}
