/*
 * Prints the library's table of settings in the form of one of the places where they are documented.
 * scripts/generate-docs runs it and puts what it prints into the files.
 */
#include "cachepusher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 120 };

/* ---- text ---- */

/* Writes words to lines of COLUMNS at most; each but the first begins with `indent`. `column` is where the first one
 * begins. */
static void print_wrapped(const char *text, size_t column, const char *indent)
{
    for (bool is_first = true; *text != '\0'; is_first = false) {
        size_t length = strcspn(text, " ");
        if (!is_first && column + 1 + length > COLUMNS) {
            printf("\n%s", indent);
            column = strlen(indent);
        } else if (!is_first) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)length, text);
        column += length;
        text += length + strspn(text + length, " ");
    }
}

/* A number with commas, other text as it is. */
static void format_value(char *out, size_t size, const cp_setting *setting, const char *text)
{
    size_t length = strlen(text);
    out[0] = '\0';
    if (setting->type != CP_SETTING_NUMBER) {
        snprintf(out, size, "%s", text);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        size_t end = strlen(out);
        snprintf(out + end, size - end, "%s%c", i > 0 && (length - i) % 3 == 0 ? "," : "", text[i]);
    }
}

/* "; 1 to 10,000" */
static void format_range(char *out, size_t size, const cp_setting *setting)
{
    char text[2][32];
    char shown[2][48];
    out[0] = '\0';
    if (setting->type != CP_SETTING_NUMBER) {
        return;
    }
    snprintf(text[0], sizeof text[0], "%lld", (long long)setting->min);
    snprintf(text[1], sizeof text[1], "%lld", (long long)setting->max);
    format_value(shown[0], sizeof shown[0], setting, text[0]);
    format_value(shown[1], sizeof shown[1], setting, text[1]);
    snprintf(out, size, "; %s to %s", shown[0], shown[1]);
}

static void format_default(char *out, size_t size, const cp_setting *setting, const char *quote)
{
    char value[160];
    if (setting->required) {
        snprintf(out, size, "required");
        return;
    }
    format_value(value, sizeof value, setting, setting->initial);
    if (*value == '\0') {
        snprintf(out, size, "%s", setting->of_entity ? "none" : "empty");
    } else {
        snprintf(out, size, "%s%s%s", quote, value, quote);
    }
}

/* ---- the places ---- */

static void print_header(const cp_setting *setting)
{
    char range[128];
    char initial[192];
    char text[1024];
    format_range(range, sizeof range, setting);
    format_default(initial, sizeof initial, setting, "");
    snprintf(text, sizeof text, "%s%s. Default: %s", setting->help, range, initial);
    printf(" *     %-22s ", setting->name);
    print_wrapped(text, 30, " *                            ");
    putchar('\n');
}

static void print_markdown(const cp_setting *setting)
{
    char range[128];
    char initial[192];
    format_range(range, sizeof range, setting);
    format_default(initial, sizeof initial, setting, setting->required || *setting->initial == '\0' ? "" : "`");
    printf("| `%s` | ", setting->name);
    if (!setting->of_entity) {
        printf("%s%s%s%s%s%s | ", setting->flag != NULL ? "`" : "", setting->flag != NULL ? setting->flag : "",
               setting->flag != NULL ? "`" : "", setting->environment != NULL ? ", `" : "",
               setting->environment != NULL ? setting->environment : "", setting->environment != NULL ? "`" : "");
    }
    printf("%s | %s%s |\n", initial, setting->help, range);
}

static void print_json_text(const char *text)
{
    for (; *text != '\0'; text++) {
        printf("%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
    }
}

/* The help as members whose names begin with "//", which are comments, and then the setting with its default. */
static void print_json(const cp_setting *setting)
{
    const char *text = setting->help;
    for (unsigned line = 0; *text != '\0'; line++) {
        char name[64];
        snprintf(name, sizeof name, line > 0 ? "// %s %u" : "// %s", setting->name, line);
        size_t room = COLUMNS - 12 - strlen(name);
        size_t length = strlen(text);
        if (length > room) {
            for (length = room; text[length] != ' '; length--) {
            }
        }
        char part[COLUMNS];
        snprintf(part, sizeof part, "%.*s", (int)length, text);
        printf("    \"%s\": \"", name);
        print_json_text(part);
        puts("\",");
        text += length + strspn(text + length, " ");
    }
    bool is_text = setting->type == CP_SETTING_STRING || setting->type == CP_SETTING_CHOICE;
    const char *quote = is_text ? "\"" : "";
    printf("    \"%s\": %s%s%s,\n", setting->name, quote, setting->initial, quote);
}

static void print_man_text(const char *text)
{
    for (; *text != '\0'; text++) {
        fputs(*text == '\\' ? "\\e" : *text == '-' ? "\\-" : (char[]){*text, '\0'}, stdout);
    }
}

static void print_man(const cp_setting *setting)
{
    char range[128];
    char initial[192];
    format_range(range, sizeof range, setting);
    format_default(initial, sizeof initial, setting, "");
    printf(".TP\n\\fB%s\\fR", setting->name);
    if (setting->flag != NULL) {
        fputs(" (", stdout);
        print_man_text(setting->flag);
        printf("%s%s)", setting->environment != NULL ? ", " : "",
               setting->environment != NULL ? setting->environment : "");
    }
    fputs("\n\\&", stdout); /* so that no help begins with a control character */
    print_man_text(setting->help);
    print_man_text(range);
    fputs(". Default: ", stdout);
    print_man_text(initial);
    putchar('\n');
}

static const struct {
    const char *name;
    bool of_entity;
    const char *before;
    void (*print)(const cp_setting *setting);
    const char *after;
} places[] = {
    {"header", false, " *\n", print_header, ""},
    {"markdown", false, "| setting | flag, environment | default | |\n|---|---|---|---|\n", print_markdown,
     "| `entities` | | the customer example | an array, see below |\n"},
    {"markdown-entity", true, "| of an entity | default | |\n|---|---|---|\n", print_markdown, ""},
    {"json", false, "", print_json, "\n"},
    {"man", false, "", print_man, ""},
    {"man-entity", true, "", print_man, ""},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof places / sizeof *places; i++) {
        if (strcmp(argv[1], places[i].name) == 0) {
            fputs(places[i].before, stdout);
            for (size_t j = 0; j < cp_setting_count(); j++) {
                const cp_setting *setting = cp_setting_describe(j);
                if (setting->of_entity == places[i].of_entity) {
                    places[i].print(setting);
                }
            }
            fputs(places[i].after, stdout);
            return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        }
    }
    fputs("usage: document-settings header|markdown|markdown-entity|json|man|man-entity\n", stderr);
    return EXIT_FAILURE;
}
