#include "commands.h"
#include "fatal.h"
#include "report/plot.h"
#include "warmup/warmup_ways.h"

#include <math.h>
#include <string.h>

/* A block of "threads documents least most" for the rows of a way; gnuplot wants thousands. */
static void write_data(struct plot *plot, const struct table *table, const char *block, const char *way,
                       const char *column)
{
    fprintf(plot->stream, "$%s << END\n", block);
    for (unsigned row = 0; row < table_rows(table); row++) {
        double value = table_value(table, row, column);
        if (strcmp(table_word(table, row, "way"), way) == 0 && isfinite(value)) {
            double min;
            double max;
            table_spread(table, row, column, &min, &max);
            fprintf(plot->stream, "%.0f %.6f %.6f %.6f\n", table_value(table, row, "threads"), value / 1000, min / 1000,
                    max / 1000);
        }
    }
    fputs("END\n", plot->stream);
}

/* A mark for each number of threads, on a scale of doubling ones, as they are chosen. Those by hand come first. */
static void write_tics(struct plot *plot, const struct table *table)
{
    fputs("set logscale x 2\nset xtics (", plot->stream);
    double least = INFINITY;
    double most = 0;
    for (unsigned row = HANDS; row < table_rows(table); row++) {
        double threads = table_value(table, row, "threads");
        fprintf(plot->stream, "%s%.0f", row == HANDS ? "" : ", ", threads);
        least = fmin(least, threads);
        most = fmax(most, threads);
    }
    fprintf(plot->stream, ")\nset xrange [%g:%g]\n", least / 1.15, most * 1.15);
}

bool plot_warmup(const struct report *report, const char *path)
{
    const struct table *table = report_find(report, "throughput");
    struct plot plot;
    plot_begin(&plot, report, table_title(table), path);
    write_data(&plot, table, "get", "customer_get", "documents");
    write_data(&plot, table, "get_limit", "customer_get", "limit");
    write_data(&plot, table, "many", "customer_get_many", "documents");
    write_data(&plot, table, "many_limit", "customer_get_many", "limit");
    write_tics(&plot, table);
    fprintf(plot.stream,
            "plain = %.6f\n"
            "tuned = %.6f\n"
            "set xlabel 'threads' textcolor '#333333'\n"
            "set ylabel 'thousand documents a second' textcolor '#333333'\n"
            "set yrange [0:*]\n"
            "plot $many using 1:2:3:4 with yerrorlines lw 2.5 pt 7 ps 0.7 lc '#0b6e4f' title 'customer_get_many', \\\n"
            "     $get using 1:2:3:4 with yerrorlines lw 2.5 pt 7 ps 0.7 lc '#1f5fa8' title 'customer_get', \\\n"
            "     tuned with lines lw 2.5 lc '#b5473c' title 'by hand: psql | redis-cli --pipe', \\\n"
            "     $many_limit using 1:2 with linespoints lw 1.5 dt 2 pt 6 ps 0.6 lc '#0b6e4f' title "
            "'its limit: Postgres alone', \\\n"
            "     $get_limit using 1:2 with linespoints lw 1.5 dt 2 pt 6 ps 0.6 lc '#1f5fa8' title "
            "'its limit: Postgres alone', \\\n"
            "     plain with lines lw 1.5 dt 2 lc '#b5473c' title 'by hand, as in tutorials'\n",
            table_value(table, HAND_PLAIN, "documents") / 1000, table_value(table, HAND_TUNED, "documents") / 1000);
    return plot_end(&plot, path);
}
