#include "source/crowd.h"

bool cpi_crowds_count(struct cpi_crowds *crowds, int session, size_t n, int64_t now_ms)
{
    unsigned place = (unsigned)session % CPI_CROWD_SESSIONS;
    int64_t window = now_ms / CPI_CROWD_WINDOW_MS;
    if (crowds->places[place].session != session || crowds->places[place].window != window) {
        crowds->places[place].session = session;
        crowds->places[place].window = window;
        crowds->places[place].count = 0;
    }
    crowds->places[place].count += n;
    return crowds->places[place].count > CPI_CROWD_SHARE;
}
