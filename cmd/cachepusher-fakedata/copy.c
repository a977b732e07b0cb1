#include "copy.h"

#include <stdio.h>

/* Room for the longest row, every byte of it escaped: buffers are sent before less is left. */
enum { LONGEST_ROW = 2048 };

enum db_status copy_begin(struct copy *copy, struct db *db, const char *sql)
{
    copy->db = db;
    copy->used = 0;
    return db_exec(db, sql);
}

static void put(struct copy *copy, char c)
{
    if (copy->used < sizeof(copy->buffer))
        copy->buffer[copy->used++] = c;
}

static void put_escaped(struct copy *copy, char c)
{
    put(copy, '\\');
    put(copy, c);
}

void copy_int(struct copy *copy, int value)
{
    char digits[16];
    snprintf(digits, sizeof(digits), "%d", value);
    copy_text(copy, digits);
}

void copy_text(struct copy *copy, const char *text)
{
    if (!text)
        put_escaped(copy, 'N');
    for (; text && *text != '\0'; text++) {
        switch (*text) {
        case '\\':
            put_escaped(copy, '\\');
            break;
        case '\t':
            put_escaped(copy, 't');
            break;
        case '\n':
            put_escaped(copy, 'n');
            break;
        case '\r':
            put_escaped(copy, 'r');
            break;
        default:
            put(copy, *text);
        }
    }
    put(copy, '\t');
}

static enum db_status flush(struct copy *copy)
{
    int sent = PQputCopyData(copy->db->conn, copy->buffer, (int)copy->used);
    copy->used = 0;
    return sent == 1 ? DB_OK : db_judge(copy->db, NULL);
}

enum db_status copy_end_row(struct copy *copy)
{
    /* Without the tab after the last field. */
    copy->buffer[copy->used - 1] = '\n';
    return copy->used > sizeof(copy->buffer) - LONGEST_ROW ? flush(copy) : DB_OK;
}

enum db_status copy_end(struct copy *copy, const char *reason)
{
    enum db_status status = DB_OK;
    PGresult *result;
    if (!reason && copy->used > 0)
        status = flush(copy);
    if (PQputCopyEnd(copy->db->conn, reason) != 1)
        status = db_judge(copy->db, NULL);
    while ((result = PQgetResult(copy->db->conn)) != NULL) {
        if (status == DB_OK || PQresultStatus(result) == PGRES_FATAL_ERROR)
            status = db_judge(copy->db, result);
        PQclear(result);
    }
    return status;
}
