/* Some documents, compared on both sides. */
#include "base/clock.h"
#include "doctor/doctor.h"

#include <inttypes.h>
#include <stdio.h>

enum { SAMPLE = 200, SAMPLE_MS = 30000 };

struct comparison {
    cp_syncer *syncer;
    int64_t deadline_ms;
    bool is_late;
};

static void watch_time(void *context, const cp_verify_result *so_far)
{
    struct comparison *comparison = context;
    (void)so_far;
    if (cpi_now_ms() >= comparison->deadline_ms) {
        comparison->is_late = true;
        cp_syncer_stop(comparison->syncer, 0, NULL);
    }
}

/* What to say depends on who could have made them differ. */
static void tell_difference(struct doctor *doctor, const cp_verify_result *result)
{
    static const char clash[] = ": another cachepusher may write the same keys";
    bool is_clash = !doctor->writer_differs && doctor->has_others && result->different + result->orphans > 0;
    const char *cure = doctor->writer_differs ? "restart the daemon, with this configuration"
                       : is_clash             ? "give either of the two another --prefix and name"
                       : doctor->has_writer   ? "cachepusher verify --repair"
                                              : "cachepusher run";
    findings_add(&doctor->findings, is_clash || doctor->has_writer ? VERDICT_WRONG : VERDICT_WARNING, "equal", cure,
                 "of %" PRIu64 " looked at, %" PRIu64 " missing, %" PRIu64 " different, %" PRIu64
                 " without a document, for two seconds%s",
                 result->compared, result->missing, result->different, result->orphans,
                 doctor->writer_differs ? ": the daemon that writes serves another version of them"
                 : is_clash             ? clash
                 : doctor->has_writer   ? ", although a daemon writes"
                                        : "; nobody writes at present");
}

static void tell_comparison(struct doctor *doctor, const cp_verify_result *result)
{
    struct findings *findings = &doctor->findings;
    if (result->unreadable > 0) {
        findings_add(findings, VERDICT_WRONG, "readable", "cachepusher verify, whose log names them and says why",
                     "%" PRIu64 " document%s cannot be read: the fetch function fails", result->unreadable,
                     result->unreadable == 1 ? "" : "s");
    }
    if (result->unfit > 0) {
        findings_add(findings, VERDICT_WRONG, "ids",
                     "give the entity the \"id_type\" of the column that \"list\" returns",
                     "%" PRIu64 " listed id%s none of the entity's id_type: no document of it is in Redis",
                     result->unfit, result->unfit == 1 ? " is" : "s are");
    }
    if (result->compared == 0) {
        findings_add(findings, VERDICT_OK, "equal", NULL, "there are no documents, and no keys of them");
    } else if (result->missing == result->compared && !doctor->has_been_filled) {
        findings_add(findings, VERDICT_WARNING, "equal", "cachepusher run, or cachepusher warmup",
                     "Redis has none of %" PRIu64 " document%s: nothing has filled it yet", result->compared,
                     result->compared == 1 ? "" : "s");
    } else if (result->missing + result->different + result->orphans > 0) {
        tell_difference(doctor, result);
    } else {
        findings_add(findings, VERDICT_OK, "equal", NULL, "all %" PRIu64 " documents and keys that were looked at%s",
                     result->compared, result->in_flight > 0 ? ", but for some that change all the time" : "");
    }
}

void doctor_check_sample(struct doctor *doctor)
{
    struct comparison comparison = {.syncer = doctor->syncer, .deadline_ms = cpi_now_ms() + SAMPLE_MS};
    const cp_verify_options options = {.size = sizeof options,
                                       .sample = doctor->options->sample > 0 ? doctor->options->sample : SAMPLE,
                                       .progress = watch_time,
                                       .context = &comparison};
    cp_verify_result result = {.size = sizeof result};
    cp_error err;
    findings_group(&doctor->findings, "Sample");
    if (!doctor->has_postgres || !doctor->has_redis || doctor->has_unreadable) {
        findings_add(&doctor->findings, VERDICT_WARNING, "equal", "what is wrong above, and run it again",
                     "not looked at: it takes %s",
                     doctor->has_postgres && doctor->has_redis ? "documents that can be read" : "both servers");
        return;
    }
    if (cp_syncer_verify(doctor->syncer, &options, &result, &err) != CP_OK) {
        findings_add(&doctor->findings, VERDICT_WRONG, "equal",
                     "cachepusher verify, which takes its time and says more", "%s",
                     comparison.is_late ? "not done within 30 s" : err.message);
        return;
    }
    tell_comparison(doctor, &result);
}
