/* Files of the source tree that cmd/common/embed.cmake makes part of the program, so that it works where it is
 * installed. */
#ifndef CMD_EMBEDDED_H
#define CMD_EMBEDDED_H

extern const char embedded_cachepusher_sql[]; /* db/cachepusher.sql */
extern const char embedded_page_html[];       /* admin/page.html, which brings its own Content-Security-Policy */

/* Of setup/sql. Each but slot_state and watched is a plan: see plan.h. */
extern const char embedded_setup_channels_sql[];
extern const char embedded_setup_functions_sql[];
extern const char embedded_setup_identity_sql[];
extern const char embedded_setup_neighbours_sql[];
extern const char embedded_setup_publication_sql[];
extern const char embedded_setup_server_sql[];
extern const char embedded_setup_slot_sql[];
extern const char embedded_setup_slot_state_sql[];
extern const char embedded_setup_tables_sql[];
extern const char embedded_setup_teardown_sql[];
extern const char embedded_setup_triggers_sql[];
extern const char embedded_setup_watched_sql[];

/* Of document/sql: see catalog.h. */
extern const char embedded_catalog_columns_sql[];
extern const char embedded_catalog_foreign_keys_sql[];
extern const char embedded_catalog_indexes_sql[];
extern const char embedded_catalog_tables_sql[];
extern const char embedded_document_channel_sql[];
extern const char embedded_document_indexes_sql[];
extern const char embedded_documents_sql[];  /* see made.h */
extern const char embedded_expression_sql[]; /* see resolve_sql.c */

/* Of doctor/sql: queries whose rows are findings. See doctor.h. */
extern const char embedded_doctor_function_sql[];
extern const char embedded_doctor_reads_sql[];
extern const char embedded_doctor_server_sql[];
extern const char embedded_doctor_wal_sql[];
extern const char embedded_doctor_watch_sql[];

#endif
