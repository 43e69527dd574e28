/* One call: what the handler asks of it, and how its answer becomes the contract's.
 *
 * The same rules as in the other SDKs: an error that the author did not choose is logged and reaches the
 * client as the code of the pipeline it happened in. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const char INTERNAL[] = "api.internalServerError";

ls_call *ls_new_call(const char *route)
{
    ls_call *call = ls_alloc(sizeof(ls_call));
    call->route = route;
    call->ip = "unknown";
    call->language = call->request_id = call->room = "";
    call->server_output = &ls_absent;
    return call;
}

/* ---- The handler's side ---- */

ls_writer *ls_out(ls_call *call)
{
    return &call->out;
}

ls_writer *ls_beside(ls_call *call)
{
    if (!call->beside.length) ls_put_object(&call->beside, NULL);
    return &call->beside;
}

void ls_status(ls_call *call, int status)
{
    call->status = status;
}

ls_param ls_param_string(const char *key, const char *value)
{
    return (ls_param){.key = key, .type = LS_STRING, .string = value ? value : ""};
}

ls_param ls_param_number(const char *key, double value)
{
    return (ls_param){.key = key, .type = LS_NUMBER, .number = value};
}

ls_param ls_param_integer(const char *key, int64_t value)
{
    return (ls_param){.key = key, .type = LS_NULL, .integer = value};
}

ls_param ls_param_bool(const char *key, bool value)
{
    return (ls_param){.key = key, .type = LS_BOOL, .integer = value};
}

static ls_result fail(ls_call *call, int status, const char *code)
{
    call->error_code = code;
    call->error_status = status;
    call->error_params = NULL;
    call->error_values = NULL;
    call->error_params_length = 0;
    call->is_internal = false;
    return LS_FAILED;
}

ls_result ls_error_params(ls_call *call, int status, const char *code, const ls_param *params)
{
    size_t count = 0;
    while (params[count].key) count++;
    ls_param *kept = ls_take(count * sizeof(ls_param));
    /* The caller's array and texts may be on its stack. */
    for (size_t n = 0; n < count; n++) {
        kept[n] = params[n];
        kept[n].key = ls_copy(params[n].key, strlen(params[n].key));
        if (params[n].string) kept[n].string = ls_copy(params[n].string, strlen(params[n].string));
    }
    fail(call, status, ls_copy(code, strlen(code)));
    call->error_params = kept;
    call->error_params_length = count;
    return LS_FAILED;
}

ls_result ls_internal(ls_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *reason = ls_vformat(format, arguments);
    va_end(arguments);
    ls_log(LS_ERROR, "%s: %s: %s", call->route, INTERNAL, reason);
    fail(call, 500, INTERNAL);
    call->is_internal = true;
    return LS_FAILED;
}

const char *ls_error_code(const ls_call *call)
{
    return call->error_code;
}

const char *ls_route(const ls_call *call)
{
    return call->route;
}

const ls_value *ls_user(ls_call *call)
{
    if (!call->user) {
        const ls_session_text *session = &call->session;
        call->user = session->is_some ? ls_parse(session->user.text, session->user.length) : NULL;
        if (!call->user) call->user = &ls_absent;
    }
    return call->user;
}

const char *ls_token(const ls_call *call)
{
    return call->session.is_some ? call->session.token.text : NULL;
}

const char *ls_user_id(ls_call *call)
{
    return call->user_id ? call->user_id : ls_string(ls_user(call), "id", NULL);
}

const char *ls_language(const ls_call *call)
{
    return call->language;
}

const char *ls_ip(const ls_call *call)
{
    return call->ip;
}

const char *ls_request_id(const ls_call *call)
{
    return call->request_id;
}

const char *ls_traceparent(const ls_call *call)
{
    return call->traceparent;
}

bool ls_is_socket(const ls_call *call)
{
    return call->is_socket;
}

const char *ls_room(const ls_call *call)
{
    return call->room;
}

const ls_value *ls_server_output(const ls_call *call)
{
    return call->server_output;
}

