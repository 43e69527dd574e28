/* Reads documents from a file, each behind its length (4 bytes, little-endian), and prints for each two
 * lines: what was read, with every number as the bits of its double, and what the writer makes of it. Or
 * `invalid`, twice. A test compares the first with another reader's, and reads the second back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/internal.h"

static void dump(ls_writer *out, const char *key, const ls_value *value, bool bits)
{
    switch (ls_type_of(value)) {
    case LS_OBJECT:
    case LS_ARRAY:
        if (ls_type_of(value) == LS_OBJECT) {
            ls_put_object(out, key);
        } else {
            ls_put_array(out, key);
        }
        for (size_t n = 0; n < ls_length(value); n++) {
            const ls_value *item = ls_item(value, n);
            /* Keys with a NUL are written up to it: ls_put_* takes C strings. The test makes none. */
            dump(out, ls_type_of(value) == LS_OBJECT ? ls_key(item).text : NULL, item, bits);
        }
        ls_end(out);
        break;
    case LS_STRING: {
        ls_text text = ls_string_text(value);
        ls_put_text(out, key, text.text, text.length);
        break;
    }
    case LS_NUMBER: {
        double number = ls_number(value, "", 0);
        uint64_t word;
        memcpy(&word, &number, sizeof word);
        if (bits) {
            ls_put_string(out, key, ls_format("#%016llx", (unsigned long long)word));
        } else {
            ls_put_number(out, key, number);
        }
        break;
    }
    case LS_BOOL: ls_put_bool(out, key, ls_bool(value, "", false)); break;
    default: ls_put_null(out, key);
    }
}

static void check(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    exit(1);
}
#define CHECK(condition) check((condition), #condition)

static const ls_value *parsed(const char *text)
{
    const ls_value *value = ls_parse(text, strlen(text));
    check(value != NULL, text);
    return value;
}

static void check_access(void)
{
    const ls_value *v = parsed("{\"a\":{\"b\":[1,{\"c\":\"x\\u0000y\"},-0.5e1]},\"a.b\":true,\"n\":9007199254740993,"
                               "\"twice\":1,\"twice\":2,\"big\":9223372036854775808,\"low\":-9223372036854775808,"
                               "\"e\":1e3,\"no\":null}");
    CHECK(ls_number(v, "a.b.0", 0) == 1 && ls_number(v, "a.b.2", 0) == -5);
    CHECK(ls_length(ls_get(v, "a.b.1.c")) == 3 && memcmp(ls_string(v, "a.b.1.c", ""), "x\0y", 4) == 0);
    CHECK(ls_bool(ls_member(v, "a.b"), "", false));
    CHECK(ls_integer(v, "n", 0) == 9007199254740993);
    CHECK(ls_integer(v, "twice", 0) == 2);
    CHECK(ls_integer(v, "big", 7) == 7 && ls_integer(v, "low", 7) == INT64_MIN);
    CHECK(ls_integer(v, "e", 0) == 1000 && ls_integer(v, "a.b.2", 0) == -5);
    CHECK(ls_type_of(ls_get(v, "no")) == LS_NULL && ls_type_of(ls_get(v, "nothing")) == LS_ABSENT);
    CHECK(ls_type_of(ls_get(v, "a.b.3.c")) == LS_ABSENT && ls_type_of(ls_get(v, "a.b.x")) == LS_ABSENT);
    CHECK(ls_type_of(ls_get(v, "a.b.99999999999999999999999")) == LS_ABSENT);
    CHECK(strcmp(ls_string(v, "n", "other"), "other") == 0 && ls_number(v, "a", 3) == 3);
    CHECK(strcmp(ls_key(ls_item(v, 1)).text, "a.b") == 0);
}

static void check_writer(void)
{
    ls_writer *w = ls_new_writer();
    CHECK(ls_written(w).text == NULL);
    ls_put_object(w, NULL);
    ls_put_value(w, "n", ls_get(parsed("[123456789012345678901234567890.10]"), "0"));
    ls_put_text(w, "bad", "a\xC3(\xED\xA0\x80\n\x01", 8);
    CHECK(ls_written(w).text == NULL);
    ls_end(w);
    const char *expected = "{\"n\":123456789012345678901234567890.10,"
                           "\"bad\":\"a\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\\n\\u0001\"}";
    CHECK(ls_written(w).text && strcmp(ls_written(w).text, expected) == 0);
    ls_put_null(w, NULL);
    CHECK(ls_written(w).text == NULL);
    ls_clear(w);
    ls_put_integer(w, NULL, INT64_MIN);
    CHECK(strcmp(ls_written(w).text, "-9223372036854775808") == 0);
    ls_clear(w);
    ls_put_string(w, "key", "outside of an object");
    CHECK(ls_written(w).text == NULL);
    ls_clear(w);
    ls_end(w);
    CHECK(ls_written(w).text == NULL);
    ls_clear(w);
    for (int n = 0; n < 129; n++) ls_put_array(w, NULL);
    for (int n = 0; n < 129; n++) ls_end(w);
    CHECK(ls_written(w).text == NULL);
}

static void check_arena(void)
{
    /* Memory is zeroed whatever was there before, in the first block and in later ones. */
    for (size_t round = 0; round < 3; round++) {
        ls_mark mark = ls_mark_now();
        for (size_t size = 1; size < 200000; size = size * 3 + 1) {
            char *bytes = ls_alloc(size);
            CHECK((uintptr_t)bytes % 16 == 0);
            for (size_t n = 0; n < size; n++) CHECK(bytes[n] == 0);
            memset(bytes, 0xAA, size);
        }
        ls_release(mark);
        CHECK(ls_mark_now().chunk == mark.chunk && ls_mark_now().used == mark.used);
    }
}

int main(int count, char **arguments)
{
    FILE *in = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (!in) return 2;
    check_access();
    check_writer();
    check_arena();
    unsigned char size[4];
    while (fread(size, 1, 4, in) == 4) {
        size_t length = (size_t)size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
        /* Exactly as long as it is: a reader that goes past it is found out. */
        char *text = malloc(length ? length : 1);
        if (fread(text, 1, length, in) != length) return 2;
        const ls_value *value = ls_parse(text, length);
        free(text);
        for (int bits = 1; bits >= 0; bits--) {
            ls_writer *out = ls_new_writer();
            if (value) dump(out, NULL, value, bits);
            ls_text line = value ? ls_written(out) : (ls_text){"invalid", 7};
            fwrite(line.text, 1, line.length, stdout);
            putchar('\n');
        }
        ls_release_all();
    }
    return 0;
}
