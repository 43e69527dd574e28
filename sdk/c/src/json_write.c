/* Writes JSON into the call's memory.
 *
 * The rule: what ls_written hands out is one whole JSON value. The first mistake is kept, everything
 * after it is ignored, and nothing is handed out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { FIRST_CAPACITY = 240 };

ls_writer *ls_new_writer(void)
{
    return ls_alloc(sizeof(ls_writer));
}

void ls_clear(ls_writer *writer)
{
    writer->length = writer->depth = 0;
    writer->comma = false;
    writer->mistake = NULL;
}

static char *reserve(ls_writer *writer, size_t more)
{
    if (more > writer->capacity - writer->length) {
        if (more > SIZE_MAX / 4 || writer->length > SIZE_MAX / 4) abort();
        size_t capacity = writer->capacity ? 2 * writer->capacity : FIRST_CAPACITY;
        if (capacity < writer->length + more) capacity = writer->length + more;
        writer->text = ls_retake(writer->text, writer->capacity, capacity);
        writer->capacity = capacity;
    }
    return writer->text + writer->length;
}

void ls_append(ls_writer *writer, const char *text, size_t length)
{
    memcpy(reserve(writer, length), text, length);
    writer->length += length;
}

static void append_char(ls_writer *writer, char byte)
{
    *reserve(writer, 1) = byte;
    writer->length++;
}

static void append_escaped(ls_writer *writer, unsigned char byte)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt", hex[] = "0123456789abcdef";
    const char *known = byte ? strchr(from, byte) : NULL;
    if (known) {
        ls_append(writer, (const char[]){'\\', to[known - from]}, 2);
    } else {
        ls_append(writer, (const char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
    }
}

void ls_append_string(ls_writer *writer, const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length, *plain = at;
    append_char(writer, '"');
    while (at < end) {
        unsigned char byte = *at;
        size_t sequence = byte < 0x80 ? 1 : ls_utf8(at, end);
        if (sequence && byte >= 0x20 && byte != '"' && byte != '\\') {
            at += sequence;
            continue;
        }
        ls_append(writer, (const char *)plain, (size_t)(at - plain));
        if (sequence) {
            append_escaped(writer, byte);
        } else {
            ls_append(writer, "\xEF\xBF\xBD", 3);
        }
        plain = ++at;
    }
    ls_append(writer, (const char *)plain, (size_t)(at - plain));
    append_char(writer, '"');
}

/* What comes before a value: a comma, the key. False when no value may stand here. */
static bool before_value(ls_writer *writer, const char *key)
{
    if (writer->mistake) return false;
    bool in_object = writer->depth && writer->open[writer->depth - 1] == '{';
    if (in_object && !key) {
        writer->mistake = "a value in an object was written without a key";
    } else if (!in_object && key) {
        writer->mistake = "a value outside of an object was written with a key";
    } else if (!writer->depth && writer->length) {
        writer->mistake = "a second value was written after the first had ended";
    }
    if (writer->mistake) return false;
    if (writer->comma) append_char(writer, ',');
    if (key) {
        ls_append_string(writer, key, strlen(key));
        append_char(writer, ':');
    }
    writer->comma = true;
    return true;
}

static void begin(ls_writer *writer, const char *key, char opening)
{
    if (!before_value(writer, key)) return;
    if (writer->depth == LS_MAX_DEPTH) {
        writer->mistake = "objects and arrays were nested too deep";
        return;
    }
    writer->open[writer->depth++] = opening;
    append_char(writer, opening);
    writer->comma = false;
}

void ls_put_object(ls_writer *writer, const char *key)
{
    begin(writer, key, '{');
}

void ls_put_array(ls_writer *writer, const char *key)
{
    begin(writer, key, '[');
}

void ls_end(ls_writer *writer)
{
    if (writer->mistake) return;
    if (!writer->depth) {
        writer->mistake = "ls_end was called with nothing open";
        return;
    }
    append_char(writer, writer->open[--writer->depth] == '{' ? '}' : ']');
    writer->comma = true;
}

void ls_put_text(ls_writer *writer, const char *key, const char *text, size_t length)
{
    if (before_value(writer, key)) ls_append_string(writer, text, length);
}

void ls_put_string(ls_writer *writer, const char *key, const char *text)
{
    if (text) {
        ls_put_text(writer, key, text, strlen(text));
    } else {
        ls_put_null(writer, key);
    }
}

void ls_put_integer(ls_writer *writer, const char *key, int64_t number)
{
    char text[24], *at = text + sizeof text;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0) *--at = '-';
    if (before_value(writer, key)) ls_append(writer, at, (size_t)(text + sizeof text - at));
}

void ls_put_number(ls_writer *writer, const char *key, double number)
{
    if (!isfinite(number)) {
        ls_put_null(writer, key);
    } else if (number == trunc(number) && fabs(number) < 0x1p53 && !(number == 0 && signbit(number))) {
        ls_put_integer(writer, key, (int64_t)number);
    } else if (before_value(writer, key)) {
        char text[32];
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, number);
            if (strtod(text, NULL) == number) break;
        }
        ls_append(writer, text, strlen(text));
    }
}

void ls_put_bool(ls_writer *writer, const char *key, bool value)
{
    if (before_value(writer, key)) ls_append(writer, value ? "true" : "false", value ? 4 : 5);
}

void ls_put_null(ls_writer *writer, const char *key)
{
    if (before_value(writer, key)) ls_append(writer, "null", 4);
}

void ls_put_value(ls_writer *writer, const char *key, const ls_value *value)
{
    if (value->type == LS_ABSENT) {
        ls_put_null(writer, key);
    } else if (before_value(writer, key)) {
        ls_append(writer, value->source.text, value->source.length);
    }
}

ls_text ls_written(ls_writer *writer)
{
    if (writer->mistake || writer->depth || !writer->length) return (ls_text){0};
    *reserve(writer, 1) = 0;
    return (ls_text){.text = writer->text, .length = writer->length};
}

ls_text ls_param_value(const ls_param *param)
{
    ls_writer *writer = ls_new_writer();
    switch (param->type) {
    case LS_STRING: ls_put_string(writer, NULL, param->string); break;
    case LS_BOOL: ls_put_bool(writer, NULL, param->integer != 0); break;
    case LS_NUMBER: ls_put_number(writer, NULL, param->number); break;
    default: ls_put_integer(writer, NULL, param->integer);
    }
    return ls_written(writer);
}
