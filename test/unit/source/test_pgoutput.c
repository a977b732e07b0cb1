#include "suites.h"

#include "source/wal/pgoutput.h"
#include "source/wal/frames.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Recorded with pg_logical_slot_get_binary_changes() from Postgres 15, from tables k (id primary key, v), f (replica
 * identity full), t (id, big, n) and p (partitioned). What is expected of each is the text that describe() makes. */
static const struct {
    const char *hex;
    const char *described;
} recorded[] = {
    {"42000000000153d9000003042ff2bcfe90000002dc", "begin 153D900 849028912578192 732"},
    {"52000040007075626c6963006b006400020169640000000017ffffffff00760000000019ffffffff",
     "relation 16384 public.k d (*id 23 -1,v 25 -1)"},
    {"49000040004e0002740000000131740000000161", "insert 16384 new(t:1,t:a)"},
    {"49000040004e00027400000001326e", "insert 16384 new(t:2,n)"},
    {"4300000000000153d900000000000153d9300003042ff2bcfe90", "commit 153D900 153D930 849028912578192"},
    {"55000040004b00027400000001316e4e0002740000000133740000000161", "update 16384 K(t:1,n) new(t:3,t:a)"},
    {"52000040077075626c69630066006600020169640000000017ffffffff01760000000019ffffffff",
     "relation 16391 public.f f (*id 23 -1,*v 25 -1)"},
    {"49000040074e000274000000013174000000036f6c64", "insert 16391 new(t:1,t:old)"},
    {"55000040074f000274000000013174000000036f6c644e000274000000013174000000036e6577",
     "update 16391 O(t:1,t:old) new(t:1,t:new)"},
    {"520000400e7075626c69630074006400030169640000000017ffffffff006269670000000019ffffffff006e0000000017ffffffff",
     "relation 16398 public.t d (*id 23 -1,big 25 -1,n 23 -1)"},
    {"550000400e4e000374000000013175740000000132", "update 16398 new(t:1,u,t:2)"},
    {"44000040004b00027400000001326e", "delete 16384 K(t:2,n)"},
    {"5400000002010000400000004007", "truncate 1 (16384,16391)"},
    {"4d0100000000015404f07072650000000003636f6e", "message 1 15404F0 pre con"},
    {"52000040157075626c69630070006400020169640000000017ffffffff00726567696f6e0000000017ffffffff",
     "relation 16405 public.p d (*id 23 -1,region 23 -1)"},
    {"520000401a7075626c6963007031006400020169640000000017ffffffff00726567696f6e0000000017ffffffff",
     "relation 16410 public.p1 d (*id 23 -1,region 23 -1)"},
    {"49000040154e0002740000000135740000000137", "insert 16405 new(t:5,t:7)"},
    {"49000040004e000274000000013974000000017a", "insert 16384 new(t:9,t:z)"},
    {"52000040007075626c6963006b006400030169640000000017ffffffff00760000000019ffffffff00770000000017ffffffff",
     "relation 16384 public.k d (*id 23 -1,v 25 -1,w 23 -1)"},
    {"49000040004e000374000000023130740000000179740000000134", "insert 16384 new(t:10,t:y,t:4)"},
    {"53000002d801", "stream start 728"},
    {"45", "stream stop"},
    {"63000002d80000000000019479880000000001947b0000030454fa24ce7f",
     "stream commit 728 1947988 1947B00 849187950612095"},
    /* by hand, from the documentation */
    {"4f00000000000000ff6e6f646500", "origin FF node"},
    {"5900000019006d6f6f6400", "type 25 pg_catalog.mood"},
    {"4d000000000000000001700000000000", "message 0 1 p "},
    {"49000000014e000362000000020001740000000075", "insert 1 new(b:2,t:,u)"},
    {"41000002d8000002da", "stream abort 728 730"},
    /* IN_PARTS: of a large transaction, with logical_decoding_work_mem = 64kB; from the update on by hand */
    {"52000002d8000040027075626c6963006b006400020169640000000017ffffffff00760000000019ffffffff",
     "relation 16386 public.k d (*id 23 -1,v 25 -1)"},
    {"44000002da000040024b00027400000001326e", "delete 16386 K(t:2,n)"},
    {"54000002da000000010000004002", "truncate 0 (16386)"},
    {"55000002da000000014e000174000000013a", "update 1 new(t::)"},
    {"49000002da000000014e000174000000013a", "insert 1 new(t::)"},
    {"4d000002da0100000000015404f07072650000000003636f6e", "message 1 15404F0 pre con"},
    {"59000002da00000019006d6f6f6400", "type 25 pg_catalog.mood"},
};

