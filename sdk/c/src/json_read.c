/* Reads JSON into values of the call's memory, in one pass.
 *
 * The rule: text that is not JSON is refused whole, whatever bytes it holds. Numbers keep their own text
 * (ls_put_value writes it back as it was) beside the double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

const ls_value ls_absent = {.type = LS_ABSENT};

typedef struct reader {
    const unsigned char *at;
    const unsigned char *end;
    size_t depth;
} reader;

/* An item of a list whose length is not known yet. */
typedef struct link {
    const ls_value *value;
    struct link *next;
} link;

static bool read_value(reader *in, ls_value *value);

size_t ls_utf8(const unsigned char *at, const unsigned char *end)
{
    size_t left = (size_t)(end - at);
    unsigned char first = at[0];
    if (first < 0x80) return 1;
    if (first < 0xC2 || first > 0xF4) return 0;
    size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (left < length) return 0;
    for (size_t n = 1; n < length; n++) {
        if ((at[n] & 0xC0) != 0x80) return 0;
    }
    /* Overlong forms, surrogates, and what lies past the last code point. */
    if (first == 0xE0 && at[1] < 0xA0) return 0;
    if (first == 0xED && at[1] > 0x9F) return 0;
    if (first == 0xF0 && at[1] < 0x90) return 0;
    if (first == 0xF4 && at[1] > 0x8F) return 0;
    return length;
}

static void skip_space(reader *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' || *in->at == '\r' || *in->at == '\t')) in->at++;
}

static bool take(reader *in, char expected)
{
    if (in->at == in->end || *in->at != (unsigned char)expected) return false;
    in->at++;
    return true;
}

static bool take_word(reader *in, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0) return false;
    in->at += length;
    return true;
}

/* Four hexadecimal digits; -1 when they are none. */
static int read_hex4(reader *in)
{
    if (in->end - in->at < 4) return -1;
    int code = 0;
    for (int n = 0; n < 4; n++) {
        unsigned char digit = *in->at++;
        int value = digit >= '0' && digit <= '9'   ? digit - '0'
                    : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                    : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                                   : -1;
        if (value < 0) return -1;
        code = code * 16 + value;
    }
    return code;
}

/* Half a surrogate pair is no character. */
static bool read_escaped_code(reader *in, char **out)
{
    int code = read_hex4(in);
    if (code < 0 || (code >= 0xDC00 && code <= 0xDFFF)) return false;
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (!take(in, '\\') || !take(in, 'u')) return false;
        int low = read_hex4(in);
        if (low < 0xDC00 || low > 0xDFFF) return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    char *to = *out;
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *to++ = (char)(0xE0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    } else {
        *to++ = (char)(0xF0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3F));
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    }
    *out = to;
    return true;
}

static bool read_escape(reader *in, char **out)
{
    if (in->at == in->end) return false;
    unsigned char kind = *in->at++;
    if (kind == 'u') return read_escaped_code(in, out);
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *known = kind ? strchr(from, kind) : NULL;
    if (!known) return false;
    *(*out)++ = to[known - from];
    return true;
}

static bool read_string(reader *in, ls_text *text)
{
    if (!take(in, '"')) return false;
    /* Unescaped, a string is never longer than it was written. */
    const unsigned char *close = in->at;
    while (close < in->end && *close != '"') close += *close == '\\' ? 2 : 1;
    if (close >= in->end) return false;
    char *start = ls_take((size_t)(close - in->at) + 1), *out = start;
    while (in->at < close) {
        unsigned char byte = *in->at;
        if (byte == '\\') {
            in->at++;
            if (!read_escape(in, &out)) return false;
            continue;
        }
        size_t length = byte < 0x20 ? 0 : ls_utf8(in->at, close);
        if (!length) return false;
        memcpy(out, in->at, length);
        out += length;
        in->at += length;
    }
    *out = 0;
    *text = (ls_text){.text = start, .length = (size_t)(out - start)};
    return take(in, '"');
}

static size_t digits(reader *in)
{
    const unsigned char *start = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') in->at++;
    return (size_t)(in->at - start);
}

/* Few digits and a small power of ten need no more than one exact operation. */
static bool quick_number(const char *text, size_t length, double *number)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (length > 17) return false;
    uint64_t mantissa = 0;
    int fraction = 0;
    bool negative = text[0] == '-', in_fraction = false;
    for (size_t n = negative; n < length; n++) {
        if (text[n] == '.') {
            in_fraction = true;
        } else if (text[n] < '0' || text[n] > '9') {
            return false;
        } else {
            mantissa = 10 * mantissa + (uint64_t)(text[n] - '0');
            fraction += in_fraction;
        }
    }
    if (mantissa > (uint64_t)1 << 53) return false;
    double value = (double)mantissa / powers[fraction];
    *number = negative ? -value : value;
    return true;
}

static bool read_number(reader *in, double *number)
{
    const unsigned char *start = in->at;
    take(in, '-');
    const unsigned char *whole = in->at;
    size_t count = digits(in);
    if (!count || (count > 1 && *whole == '0')) return false;
    if (take(in, '.') && !digits(in)) return false;
    if (take(in, 'e') || take(in, 'E')) {
        if (!take(in, '+')) take(in, '-');
        if (!digits(in)) return false;
    }
    size_t length = (size_t)(in->at - start);
    if (quick_number((const char *)start, length, number)) return true;
    *number = strtod(ls_copy((const char *)start, length), NULL);
    return isfinite(*number);
}

