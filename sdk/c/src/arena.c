/* The memory of a call: taken from the front of a block, given back all at once when the call ends.
 *
 * The first block is zeroed static memory, so that an ordinary call grows nothing; further ones come
 * from malloc. An instance serves one call at a time, so there is one arena. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
    ALIGNMENT = 16,
    FIRST_BLOCK = 64 * 1024,
};

typedef struct block {
    struct block *before;
    size_t size;
    size_t used;
    _Alignas(ALIGNMENT) char bytes[];
} block;

static _Alignas(ALIGNMENT) char first_bytes[sizeof(block) + FIRST_BLOCK];
static block *last;
/* How much of the first block was ever used: what lies behind it is still zero. */
static size_t first_dirty;

static size_t rounded(size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT) abort();
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static block *current(void)
{
    if (!last) {
        last = (block *)(void *)first_bytes;
        last->size = FIRST_BLOCK;
    }
    return last;
}

/* Bytes of any content. */
void *ls_take(size_t size)
{
    block *in = current();
    size = rounded(size);
    if (size > in->size - in->used) {
        size_t doubled = in->size > SIZE_MAX / 4 ? size : 2 * in->size;
        size_t wanted = size > doubled ? size : doubled;
        if (wanted > SIZE_MAX - sizeof(block)) abort();
        block *next = malloc(sizeof(block) + wanted);
        if (!next) abort();
        *next = (block){.before = in, .size = wanted};
        last = in = next;
    }
    void *taken = in->bytes + in->used;
    in->used += size;
    return taken;
}

/* Makes what was taken longer: in place when it was the last. */
void *ls_retake(void *old, size_t old_size, size_t size)
{
    if (!old) return ls_take(size);
    block *in = current();
    size_t was = rounded(old_size), now = rounded(size);
    if (now <= was) return old;
    if ((char *)old + was == in->bytes + in->used && now - was <= in->size - in->used) {
        in->used += now - was;
        return old;
    }
    void *taken = ls_take(size);
    memcpy(taken, old, old_size);
    return taken;
}

void *ls_alloc(size_t size)
{
    block *in = current();
    char *taken = ls_take(size);
    size_t dirty = size;
    if (!in->before && last == in) {
        size_t at = (size_t)(taken - in->bytes);
        dirty = at >= first_dirty ? 0 : first_dirty - at;
        if (dirty > size) dirty = size;
    }
    memset(taken, 0, dirty);
    return taken;
}

ls_mark ls_mark_now(void)
{
    block *in = current();
    return (ls_mark){.chunk = in, .used = in->used};
}

void ls_release(ls_mark mark)
{
    while (current() != mark.chunk) {
        block *gone = last;
        last = gone->before;
        free(gone);
    }
    if (!last->before && last->used > first_dirty) first_dirty = last->used;
    last->used = mark.used;
}

void ls_release_all(void)
{
    ls_release((ls_mark){.chunk = first_bytes, .used = 0});
}

const char *ls_copy(const char *text, size_t length)
{
    char *copy = ls_take(length + 1);
    if (length) memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

const char *ls_vformat(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    size_t size = length < 0 ? 0 : (size_t)length;
    char *text = ls_take(size + 1);
    text[0] = 0;
    if (length > 0) vsnprintf(text, size + 1, format, again);
    va_end(again);
    return text;
}

const char *ls_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = ls_vformat(format, arguments);
    va_end(arguments);
    return text;
}