enum { RECORDED = sizeof recorded / sizeof *recorded, IN_PARTS = 7, TEXT_BYTES = 512 };

/* Exactly as much memory as the message needs, so that ASan notices a read past its end. */
static uint8_t *from_hex(const char *hex, size_t *size)
{
    *size = strlen(hex) / 2;
    uint8_t *bytes = malloc(*size + (*size == 0));
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < *size; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return bytes;
}

__attribute__((format(printf, 2, 3))) static void add(char *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = strlen(out);
    vsnprintf(out + length, TEXT_BYTES - length, format, arguments);
    va_end(arguments);
}

static void add_row(char *out, const char *name, struct cpi_items row)
{
    add(out, " %s(", name);
    struct cpi_wal_value value;
    for (const char *comma = ""; cpi_pgoutput_value(&row, &value); comma = ",") {
        bool shown = value.kind == CPI_WAL_VALUE_TEXT;
        bool sent = shown || value.kind == CPI_WAL_VALUE_BINARY;
        add(out, "%s%c%s", comma, (char)value.kind, sent ? ":" : "");
        if (shown) {
            add(out, "%.*s", (int)value.length, value.bytes);
        } else if (sent) {
            add(out, "%zu", value.length);
        }
    }
    add(out, ")");
    ck_assert_uint_eq(row.count, 0);
    ck_assert_ptr_null(row.cursor.problem);
}

static void describe_row(char *out, const char *name, const struct cpi_pgoutput *message)
{
    add(out, "%s %u", name, message->row.relid);
    if (message->row.has_old != CPI_OLD_NONE) {
        add_row(out, (char[]){(char)message->row.has_old, '\0'}, message->row.old_row);
    }
    if (message->kind != CPI_PGOUTPUT_DELETE) {
        add_row(out, "new", message->row.new_row);
    }
}

static void describe_relation(char *out, const struct cpi_pgoutput *message)
{
    add(out, "relation %u %s.%s %c (", message->relation.relid, message->relation.schema, message->relation.name,
        message->relation.identity);
    struct cpi_items columns = message->relation.columns;
    struct cpi_column column;
    for (const char *comma = ""; cpi_pgoutput_column(&columns, &column); comma = ",") {
        add(out, "%s%s%s %u %d", comma, column.in_identity ? "*" : "", column.name, column.type, column.typmod);
    }
    add(out, ")");
}

static void describe_truncate(char *out, const struct cpi_pgoutput *message)
{
    add(out, "truncate %u (", message->truncate.options);
    struct cpi_items relids = message->truncate.relids;
    uint32_t relid;
    for (const char *comma = ""; cpi_pgoutput_relid(&relids, &relid); comma = ",") {
        add(out, "%s%u", comma, relid);
    }
    add(out, ")");
}