static bool read_list(reader *in, ls_value *list, bool is_object)
{
    char closing = is_object ? '}' : ']';
    if (++in->depth >= LS_MAX_DEPTH) return false;
    in->at++;
    skip_space(in);
    link *first = NULL, **next = &first;
    if (!take(in, closing)) {
        do {
            ls_value *value = ls_take(sizeof(ls_value));
            *value = ls_absent;
            skip_space(in);
            if (is_object) {
                if (!read_string(in, &value->key)) return false;
                skip_space(in);
                if (!take(in, ':')) return false;
                skip_space(in);
            }
            if (!read_value(in, value)) return false;
            link *here = ls_take(sizeof(link));
            *here = (link){.value = value};
            *next = here;
            next = &here->next;
            list->length++;
            skip_space(in);
        } while (take(in, ','));
        if (!take(in, closing)) return false;
    }
    if (list->length > SIZE_MAX / sizeof(ls_value *)) return false;
    const ls_value **items = ls_take(list->length * sizeof(ls_value *));
    list->items = items;
    for (const link *here = first; here; here = here->next) *items++ = here->value;
    in->depth--;
    return true;
}

static bool read_value(reader *in, ls_value *value)
{
    if (in->at == in->end) return false;
    const unsigned char *start = in->at;
    bool fine;
    switch (*in->at) {
    case '{':
        value->type = LS_OBJECT;
        fine = read_list(in, value, true);
        break;
    case '[':
        value->type = LS_ARRAY;
        fine = read_list(in, value, false);
        break;
    case '"':
        value->type = LS_STRING;
        fine = read_string(in, &value->string);
        break;
    case 't':
        value->type = LS_BOOL;
        value->boolean = true;
        fine = take_word(in, "true");
        break;
    case 'f':
        value->type = LS_BOOL;
        fine = take_word(in, "false");
        break;
    case 'n':
        value->type = LS_NULL;
        fine = take_word(in, "null");
        break;
    default:
        value->type = LS_NUMBER;
        fine = read_number(in, &value->number);
    }
    value->source = (ls_text){.text = (const char *)start, .length = (size_t)(in->at - start)};
    return fine;
}

const ls_value *ls_parse(const char *text, size_t length)
{
    const unsigned char *copy = (const unsigned char *)ls_copy(text, length);
    reader in = {.at = copy, .end = copy + length};
    ls_value *value = ls_take(sizeof(ls_value));
    *value = ls_absent;
    skip_space(&in);
    if (!read_value(&in, value)) return NULL;
    skip_space(&in);
    return in.at == in.end ? value : NULL;
}

/* ---- Access ---- */

static const ls_value *member(const ls_value *object, const char *key, size_t length)
{
    if (object->type != LS_OBJECT) return &ls_absent;
    for (size_t n = object->length; n-- > 0;) {
        const ls_text *name = &object->items[n]->key;
        if (name->length == length && memcmp(name->text, key, length) == 0) return object->items[n];
    }
    return &ls_absent;
}

const ls_value *ls_member(const ls_value *object, const char *key)
{
    return member(object, key, strlen(key));
}

const ls_value *ls_item(const ls_value *list, size_t index)
{
    return index < list->length ? list->items[index] : &ls_absent;
}

static const ls_value *item_at(const ls_value *list, const char *index, size_t length)
{
    size_t number = 0;
    for (size_t n = 0; n < length; n++) {
        if (index[n] < '0' || index[n] > '9' || number > SIZE_MAX / 10 - 1) return &ls_absent;
        number = 10 * number + (size_t)(index[n] - '0');
    }
    return length ? ls_item(list, number) : &ls_absent;
}

const ls_value *ls_get(const ls_value *value, const char *path)
{
    while (*path) {
        size_t length = strcspn(path, ".");
        value = value->type == LS_ARRAY ? item_at(value, path, length) : member(value, path, length);
        path += length;
        if (*path == '.') path++;
    }
    return value;
}

ls_text ls_key(const ls_value *value)
{
    return value->key;
}

size_t ls_length(const ls_value *value)
{
    return value->type == LS_STRING ? value->string.length : value->length;
}

ls_type ls_type_of(const ls_value *value)
{
    return value->type;
}

const char *ls_string(const ls_value *value, const char *path, const char *fallback)
{
    const ls_value *found = ls_get(value, path);
    return found->type == LS_STRING ? found->string.text : fallback;
}

double ls_number(const ls_value *value, const char *path, double fallback)
{
    const ls_value *found = ls_get(value, path);
    return found->type == LS_NUMBER ? found->number : fallback;
}

bool ls_bool(const ls_value *value, const char *path, bool fallback)
{
    const ls_value *found = ls_get(value, path);
    return found->type == LS_BOOL ? found->boolean : fallback;
}

int64_t ls_integer(const ls_value *value, const char *path, int64_t fallback)
{
    const ls_value *found = ls_get(value, path);
    if (found->type != LS_NUMBER) return fallback;
    const char *text = found->source.text;
    bool negative = text[0] == '-';
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, number = 0;
    for (size_t n = negative; n < found->source.length; n++) {
        if (text[n] < '0' || text[n] > '9') {
            /* 1.0 and 1e3 are integers too; 2^63 itself is not one that fits. */
            double whole = found->number;
            bool fits = whole == trunc(whole) && whole >= -0x1p63 && whole < 0x1p63;
            return fits ? (int64_t)whole : fallback;
        }
        uint64_t digit = (uint64_t)(text[n] - '0');
        if (number > (limit - digit) / 10) return fallback;
        number = 10 * number + digit;
    }
    return negative ? (int64_t)(0 - number) : (int64_t)number;
}

ls_text ls_string_text(const ls_value *value)
{
    return value->type == LS_STRING ? value->string : (ls_text){0};
}
