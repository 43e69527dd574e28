/* `error-formatter.format`. */
#include "abi.h"
#include "../generated/error_formatting.c"
#include "export.h"

void exports_luckystack_plugin_error_formatter_format(
    error_formatting_string_t *route, exports_luckystack_plugin_error_formatter_transport_t transport,
    error_formatting_option_string_t *user_id, exports_luckystack_plugin_error_formatter_json_t *envelope,
    exports_luckystack_plugin_error_formatter_option_json_t *ret)
{
    ls_call *call = ls_new_call(LS_TEXT(route));
    call->is_socket = transport == LUCKYSTACK_PLUGIN_TYPES_TRANSPORT_SOCKET;
    call->user_id = user_id->is_some ? LS_TEXT(&user_id->val) : NULL;
    const ls_value *input = ls_parse((const char *)envelope->ptr, envelope->len);
    ls_text written = {0};
    if (input && ls_run_value(call, ls_error_formatter, input, &LS_API_CODES) == LS_OK) written = ls_written(&call->out);
    ret->is_some = written.text != NULL;
    if (written.text) LS_SET(&ret->val, written);
    ls_call_over();
}
