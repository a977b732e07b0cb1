#include "doctor/doctor.h"

#include <math.h>
#include <time.h>

/* Of seconds. A round trip is no better known than this. */
static const double clock_warns_s = 1.0;

double doctor_host_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void doctor_tell_clock(struct doctor *doctor, const char *server, double its, double before, double after)
{
    double off = its < before ? its - before : its > after ? its - after : 0;
    if (fabs(off) < clock_warns_s) {
        findings_add(&doctor->findings, VERDICT_OK, "clock", NULL, "%s and this host agree to within a second", server);
    } else {
        findings_add(&doctor->findings, VERDICT_WARNING, "clock", "timedatectl set-ntp true",
                     "%s is %.1f s %s this host, so times in logs do not match; on whichever of the two is wrong",
                     server, fabs(off), off > 0 ? "ahead of" : "behind");
    }
}
