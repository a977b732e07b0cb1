/* The suites of the unit tests, and what several of them use. */
#ifndef SUITES_H
#define SUITES_H

#include "cachepusher.h"

#include <check.h>

Suite *abi_suite(void);
Suite *arguments_suite(void);
Suite *allowance_suite(void);
Suite *applier_suite(void);
Suite *asking_suite(void);
Suite *assert_suite(void);
Suite *backoff_suite(void);
Suite *batch_limit_suite(void);
Suite *bell_suite(void);
Suite *config_suite(void);
Suite *config_source_suite(void);
Suite *confirming_suite(void);
Suite *error_suite(void);
Suite *crowd_suite(void);
Suite *event_suite(void);
Suite *fence_suite(void);
Suite *hosts_suite(void);
Suite *id_suite(void);
Suite *idset_suite(void);
Suite *inbox_suite(void);
Suite *intake_suite(void);
Suite *key_suite(void);
Suite *keyspace_suite(void);
Suite *kept_keys_suite(void);
Suite *lane_suite(void);
Suite *lease_suite(void);
Suite *listener_suite(void);
Suite *mapper_suite(void);
Suite *live_feed_suite(void);
Suite *message_suite(void);
Suite *orphans_suite(void);
Suite *pgoutput_suite(void);
Suite *reader_suite(void);
Suite *random_suite(void);
Suite *repeats_suite(void);
Suite *secret_suite(void);
Suite *redis_address_suite(void);
Suite *redis_reply_suite(void);
Suite *requests_suite(void);
Suite *tickets_suite(void);
Suite *parked_suite(void);
Suite *resolve_suite(void);
Suite *results_suite(void);
Suite *ring_suite(void);
Suite *ring_stress_suite(void);
Suite *settings_suite(void);
Suite *single_keys_suite(void);
Suite *single_suite(void);
Suite *snapshot_suite(void);
Suite *nearest_suite(void);
Suite *pulse_suite(void);
Suite *stats_suite(void);
Suite *suspects_suite(void);
Suite *wal_changes_suite(void);
Suite *wal_orders_suite(void);
Suite *wal_parts_suite(void);
Suite *wal_reads_suite(void);
Suite *wal_rows_suite(void);
Suite *wal_session_suite(void);
Suite *checkpoint_text_suite(void);
Suite *settled_suite(void);
Suite *worker_suite(void);

/* How much of a stress test is done where ThreadSanitizer makes each step cost twenty times as much. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

/* splitmix64: the same draws in every run. */
static inline uint64_t draw(uint64_t *state)
{
    uint64_t value = *state += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

/* A draw from 0 to below - 1. */
static inline uint32_t draw_below(uint64_t *state, uint32_t below)
{
    return (uint32_t)((draw(state) >> 32) * below >> 32);
}

#endif