const char *ls_recipient_token(const ls_call *call)
{
    return call->recipient_token;
}

/* ---- The host's side ---- */

ls_handler *ls_find(ls_table table, const char *name)
{
    for (size_t n = 0; n < table.length; n++) {
        if (strcmp(table.entries[n].name, name) == 0) return table.entries[n].handler;
    }
    return NULL;
}

ls_result ls_settle(ls_call *call, const ls_codes *codes, const char *reason)
{
    if (reason) ls_log(LS_ERROR, "%s: %s: %s", call->route, codes->internal, reason);
    fail(call, codes->internal_status, codes->internal);
    call->is_internal = true;
    return LS_FAILED;
}

ls_result ls_run_value(ls_call *call, ls_handler *handler, const ls_value *input, const ls_codes *codes)
{
    ls_result result = handler(call, input);
    if (result == LS_FAILED) {
        if (!call->error_code) return ls_settle(call, codes, "the handler returned LS_FAILED without an error");
        return call->is_internal ? ls_settle(call, codes, NULL) : LS_FAILED;
    }
    const char *mistake = call->out.mistake;
    if (!mistake && call->out.depth) mistake = "an object or array of the result was not ended";
    return mistake ? ls_settle(call, codes, mistake) : LS_OK;
}

ls_result ls_run(ls_call *call, ls_table table, ls_text input, const ls_codes *codes)
{
    ls_handler *handler = ls_find(table, call->route);
    if (!handler) {
        ls_param name[] = {ls_param_string("name", call->route), {0}};
        return ls_error_params(call, codes->not_found_status, codes->not_found, name);
    }
    const ls_value *value = ls_parse(input.text, input.length);
    if (!value) {
        ls_log(LS_ERROR, "%s: the input is no JSON that this SDK reads", call->route);
        return fail(call, codes->invalid_status, codes->invalid);
    }
    return ls_run_value(call, handler, value, codes);
}

ls_text ls_bare(ls_call *call)
{
    ls_text result = ls_written(&call->out);
    return result.text ? result : (ls_text){.text = "null", .length = 4};
}

ls_result ls_success(ls_call *call, const ls_codes *codes, ls_text *object)
{
    ls_writer *beside = &call->beside;
    if (beside->length) {
        ls_end(beside);
        ls_text text = ls_written(beside);
        const ls_value *members = text.text ? ls_parse(text.text, text.length) : NULL;
        if (!members) {
            const char *mistake = beside->mistake ? beside->mistake : "an object or array beside the result was not ended";
            return ls_settle(call, codes, mistake);
        }
        static const char *const reserved[] = {"status", "httpStatus", "result"};
        for (size_t n = 0; n < sizeof reserved / sizeof *reserved; n++) {
            if (ls_type_of(ls_member(members, reserved[n])) != LS_ABSENT) {
                return ls_settle(call, codes, ls_format("`%s` cannot stand beside the result", reserved[n]));
            }
        }
    }
    ls_text result = ls_bare(call);
    ls_writer *whole = ls_new_writer();
    static const char status[] = "{\"status\":\"success\"", http[] = ",\"httpStatus\":", before[] = ",\"result\":";
    ls_append(whole, status, sizeof status - 1);
    if (call->status) {
        const char *number = ls_format("%d", call->status);
        ls_append(whole, http, sizeof http - 1);
        ls_append(whole, number, strlen(number));
    }
    ls_append(whole, before, sizeof before - 1);
    ls_append(whole, result.text, result.length);
    if (beside->length > 2) {
        ls_append(whole, ",", 1);
        ls_append(whole, beside->text + 1, beside->length - 1);
    } else {
        ls_append(whole, "}", 1);
    }
    *object = (ls_text){.text = whole->text, .length = whole->length};
    return LS_OK;
}

ls_text ls_error_value(const ls_call *call, size_t index)
{
    return call->error_values ? call->error_values[index] : ls_param_value(&call->error_params[index]);
}
