#include "report/plot.h"

#include "fatal.h"
#include "servers/memory_file.h"
#include "servers/process.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool plot_is_possible(void)
{
    return process_is_installed("gnuplot", "gnuplot-nox");
}

void plot_quote(struct plot *plot, const char *text)
{
    fputc('\'', plot->stream);
    for (; *text != '\0'; text++) {
        fputs(*text == '\'' ? "''" : (char[]){*text, '\0'}, plot->stream);
    }
    fputc('\'', plot->stream);
}

/* The background is part of the picture: it has to be readable on a page of any colour. */
static const char look[] =
    "set terminal svg size 860,520 font 'Helvetica,Arial,sans-serif,15' background '#ffffff' noenhanced\n"
    "set encoding utf8\n"
    "set border 3 linecolor '#888888'\n"
    "set tics nomirror textcolor '#333333'\n"
    "set grid ytics linecolor '#dddddd' linewidth 1 linetype 1\n"
    "set key at screen 0.55, screen 0.15 center top maxrows 3 Left reverse samplen 3 width 2 textcolor '#333333'\n"
    "set rmargin 4\n"
    "set bmargin at screen 0.28\n";

void plot_begin(struct plot *plot, const struct report *report, const char *title, const char *path)
{
    *plot = (struct plot){0};
    plot->stream = open_memstream(&plot->script, &plot->size);
    if (plot->stream == NULL) {
        fatal("out of memory");
    }
    char where[512];
    report_describe(report, where, sizeof where);
    fputs(look, plot->stream);
    fputs("set output ", plot->stream);
    plot_quote(plot, path);
    fputs("\nset label 1 ", plot->stream);
    plot_quote(plot, title);
    fputs(" at graph 0, screen 0.955 left font ',18' textcolor '#111111'\nset label 2 ", plot->stream);
    plot_quote(plot, where);
    fputs(" at graph 0, screen 0.91 left font ',12' textcolor '#666666'\nset tmargin at screen 0.86\n", plot->stream);
}

bool plot_end(struct plot *plot, const char *path)
{
    fclose(plot->stream);
    struct memory_file file;
    memory_file_create(&file, plot->script);
    free(plot->script);
    char *words[] = {"gnuplot", file.path, NULL};
    struct process process;
    struct usage usage;
    process_start(&process, words, true);
    process_wait(&process, &usage);
    memory_file_close(&file);
    if (usage.exit_code != 0) {
        complain("--plot %s: gnuplot: %s", path, process.words);
    }
    return usage.exit_code == 0;
}
