/* One suite to a file. */
#ifndef SUITES_H
#define SUITES_H

#include <check.h>

Suite *parity_suite(void);
Suite *wal_suite(void);
Suite *wal_losses_suite(void);
Suite *wal_tables_suite(void);
Suite *changes_suite(void);
Suite *mapping_suite(void);
Suite *mapping_failing_suite(void);
Suite *bulk_suite(void);
Suite *entities_suite(void);
Suite *payloads_suite(void);
Suite *warmup_suite(void);
Suite *sweep_suite(void);
Suite *failing_suite(void);
Suite *stop_suite(void);
Suite *fork_suite(void);
Suite *health_suite(void);
Suite *documents_suite(void);
Suite *lifecycle_suite(void);
Suite *threads_suite(void);
Suite *hooks_suite(void);
Suite *rounds_suite(void);
Suite *no_thread_suite(void);
Suite *follow_suite(void);
Suite *store_lacking_suite(void);
Suite *store_suite(void);
Suite *results_suite(void);
Suite *ticket_suite(void);
Suite *ticket_waits_suite(void);
Suite *transform_suite(void);
Suite *connections_suite(void);
Suite *redis_away_suite(void);
Suite *triggers_suite(void);
Suite *watch_suite(void);
Suite *watch_messages_suite(void);
Suite *watch_reads_suite(void);
Suite *hijack_suite(void);
Suite *listing_suite(void);
Suite *isolation_suite(void);
Suite *refusals_suite(void);
Suite *proofs_suite(void);
Suite *repairs_suite(void);
Suite *contract_suite(void);
Suite *audit_suite(void);
Suite *verify_suite(void);
Suite *verify_repairs_suite(void);
Suite *standby_suite(void);
Suite *catalog_suite(void);
Suite *unannounced_suite(void);
Suite *sessions_suite(void);
Suite *large_suite(void);

#endif
