/* --help of the commands that look after the database. */
#include "help.h"

static const char dry_run[] = "  --dry-run            print the statements, and change nothing\n";

static const char json[] = "  --json               print one JSON object\n";

const struct help_parts help_of_generate = {
    .usage = "usage: cachepusher generate TABLE [OPTION...]\n"
             "\n"
             "Proposes a document for a table, and prints it as a configuration file, with comments, which\n"
             "cachepusher setup and cachepusher run take as it is. Asks nothing and changes nothing: it reads\n"
             "the catalog, and no row. TABLE is NAME or SCHEMA.NAME, spelt as in SQL.\n"
             "\n"
             "Foreign keys are followed both ways. What a row references becomes an object, rows that reference\n"
             "it become a list, in which a table that only links two others is passed over, and rows that hang\n"
             "on each other are nested. There are 32 such members at most, the nearest first, and none of which\n"
             "a document would have more than about 1000. Columns and tables that look private by their name\n"
             "(passwords, tokens, cards) are left out, as are bytea, tsvector, large objects, and what changes\n"
             "with each visit (last_login). Comments say what was left out, and why.\n"
             "\n",
    .work = "  --depth N            lists within lists, 0 to 5 (default 2); objects are followed as far\n",
    .log = "",
    .rest = "Exit codes: 0 done; 1 there is no such table, it has no key, or it failed; 2 bad usage or\n"
            "configuration.\n"
            "\n"
            "Examples:\n"
            "  cachepusher generate film --dsn dbname=shop >film.json\n"
            "  cachepusher generate '\"Sales\".\"Order\"' --depth 1\n",
};

const struct help_parts help_of_setup = {
    .usage = "usage: cachepusher setup [OPTION...]\n"
             "\n"
             "Makes what the configured source needs of Postgres, from each entity's \"watch\": for notify the\n"
             "triggers of cachepusher.watch(); for wal the replica identity of the tables where an update\n"
             "would not tell the old id, a publication and a replication slot; with source_announce messages\n"
             "triggers, an empty publication and a slot. Prints each statement. What is right is left alone.\n"
             "\n"
             "The entity's first channel announces every change. Where there is a second one, it announces\n"
             "deletions from a table whose primary key is the watched column alone.\n"
             "\n"
             "Of each declared document (\"document\") it makes a function and a listing, ordinary SQL in schema\n"
             "cachepusher, watches the tables that the document reads, and notes in cachepusher.document what\n"
             "it has made, where the daemon looks it up. Where a declaration has changed, it shows what differs;\n"
             "the former version stays for the daemon that works with it until it is restarted.\n"
             "\n"
             "It can run as another role than the daemon: one that owns the tables, and for wal one with\n"
             "REPLICATION and CREATE on the database.\n"
             "\n",
    .work = "  --dry-run            print the statements, and change nothing\n"
            "  --indexes            make the indexes that declared documents need and do not have, and those\n"
            "                       that cover what they read; without it they are only told of\n",
    .log = "",
    .rest = "Exit codes: 0 done, or nothing to do; 1 failed, and the statements before the failure are done;\n"
            "2 bad usage or configuration.\n"
            "\n"
            "Examples:\n"
            "  cachepusher setup --config shop.json --dry-run\n"
            "  cachepusher setup --config shop.json --dsn 'dbname=shop user=postgres' --source wal\n",
};

const struct help_parts help_of_teardown = {
    .usage = "usage: cachepusher teardown [OPTION...]\n"
             "\n"
             "Takes away what setup makes, for either source: the replication slot, which must not be in use,\n"
             "the publication, the triggers and their functions, and schema cachepusher if setup has loaded\n"
             "it and nothing else is watched. Replica identities stay: somebody else may need them; it says\n"
             "which there are, and how to reset them.\n"
             "\n",
    .work = dry_run,
    .log = "",
    .rest = "Exit codes: 0 done, or nothing to do; 1 failed, and the statements before the failure are done;\n"
            "2 bad usage or configuration.\n"
            "\n"
            "Examples:\n"
            "  cachepusher teardown --config shop.json --dry-run\n"
            "  cachepusher teardown --config shop.json --dsn 'dbname=shop user=postgres'\n",
};

const struct help_parts help_of_slot = {
    .usage = "usage: cachepusher slot [OPTION...]\n"
             "\n"
             "Shows the wal source's replication slot: who reads it, how much write-ahead log it makes Postgres\n"
             "keep, how far it lags. Warns of inactive slots that are called cachepusher_…, whose syncer may\n"
             "have retired: they retain write-ahead log until they are dropped.\n"
             "\n",
    .work = json,
    .log = "",
    .rest = "Exit codes: 0 fine; 1 the slot is lost or invalid, does not exist although the source is wal, or it\n"
            "could not tell; 2 bad usage or configuration.\n"
            "\n"
            "Examples:\n"
            "  cachepusher slot --config shop.json\n"
            "  cachepusher slot --set source_slot=cachepusher_shop --json\n",
};

const struct help_parts help_of_doctor = {
    .usage = "usage: cachepusher doctor [OPTION...]\n"
             "\n"
             "Looks whether all is as a daemon needs it, before one runs or beside one, and says of each point\n"
             "whether it is ok, wrong or doubtful (a warning), with what mends it: both servers and the rights\n"
             "there, each entity's functions and listing, a document, tables that documents read and nothing\n"
             "watches, triggers, indexes, what the wal source needs, memory and other keys in Redis, clocks, and\n"
             "a sample of documents compared on both sides. It changes nothing. A server that is away is one\n"
             "point, and the other one is looked at all the same.\n"
             "\n",
    .work = "  --sample N           compare N documents and N keys picked at random (default 200)\n"
            "  --json               print one JSON object\n",
    .log = "",
    .rest = "Exit codes: 0 nothing is wrong, though something may be doubtful; 1 something is wrong; 2 bad usage\n"
            "or configuration.\n"
            "\n"
            "Examples:\n"
            "  cachepusher doctor --config shop.json\n"
            "  cachepusher doctor --config shop.json --json | jq '.points[] | select(.verdict != \"ok\")'\n",
};
