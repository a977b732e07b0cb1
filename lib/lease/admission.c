#include "lease/admission.h"

#include "base/error.h"
#include "lease/lock.h"

static cp_code confirm_session(struct cpi_lease *lease, const struct cpi_lease_session *session, struct cpi_pg *pg,
                               cp_error *err)
{
    struct cpi_lock_holder holder;
    if (cpi_lock_find_holder(pg, lease->name, session->token, &holder, err) != CP_OK) {
        return CP_ERR_POSTGRES;
    }
    if (!holder.is_token) {
        cpi_lease_report_loss(lease, session, holder.exists);
        return cpi_error(err, CP_ERR_POSTGRES, true, "the right to write has been lost");
    }
    return CP_OK;
}

static cp_code admission_refuse(enum cpi_lease_state state, cp_error *err)
{
    return cpi_error(err, CP_ERR_POSTGRES, true,
                     state == CPI_LEASE_TAKEN
                         ? "cannot write: another cachepusher is the writer"
                         : "cannot write: the lease is not held, since its session is not connected");
}

cp_code cpi_lease_confirm(struct cpi_lease *lease, struct cpi_pg *pg, cp_error *err)
{
    struct cpi_lease_session session;
    enum cpi_lease_state state = cpi_lease_read(lease, &session);
    return state == CPI_LEASE_HELD || state == CPI_LEASE_INHERITED ? confirm_session(lease, &session, pg, err)
                                                                   : admission_refuse(state, err);
}

cp_code cpi_lease_admit(struct cpi_lease *lease, struct cpi_pg *pg, struct cpi_target *target, cp_error *err)
{
    struct cpi_lease_session session;
    enum cpi_lease_state state = cpi_lease_read(lease, &session);
    if (state != CPI_LEASE_HELD && state != CPI_LEASE_INHERITED) {
        return admission_refuse(state, err);
    }
    cp_code code = target->ops->fence(target, session.group, lease->token, err);
    code = code == CP_OK ? confirm_session(lease, &session, pg, err) : code;
    if (code == CP_OK) {
        target->ops->admit(target);
    }
    return code;
}