static void describe(char *out, const struct cpi_pgoutput *message)
{
    out[0] = '\0';
    switch (message->kind) {
    case CPI_PGOUTPUT_UNKNOWN:
        add(out, "unknown");
        break;
    case CPI_PGOUTPUT_BEGIN:
        add(out, "begin %lX %ld %u", message->begin.final_lsn, message->begin.time, message->begin.xid);
        break;
    case CPI_PGOUTPUT_COMMIT:
        add(out, "commit %lX %lX %ld", message->commit.lsn, message->commit.end_lsn, message->commit.time);
        break;
    case CPI_PGOUTPUT_ORIGIN:
        add(out, "origin %lX %s", message->origin.lsn, message->origin.name);
        break;
    case CPI_PGOUTPUT_RELATION:
        describe_relation(out, message);
        break;
    case CPI_PGOUTPUT_TYPE:
        add(out, "type %u %s.%s", message->type.oid, message->type.schema, message->type.name);
        break;
    case CPI_PGOUTPUT_INSERT:
        describe_row(out, "insert", message);
        break;
    case CPI_PGOUTPUT_UPDATE:
        describe_row(out, "update", message);
        break;
    case CPI_PGOUTPUT_DELETE:
        describe_row(out, "delete", message);
        break;
    case CPI_PGOUTPUT_TRUNCATE:
        describe_truncate(out, message);
        break;
    case CPI_PGOUTPUT_MESSAGE:
        add(out, "message %d %lX %s %.*s", message->message.transactional, message->message.lsn,
            message->message.prefix, (int)message->message.length, message->message.content);
        break;
    case CPI_PGOUTPUT_STREAM_START:
        add(out, "stream start %u", message->stream.xid);
        break;
    case CPI_PGOUTPUT_STREAM_STOP:
        add(out, "stream stop");
        break;
    case CPI_PGOUTPUT_STREAM_COMMIT:
        add(out, "stream commit %u %lX %lX %ld", message->commit.xid, message->commit.lsn, message->commit.end_lsn,
            message->commit.time);
        break;
    case CPI_PGOUTPUT_STREAM_ABORT:
        add(out, "stream abort %u %u", message->stream.xid, message->stream.subxid);
        break;
    }
}

START_TEST(decodes_a_message)
{
    size_t size;
    uint8_t *bytes = from_hex(recorded[_i].hex, &size);
    struct cpi_pgoutput message;
    cp_error err;
    cp_code code = cpi_pgoutput_decode(bytes, size, _i >= RECORDED - IN_PARTS, &message, &err);
    ck_assert_msg(code == CP_OK, "%s", err.message);
    char described[TEXT_BYTES];
    describe(described, &message);
    ck_assert_str_eq(described, recorded[_i].described);
    free(bytes);
}
END_TEST

START_TEST(refuses_what_is_cut_or_goes_on)
{
    size_t size;
    uint8_t *bytes = from_hex(recorded[_i].hex, &size);
    struct cpi_pgoutput message;
    cp_error err;
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *shorter = malloc(cut + (cut == 0));
        ck_assert_ptr_nonnull(shorter);
        memcpy(shorter, bytes, cut);
        ck_assert_int_eq(cpi_pgoutput_decode(shorter, cut, _i >= RECORDED - IN_PARTS, &message, &err), CP_ERR_POSTGRES);
        free(shorter);
    }
    uint8_t *longer = calloc(1, size + 1);
    ck_assert_ptr_nonnull(longer);
    memcpy(longer, bytes, size);
    ck_assert_int_eq(cpi_pgoutput_decode(longer, size + 1, _i >= RECORDED - IN_PARTS, &message, &err), CP_ERR_POSTGRES);
    free(longer);
    free(bytes);
}
END_TEST

static const struct {
    const char *hex;
    const char *problem;
} bad[] = {
    {"", "empty"},
    {"49000000014effff", "Insert message of 8 bytes: it ends early, at byte 8"}, /* 65,535 columns */
    {"49000000014e000174ffffffff", "it ends early, at byte 13"},                 /* a value of 4 GB */
    {"49000000014e00017800", "a value is of no known kind"},                     /* 'x' */
    {"49000000014b0000", "there is no new row"},                                 /* 'K' in an Insert */
    {"44000000014e0000", "there is no old row"},                                 /* 'N' in a Delete */
    {"55000000014b00004b0000", "there is no new row"},                           /* two old rows */
    {"54ffffffff0000000001", "Truncate message of 10 bytes: it ends early"},     /* 4 billion relations */
    {"5200000001616200", "a string does not end"},                               /* a name without its NUL */
    {"4d00000000000000000170007fffffff61", "Message message of 17 bytes: it ends early"},
};

START_TEST(says_what_is_wrong)
{
    size_t size;
    uint8_t *bytes = from_hex(bad[_i].hex, &size);
    struct cpi_pgoutput message;
    cp_error err;
    ck_assert_int_eq(cpi_pgoutput_decode(bytes, size, false, &message, &err), CP_ERR_POSTGRES);
    ck_assert_msg(strstr(err.message, bad[_i].problem) != NULL, "%s", err.message);
    free(bytes);
}
END_TEST

