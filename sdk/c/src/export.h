/* After a generated file of an export: the contract's records in, its records out.
 *
 * The generated files repeat the contract's types, so each export is compiled by itself; this one is
 * included by all of them. */
#include "exports.h"

#define LS_TEXT(of) (ls_copy((const char *)(of)->ptr, (of)->len))
#define LS_BYTES(of) ((ls_text){.text = (const char *)(of)->ptr, .length = (of)->len})
#define LS_SET(to, from) ((to)->ptr = (uint8_t *)(uintptr_t)(from).text, (to)->len = (from).length)

static inline ls_text ls_text_of(const char *text)
{
    return (ls_text){.text = text, .length = strlen(text)};
}

static inline void ls_set_error(luckystack_plugin_types_handler_error_t *to, const ls_call *call)
{
    size_t count = call->error_params_length;
    if (count > SIZE_MAX / sizeof(luckystack_plugin_types_error_param_t)) abort();
    luckystack_plugin_types_error_param_t *params = ls_take(count * sizeof *params);
    for (size_t n = 0; n < count; n++) {
        LS_SET(&params[n].key, ls_text_of(call->error_params[n].key));
        LS_SET(&params[n].value, ls_error_value(call, n));
    }
    memset(to, 0, sizeof *to);
    LS_SET(&to->error_code, ls_text_of(call->error_code));
    to->error_params.ptr = params;
    to->error_params.len = count;
    to->http_status.is_some = call->error_status > 0 && call->error_status < 1000;
    to->http_status.val = (uint16_t)call->error_status;
}

static inline void ls_set_caller(ls_call *call, const luckystack_plugin_types_caller_t *caller)
{
    call->ip = LS_TEXT(&caller->ip);
    call->language = LS_TEXT(&caller->language);
    call->request_id = LS_TEXT(&caller->request_id);
    call->traceparent = caller->traceparent.is_some ? LS_TEXT(&caller->traceparent.val) : NULL;
    call->is_socket = caller->transport == LUCKYSTACK_PLUGIN_TYPES_TRANSPORT_SOCKET;
    if (caller->session.is_some) {
        const luckystack_plugin_types_session_t *session = &caller->session.val;
        call->session.is_some = true;
        call->session.token = (ls_text){.text = LS_TEXT(&session->token), .length = session->token.len};
        call->session.user = LS_BYTES(&session->user);
    }
}
