#include "commands.h"
#include "fatal.h"
#include "report/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CURVES = 16 };

/* The rows of table "distribution" that belong to one measurement: they follow one another. */
struct curve {
    const char *system;
    const char *situation;
};

static bool is_of(const struct curve *curve, const struct table *table, unsigned row)
{
    return strcmp(curve->system, table_word(table, row, "system")) == 0 &&
           strcmp(curve->situation, table_word(table, row, "situation")) == 0;
}

/* A block for each curve: how rare a latency is, one in so many, and the latency. The very largest has no place there.
 */
static unsigned write_data(struct plot *plot, const struct table *table, double rate, struct curve curves[CURVES])
{
    unsigned count = 0;
    for (unsigned row = 0; row < table_rows(table); row++) {
        if (table_value(table, row, "rate") != rate) {
            continue;
        }
        if (count == 0 || !is_of(&curves[count - 1], table, row)) {
            if (count == CURVES) {
                break;
            }
            fprintf(plot->stream, "%s$curve%u << END\n", count == 0 ? "" : "END\n", count);
            curves[count++] = (struct curve){.system = table_word(table, row, "system"),
                                             .situation = table_word(table, row, "situation")};
        }
        double quantile = table_value(table, row, "quantile");
        double latency_ms = table_value(table, row, "ms");
        if (quantile < 1 && isfinite(latency_ms)) {
            fprintf(plot->stream, "%.9g %.9g\n", 1 / (1 - quantile), latency_ms);
        }
    }
    fputs(count == 0 ? "" : "END\n", plot->stream);
    return count;
}

/* Which of the different values before it this one is. */
static unsigned place(const struct curve *curves, unsigned index, bool by_system)
{
    unsigned place = 0;
    for (unsigned i = 0; i < index; i++) {
        const char *mine = by_system ? curves[index].system : curves[index].situation;
        bool seen = false;
        for (unsigned j = 0; j < i; j++) {
            seen = seen || strcmp(by_system ? curves[j].system : curves[j].situation,
                                  by_system ? curves[i].system : curves[i].situation) == 0;
        }
        const char *other = by_system ? curves[i].system : curves[i].situation;
        if (strcmp(mine, other) == 0) {
            return place;
        }
        place += !seen;
    }
    return place;
}

/* A colour for each system, a line style for each situation. */
static void write_curves(struct plot *plot, const struct curve *curves, unsigned count)
{
    static const char *const colours[] = {"#0b6e4f", "#1f5fa8", "#b5473c", "#8a5fb0", "#b8860b", "#555555"};
    static const char *const styles[] = {"lw 2.5", "lw 2.5 dt 2", "lw 2.5 dt 3"};
    fputs("plot ", plot->stream);
    for (unsigned i = 0; i < count; i++) {
        char title[256];
        snprintf(title, sizeof title, "%s, %s", curves[i].system, curves[i].situation);
        fprintf(plot->stream, "%s$curve%u using 1:2 with lines %s lc '%s' title ", i == 0 ? "" : ", ", i,
                styles[place(curves, i, false) % 3], colours[place(curves, i, true) % 6]);
        plot_quote(plot, title);
    }
    fputc('\n', plot->stream);
}

bool plot_latency(const struct report *report, const char *path)
{
    const struct table *table = report_find(report, "distribution");
    struct plot plot;
    struct curve curves[CURVES];
    /* More curves than those of one rate nobody can tell apart. */
    double rate = table_value(table, 0, "rate");
    char title[128];
    snprintf(title, sizeof title, "From the commit to the document in Redis, at %s changes a second",
             report_count((long)rate));
    plot_begin(&plot, report, title, path);
    unsigned count = write_data(&plot, table, rate, curves);
    fputs("set key at screen 0.5, screen 0.21 maxrows 5 samplen 2 width -2 font ',12'\n"
          "set bmargin at screen 0.34\n"
          "set logscale x 10\n"
          "set logscale y 10\n"
          "set xtics ('median' 2, '90 %%' 10, '99 %%' 100, '99.9 %%' 1000, '99.99 %%' 10000)\n"
          "set xrange [2:*]\n"
          "set grid xtics\n"
          "set ytics (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)\n"
          "set xlabel 'share of the changes that are faster' textcolor '#333333'\n"
          "set ylabel 'milliseconds' textcolor '#333333'\n",
          plot.stream);
    write_curves(&plot, curves, count);
    return plot_end(&plot, path);
}
