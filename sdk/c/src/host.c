/* The imports, as plugins see them. Each function that a plugin does not call falls away when it is
 * linked, and its import with it. */
#include <stdlib.h>
#include <string.h>

#include "imports.h"

/* ---- Logging ---- */

void ls_log_text(ls_level level, const char *context, size_t context_length, const char *text, size_t length)
{
    imports_string_t from = {(uint8_t *)(uintptr_t)context, context_length};
    imports_string_t message = {(uint8_t *)(uintptr_t)text, length};
    wasi_logging_logging_log((uint8_t)level, &from, &message);
}

void ls_log(ls_level level, const char *format, ...)
{
    ls_mark mark = ls_mark_now();
    va_list arguments;
    va_start(arguments, format);
    const char *text = ls_vformat(format, arguments);
    va_end(arguments);
    /* The host takes UTF-8 only; anything else would end the call. */
    ls_writer *writer = ls_new_writer();
    ls_put_string(writer, NULL, text);
    const ls_value *clean = ls_parse(writer->text, writer->length);
    if (clean) ls_log_text(level, ls_plugin_name, strlen(ls_plugin_name), clean->string.text, clean->string.length);
    ls_release(mark);
}

/* ---- Streaming ---- */

/* What was written, when it may be sent; otherwise the log says why it was not. */
static bool chunk_of(ls_call *call, ls_writer *writer, luckystack_plugin_types_json_t *chunk)
{
    ls_text text = ls_written(writer);
    if (!text.text) {
        const char *mistake = writer->mistake ? writer->mistake : "it is empty, or something in it was not ended";
        ls_log(LS_ERROR, "%s: a chunk was not sent: %s", call->route, mistake);
        return false;
    }
    *chunk = (luckystack_plugin_types_json_t){(uint8_t *)(uintptr_t)text.text, text.length};
    return true;
}

bool ls_stream(ls_call *call, ls_writer *writer)
{
    luckystack_plugin_types_json_t chunk;
    bool listening = chunk_of(call, writer, &chunk)
        && (call->is_recipient ? luckystack_plugin_stream_to_recipient(call->recipient, &chunk)
                               : luckystack_plugin_stream_emit(&chunk));
    ls_clear(writer);
    return listening;
}

bool ls_broadcast(ls_call *call, ls_writer *writer)
{
    luckystack_plugin_types_json_t chunk;
    bool listening = chunk_of(call, writer, &chunk) && luckystack_plugin_stream_broadcast(&chunk);
    ls_clear(writer);
    return listening;
}

bool ls_stream_to(ls_call *call, const char *const *tokens, size_t count, ls_writer *writer)
{
    luckystack_plugin_types_json_t chunk;
    bool listening = chunk_of(call, writer, &chunk);
    if (listening) {
        ls_mark mark = ls_mark_now();
        if (count > SIZE_MAX / sizeof(imports_string_t)) abort();
        imports_string_t *list = ls_take(count * sizeof(imports_string_t));
        for (size_t n = 0; n < count; n++) list[n] = string_of(tokens[n]);
        imports_list_string_t receivers = {list, count};
        listening = luckystack_plugin_stream_to(&receivers, &chunk);
        ls_release(mark);
    }
    ls_clear(writer);
    return listening;
}

bool ls_aborted(ls_call *call)
{
    (void)call;
    return luckystack_plugin_stream_aborted();
}

/* ---- Functions ---- */

void ls_take_error(ls_call *call, const luckystack_plugin_types_handler_error_t *error)
{
    size_t count = error->error_params.len;
    if (count > SIZE_MAX / sizeof(ls_param)) abort();
    ls_param *params = ls_alloc(count * sizeof(ls_param));
    ls_text *values = ls_alloc(count * sizeof(ls_text));
    for (size_t n = 0; n < count; n++) {
        const luckystack_plugin_types_error_param_t *param = &error->error_params.ptr[n];
        params[n].key = copied(param->key.ptr, param->key.len);
        values[n] = (ls_text){copied(param->value.ptr, param->value.len), param->value.len};
    }
    call->error_code = copied(error->error_code.ptr, error->error_code.len);
    call->error_status = error->http_status.is_some ? error->http_status.val : 0;
    call->error_params = params;
    call->error_values = values;
    call->error_params_length = count;
    call->is_internal = false;
}

const ls_value *ls_call_function(ls_call *call, const char *name, ls_writer *args)
{
    ls_text text = args ? ls_written(args) : (ls_text){.text = "null", .length = 4};
    if (!text.text) {
        const char *mistake = args->mistake ? args->mistake : "they are empty, or something in them was not ended";
        ls_internal(call, "the arguments of the function %s: %s", name, mistake);
        return NULL;
    }
    imports_string_t function = string_of(name);
    luckystack_plugin_types_json_t json = {(uint8_t *)(uintptr_t)text.text, text.length};
    luckystack_plugin_function_call_result_json_handler_error_t answer;
    luckystack_plugin_function_call_call(&function, &json, &answer);
    if (answer.is_err) {
        ls_take_error(call, &answer.val.err);
        return NULL;
    }
    const ls_value *value = ls_parse((const char *)answer.val.ok.ptr, answer.val.ok.len);
    if (!value) ls_internal(call, "the function %s answered with what is no JSON", name);
    return value;
}

