# shellcheck shell=bash
# What cli-document.sh and cli-document-refused.sh share, for them to source after cli-lib.sh: a configuration of one
# declared document, setup, and an end without replication slots.

# shellcheck disable=SC2154 # $command, $name and others are cli-lib.sh's

drop_slots() {
    sql "select pg_drop_replication_slot(slot_name) from pg_replication_slots
         where slot_name like '%$name%' and database = '$name'" >/dev/null
}
trap 'set +e; [[ -z $daemon ]] || kill -KILL "$daemon" 2>/dev/null; wait; drop_slots; finish' EXIT

declare_to() { # FILE NAME COLUMN DOCUMENT: the key's template has to name the columns
    printf '{"prefix": "%s", "entities": [{"name": "%s", "key": "{prefix}:%s:%s", "document": %s}]}' "$prefix" "$2" "$2" \
        "$3" "$4" >"$1"
}
setup() { call "$command" setup --config "$@" && ((code == 0)); }
# What setup makes in the database, as text. Where there is nothing yet, that says so.
made() {
    sql "select oid::regprocedure, prosrc from pg_proc where pronamespace = to_regnamespace('cachepusher')::oid order by 1;
         select tgrelid::regclass, tgname from pg_trigger where not tgisinternal order by 1, 2" 2>&1
    sql "select * from cachepusher.document order by 1, 2, 3" 2>&1 || true
}
