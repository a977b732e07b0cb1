/* A file in memory that children can open by its path. It leaves nothing behind, however the program ends. */
#ifndef BENCH_MEMORY_FILE_H
#define BENCH_MEMORY_FILE_H

struct memory_file {
    int fd;
    char path[64];
};

void memory_file_create(struct memory_file *file, const char *text);
void memory_file_close(struct memory_file *file);

#endif