/* ---- Time, randomness, configuration ---- */

double ls_now(void)
{
    wasi_clocks_wall_clock_datetime_t now;
    wasi_clocks_wall_clock_now(&now);
    return (double)now.seconds * 1e3 + (double)(now.nanoseconds / 1000) / 1e3;
}

void ls_random(void *bytes, size_t length)
{
    ls_mark mark = ls_mark_now();
    imports_list_u8_t random;
    wasi_random_random_get_random_bytes(length, &random);
    if (random.len != length) abort();
    if (length) memcpy(bytes, random.ptr, length);
    ls_release(mark);
}

const char *ls_config(const char *key)
{
    imports_string_t name = string_of(key);
    wasi_config_store_result_option_string_error_t answer;
    wasi_config_store_get(&name, &answer);
    if (answer.is_err || !answer.val.ok.is_some) return NULL;
    return copied(answer.val.ok.val.ptr, answer.val.ok.val.len);
}

/* ---- The store ---- */

static bool kv_failed(const char *key, const wasi_keyvalue_store_error_t *error)
{
    const char *reason = "it failed";
    switch (error->tag) {
    case WASI_KEYVALUE_STORE_ERROR_NO_SUCH_STORE: reason = "there is none"; break;
    case WASI_KEYVALUE_STORE_ERROR_ACCESS_DENIED: reason = "access was denied"; break;
    case WASI_KEYVALUE_STORE_ERROR_OTHER: reason = copied(error->val.other.ptr, error->val.other.len); break;
    }
    ls_log(LS_ERROR, "the store, at the key %s: %s", key, reason);
    return false;
}

static bool kv_open(const char *key, wasi_keyvalue_store_own_bucket_t *bucket)
{
    imports_string_t name = string_of("default");
    wasi_keyvalue_store_result_own_bucket_error_t opened;
    wasi_keyvalue_store_open(&name, &opened);
    if (opened.is_err) return kv_failed(key, &opened.val.err);
    *bucket = opened.val.ok;
    return true;
}

bool ls_kv_get(const char *key, ls_text *value)
{
    *value = (ls_text){0};
    wasi_keyvalue_store_own_bucket_t bucket;
    if (!kv_open(key, &bucket)) return false;
    imports_string_t name = string_of(key);
    wasi_keyvalue_store_result_option_list_u8_error_t answer;
    wasi_keyvalue_store_method_bucket_get(wasi_keyvalue_store_borrow_bucket(bucket), &name, &answer);
    wasi_keyvalue_store_bucket_drop_own(bucket);
    if (answer.is_err) return kv_failed(key, &answer.val.err);
    if (answer.val.ok.is_some) {
        size_t length = answer.val.ok.val.len;
        *value = (ls_text){copied(answer.val.ok.val.ptr, length), length};
    }
    return true;
}

bool ls_kv_set(const char *key, const void *value, size_t length)
{
    wasi_keyvalue_store_own_bucket_t bucket;
    if (!kv_open(key, &bucket)) return false;
    imports_string_t name = string_of(key);
    imports_list_u8_t bytes = {(uint8_t *)(uintptr_t)value, length};
    wasi_keyvalue_store_result_void_error_t answer;
    wasi_keyvalue_store_method_bucket_set(wasi_keyvalue_store_borrow_bucket(bucket), &name, &bytes, &answer);
    wasi_keyvalue_store_bucket_drop_own(bucket);
    return answer.is_err ? kv_failed(key, &answer.val.err) : true;
}

bool ls_kv_delete(const char *key)
{
    wasi_keyvalue_store_own_bucket_t bucket;
    if (!kv_open(key, &bucket)) return false;
    imports_string_t name = string_of(key);
    wasi_keyvalue_store_result_void_error_t answer;
    wasi_keyvalue_store_method_bucket_delete(wasi_keyvalue_store_borrow_bucket(bucket), &name, &answer);
    wasi_keyvalue_store_bucket_drop_own(bucket);
    return answer.is_err ? kv_failed(key, &answer.val.err) : true;
}

bool ls_kv_add(const char *key, uint64_t delta, uint64_t *sum)
{
    wasi_keyvalue_store_own_bucket_t bucket;
    if (!kv_open(key, &bucket)) return false;
    imports_string_t name = string_of(key);
    wasi_keyvalue_atomics_result_u64_error_t answer;
    wasi_keyvalue_atomics_increment(wasi_keyvalue_store_borrow_bucket(bucket), &name, delta, &answer);
    wasi_keyvalue_store_bucket_drop_own(bucket);
    if (answer.is_err) return kv_failed(key, &answer.val.err);
    *sum = answer.val.ok;
    return true;
}
