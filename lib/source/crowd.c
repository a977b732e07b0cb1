#include "source/crowd.h"

/* What a window allows is taken off each session's account as it ends. */
static void pass_windows(struct cpi_crowds *crowds, int64_t window)
{
    int64_t passed = window - crowds->window;
    size_t allowed = passed < CPI_CROWD_DEBT / CPI_CROWD_SHARE ? (size_t)passed * CPI_CROWD_SHARE : CPI_CROWD_DEBT;
    for (int i = 0; i < CPI_CROWD_SESSIONS; i++) {
        crowds->places[i].count -= crowds->places[i].count < allowed ? crowds->places[i].count : allowed;
    }
    crowds->window = window;
}

bool cpi_crowds_count(struct cpi_crowds *crowds, int session, size_t n, int64_t now_ms)
{
    if (crowds->window != now_ms / CPI_CROWD_WINDOW_MS) {
        pass_windows(crowds, now_ms / CPI_CROWD_WINDOW_MS);
    }
    int place = 0;
    for (int i = 0; i < CPI_CROWD_SESSIONS; i++) {
        if (crowds->places[i].session == session) {
            place = i;
            break;
        }
        place = crowds->places[i].count < crowds->places[place].count ? i : place;
    }
    size_t count = crowds->places[place].count + n;
    crowds->places[place].session = session;
    crowds->places[place].count = count < CPI_CROWD_DEBT ? count : CPI_CROWD_DEBT;
    return count > CPI_CROWD_SHARE;
}
