#include "source/crowd.h"

#include <string.h>

bool cpi_crowds_count(struct cpi_crowds *crowds, int session, size_t n, int64_t now_ms)
{
    if (crowds->window != now_ms / CPI_CROWD_WINDOW_MS) {
        memset(crowds, 0, sizeof *crowds);
        crowds->window = now_ms / CPI_CROWD_WINDOW_MS;
    }
    int place = 0;
    for (int i = 0; i < CPI_CROWD_SESSIONS; i++) {
        if (crowds->places[i].session == session) {
            place = i;
            break;
        }
        place = crowds->places[i].count < crowds->places[place].count ? i : place;
    }
    crowds->places[place].session = session;
    crowds->places[place].count += n;
    return crowds->places[place].count > CPI_CROWD_SHARE;
}
