/* `api.call`. */
#include "abi.h"
#include "../generated/api_handlers.c"
#include "export.h"

void exports_luckystack_plugin_api_call(
    api_handlers_string_t *route, exports_luckystack_plugin_api_caller_t *caller,
    exports_luckystack_plugin_api_json_t *input, exports_luckystack_plugin_api_result_json_handler_error_t *ret)
{
    ls_call *call = ls_new_call(LS_TEXT(route));
    ls_set_caller(call, caller);
    ls_text object;
    ret->is_err = ls_run(call, ls_apis, LS_BYTES(input), &LS_API_CODES) == LS_FAILED ||
                  ls_success(call, &LS_API_CODES, &object) == LS_FAILED;
    if (ret->is_err) {
        ls_set_error(&ret->val.err, call);
    } else {
        LS_SET(&ret->val.ok, object);
    }
    ls_call_over();
}
