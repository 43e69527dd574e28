/* Fewer, larger chunks for text that arrives in crumbs (wire protocol 4.8). */
#include <string.h>

#include "internal.h"

enum { FLUSH_AT_CHARS = 32, FLUSH_EVERY_MS = 50 };

struct ls_throttle {
    ls_call *call;
    ls_throttle_options options;
    ls_writer *chunk;
    char *text;
    size_t length;
    size_t capacity;
    size_t chars;
    /* When the first of what waits came. */
    double since;
    bool listening;
};

ls_throttle *ls_throttle_of(ls_call *call, ls_throttle_options options)
{
    ls_throttle *throttle = ls_alloc(sizeof *throttle);
    if (options.flush_at_chars == 0) options.flush_at_chars = FLUSH_AT_CHARS;
    if (options.flush_every_ms == 0) options.flush_every_ms = FLUSH_EVERY_MS;
    if (!options.field) options.field = "chunk";
    if (!options.emit) options.emit = ls_stream;
    *throttle = (ls_throttle){.call = call, .options = options, .chunk = ls_new_writer(), .listening = true};
    return throttle;
}

static void add(ls_throttle *throttle, const char *text, size_t length)
{
    if (length > throttle->capacity - throttle->length) {
        size_t wanted = (throttle->length + length) * 2;
        throttle->text = ls_retake(throttle->text, throttle->capacity, wanted);
        throttle->capacity = wanted;
    }
    memcpy(throttle->text + throttle->length, text, length);
    throttle->length += length;
    for (size_t n = 0; n < length; n++) {
        /* Bytes that go on with a character begin with the bits 10. */
        throttle->chars += ((unsigned char)text[n] & 0xC0) != 0x80;
    }
}

bool ls_throttle_push(ls_throttle *throttle, const char *text)
{
    double every = throttle->options.flush_every_ms;
    if (throttle->length == 0 && every > 0) throttle->since = ls_now();
    size_t length = strlen(text);
    if (length) add(throttle, text, length);
    bool is_due = throttle->chars >= throttle->options.flush_at_chars ||
                  (throttle->length && every > 0 && ls_now() - throttle->since >= every);
    return is_due ? ls_throttle_flush(throttle) : throttle->listening;
}

bool ls_throttle_flush(ls_throttle *throttle)
{
    if (throttle->length) {
        ls_clear(throttle->chunk);
        ls_put_object(throttle->chunk, NULL);
        ls_put_text(throttle->chunk, throttle->options.field, throttle->text, throttle->length);
        ls_end(throttle->chunk);
        ls_throttle_reset(throttle);
        throttle->listening = throttle->options.emit(throttle->call, throttle->chunk);
    }
    return throttle->listening;
}

void ls_throttle_reset(ls_throttle *throttle)
{
    throttle->length = 0;
    throttle->chars = 0;
}
