/* What the C library asks an operating system for, answered here, so that printf, time and rand work and
 * a component imports no WASI preview 1.
 *
 * Lines of standard output and standard error go to the service's log. There are no files and no
 * environment. What is not here (opening files, sockets) stays an import, which the host refuses by name. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
    SUCCESS = 0,
    BAD_FILE = 8,
    NOT_SEEKABLE = 70,
    CHARACTER_DEVICE = 2,
    MAX_LINE = 4096,
};

/* The names under which C libraries know these functions: wasi-libc's, and that of its parts written in Zig. */
#define WASI(name) __imported_wasi_snapshot_preview1_##name
#define ALSO(type, name, ...)                                                                              \
    type zig_##name(__VA_ARGS__) __asm__(#name "|wasi_snapshot_preview1")                                  \
        __attribute__((weak, alias("__imported_wasi_snapshot_preview1_" #name)));

typedef struct vector {
    const char *bytes;
    size_t length;
} vector;

/* What was printed since the last line end. */
static struct {
    char text[MAX_LINE];
    size_t length;
} lines[2];

static void *at(int32_t address)
{
    return (void *)(uintptr_t)(uint32_t)address;
}

static void put_line(int stream)
{
    ls_log(stream ? LS_ERROR : LS_INFO, "%.*s", (int)lines[stream].length, lines[stream].text);
    lines[stream].length = 0;
}

int32_t WASI(fd_write)(int32_t fd, int32_t vectors, int32_t count, int32_t written)
{
    if (fd != 1 && fd != 2) return BAD_FILE;
    int stream = fd - 1;
    size_t total = 0;
    const vector *each = at(vectors);
    for (int32_t n = 0; n < count; n++) {
        total += each[n].length;
        for (size_t i = 0; i < each[n].length; i++) {
            char byte = each[n].bytes[i];
            if (byte != '\n') lines[stream].text[lines[stream].length++] = byte;
            if (byte == '\n' || lines[stream].length == MAX_LINE) put_line(stream);
        }
    }
    *(size_t *)at(written) = total;
    return SUCCESS;
}
ALSO(int32_t, fd_write, int32_t fd, int32_t vectors, int32_t count, int32_t written)

int32_t WASI(fd_read)(int32_t fd, int32_t vectors, int32_t count, int32_t read)
{
    (void)vectors, (void)count;
    if (fd) return BAD_FILE;
    *(size_t *)at(read) = 0;
    return SUCCESS;
}
ALSO(int32_t, fd_read, int32_t fd, int32_t vectors, int32_t count, int32_t read)

int32_t WASI(fd_close)(int32_t fd)
{
    (void)fd;
    return BAD_FILE;
}
ALSO(int32_t, fd_close, int32_t fd)

int32_t WASI(fd_seek)(int32_t fd, int64_t offset, int32_t whence, int32_t place)
{
    (void)offset, (void)whence, (void)place;
    return fd >= 0 && fd <= 2 ? NOT_SEEKABLE : BAD_FILE;
}
ALSO(int32_t, fd_seek, int32_t fd, int64_t offset, int32_t whence, int32_t place)

/* A terminal, as far as the C library can tell: it then hands over each line as it ends. */
int32_t WASI(fd_fdstat_get)(int32_t fd, int32_t stat)
{
    if (fd < 0 || fd > 2) return BAD_FILE;
    char *to = at(stat);
    memset(to, 0, 24);
    to[0] = CHARACTER_DEVICE;
    return SUCCESS;
}
ALSO(int32_t, fd_fdstat_get, int32_t fd, int32_t stat)

int32_t WASI(environ_sizes_get)(int32_t count, int32_t size)
{
    *(size_t *)at(count) = *(size_t *)at(size) = 0;
    return SUCCESS;
}
ALSO(int32_t, environ_sizes_get, int32_t count, int32_t size)

int32_t WASI(environ_get)(int32_t pointers, int32_t text)
{
    (void)pointers, (void)text;
    return SUCCESS;
}
ALSO(int32_t, environ_get, int32_t pointers, int32_t text)

int32_t WASI(clock_time_get)(int32_t clock, int64_t precision, int32_t time)
{
    (void)clock, (void)precision;
    *(uint64_t *)at(time) = (uint64_t)(ls_now() * 1e3) * 1000;
    return SUCCESS;
}
ALSO(int32_t, clock_time_get, int32_t clock, int64_t precision, int32_t time)

int32_t WASI(clock_res_get)(int32_t clock, int32_t resolution)
{
    (void)clock;
    *(uint64_t *)at(resolution) = 1000;
    return SUCCESS;
}
ALSO(int32_t, clock_res_get, int32_t clock, int32_t resolution)

int32_t WASI(random_get)(int32_t bytes, int32_t length)
{
    ls_random(at(bytes), (size_t)(uint32_t)length);
    return SUCCESS;
}
ALSO(int32_t, random_get, int32_t bytes, int32_t length)

int32_t WASI(sched_yield)(void)
{
    return SUCCESS;
}
ALSO(int32_t, sched_yield, void)

_Noreturn void WASI(proc_exit)(int32_t status)
{
    ls_log(LS_ERROR, "the plugin called exit(%d), which ends the call", (int)status);
    abort();
}
ALSO(_Noreturn void, proc_exit, int32_t status)
