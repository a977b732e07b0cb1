#include "base/error.h"
#include "results/results.h"
#include "syncer_internal.h"

/* What the host is told, through its callbacks, its queue of results, or both. The queue comes first: it alone may
 * fail, and then nobody has been told. */

static bool queues(const cp_callbacks *host, cp_result_kind kind)
{
    return host->results != NULL && cpi_results_wants(host->results, kind);
}

static bool tell_settled(void *context, const cp_document *document)
{
    struct cp_syncer *syncer = context;
    const cp_callbacks *host = &syncer->host;
    if (queues(host, CP_RESULT_DOCUMENT) && !cpi_results_put_document(host->results, syncer, &syncer->stop, document)) {
        return false;
    }
    if (host->settled != NULL) {
        host->settled(host->context, document);
    }
    return true;
}

static void tell_log(void *context, const cp_log_entry *entry)
{
    struct cp_syncer *syncer = context;
    const cp_callbacks *host = &syncer->host;
    if (host->results != NULL && cpi_results_wants_log(host->results, entry->level)) {
        cpi_results_put_log(host->results, syncer, entry);
    }
    if (host->log_entry != NULL) {
        host->log_entry(host->context, entry);
    } else if (host->log != NULL) {
        host->log(host->context, entry->level, entry->message);
    }
}

static void tell_state(void *context, const cp_health *health)
{
    struct cp_syncer *syncer = context;
    const cp_callbacks *host = &syncer->host;
    if (queues(host, CP_RESULT_STATE)) {
        cpi_results_put_state(host->results, syncer, health);
    }
    if (host->state != NULL) {
        host->state(host->context, health);
    }
}

bool cpi_syncer_wants_documents(const cp_callbacks *host)
{
    return host->settled != NULL || queues(host, CP_RESULT_DOCUMENT);
}

void cpi_syncer_wire_host(struct cp_syncer *syncer, const cp_callbacks *host)
{
    bool wants_log = host->log != NULL || host->log_entry != NULL || queues(host, CP_RESULT_LOG);
    syncer->host = *host;
    syncer->env.log =
        (struct cpi_log){.write_entry = wants_log ? tell_log : NULL, .context = syncer, .repeats = &syncer->repeats};
    syncer->env.settled = cpi_syncer_wants_documents(host) ? tell_settled : NULL;
    syncer->env.settled_context = syncer;
    syncer->env.hooks = (struct cpi_thread_hooks){host->thread_start, host->thread_end, host->context};
    syncer->env.transform = (struct cpi_transform){.make = host->transform, .context = host->context};
}

bool cpi_syncer_join_host(struct cp_syncer *syncer, cp_error *err)
{
    const cp_callbacks *host = &syncer->host;
    if (host->state != NULL || queues(host, CP_RESULT_STATE)) {
        syncer->state_watch = cpi_state_watch_create(tell_state, syncer);
        if (syncer->state_watch == NULL) {
            cpi_error_memory(err);
            return false;
        }
    }
    syncer->uses_results = host->results != NULL && cpi_results_join(host->results, err) == CP_OK;
    return syncer->uses_results || host->results == NULL;
}

void cpi_syncer_leave_host(struct cp_syncer *syncer)
{
    cpi_state_watch_destroy(syncer->state_watch);
    if (syncer->uses_results) {
        cpi_results_leave(syncer->host.results);
    }
}

void cpi_syncer_wake_host(struct cp_syncer *syncer)
{
    cpi_state_watch_wake(syncer->state_watch);
    if (syncer->uses_results) {
        cpi_results_wake(syncer->host.results);
    }
}