START_TEST(lets_unknown_messages_pass)
{
    struct cpi_pgoutput message;
    ck_assert_int_eq(cpi_pgoutput_decode("b\0\0\0\1", 5, false, &message, NULL), CP_OK);
    ck_assert_int_eq(message.kind, CPI_PGOUTPUT_UNKNOWN);
}
END_TEST

START_TEST(decodes_frames)
{
    static const char data[] = "w\0\0\0\1\0\0\0\2\0\0\0\1\0\0\0\3\0\0\0\0\0\0\0\4BC";
    struct cpi_frame frame;
    ck_assert_int_eq(cpi_frame_decode(data, sizeof data - 1, &frame, NULL), CP_OK);
    ck_assert_int_eq(frame.kind, CPI_FRAME_DATA);
    ck_assert(frame.start_lsn == 0x100000002 && frame.end_lsn == 0x100000003 && frame.time == 4);
    ck_assert(frame.length == 2 && memcmp(frame.data, "BC", 2) == 0);

    static const char keepalive[] = "k\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\6\1";
    ck_assert_int_eq(cpi_frame_decode(keepalive, sizeof keepalive - 1, &frame, NULL), CP_OK);
    ck_assert_int_eq(frame.kind, CPI_FRAME_KEEPALIVE);
    ck_assert(frame.end_lsn == 5 && frame.time == 6 && frame.reply_requested);
    ck_assert_int_eq(cpi_frame_decode(keepalive, sizeof keepalive, &frame, NULL), CP_ERR_POSTGRES);
    for (size_t cut = 0; cut < 18; cut++) {
        ck_assert_int_eq(cpi_frame_decode(keepalive, cut, &frame, NULL), CP_ERR_POSTGRES);
        ck_assert_int_eq(cpi_frame_decode(data, cut, &frame, NULL), CP_ERR_POSTGRES);
    }
    ck_assert_int_eq(cpi_frame_decode("z", 1, &frame, NULL), CP_OK);
    ck_assert_int_eq(frame.kind, CPI_FRAME_UNKNOWN);
}
END_TEST

START_TEST(encodes_the_standby_status)
{
    struct cpi_standby_status status = {1, 0x200000000, 3, 4, true};
    uint8_t out[CPI_STANDBY_STATUS_BYTES];
    cpi_standby_status_encode(&status, out);
    static const char expected[] = "r\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4\1";
    ck_assert_int_eq(memcmp(out, expected, sizeof out), 0);
}
END_TEST

START_TEST(reads_and_prints_positions)
{
    uint64_t lsn = 7;
    char text[CPI_LSN_TEXT_BYTES];
    ck_assert(cpi_lsn_parse("16/b374D848", &lsn));
    ck_assert_str_eq(cpi_lsn_print(lsn, text), "16/B374D848");
    ck_assert_str_eq(cpi_lsn_print(UINT64_MAX, text), "FFFFFFFF/FFFFFFFF");
    static const char *const none[] = {"", "/", "1/", "/1", "1", "1/1 ", " 1/1", "123456789/1", "1/123456789", "1/-1"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        ck_assert_msg(!cpi_lsn_parse(none[i], &lsn), "%s", none[i]);
    }
    ck_assert_uint_eq(lsn, 0x16B374D848);
}
END_TEST

Suite *pgoutput_suite(void)
{
    Suite *suite = suite_create("pgoutput");
    TCase *tcase = tcase_create("pgoutput");
    tcase_add_loop_test(tcase, decodes_a_message, 0, RECORDED);
    tcase_add_loop_test(tcase, refuses_what_is_cut_or_goes_on, 0, RECORDED);
    tcase_add_loop_test(tcase, says_what_is_wrong, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(tcase, lets_unknown_messages_pass);
    tcase_add_test(tcase, decodes_frames);
    tcase_add_test(tcase, encodes_the_standby_status);
    tcase_add_test(tcase, reads_and_prints_positions);
    suite_add_tcase(suite, tcase);
    return suite;
}
