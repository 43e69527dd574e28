/* `functions.call`. */
#include "abi.h"
#include "../generated/function_provider.c"
#include "export.h"

void exports_luckystack_plugin_functions_call(
    function_provider_string_t *name, exports_luckystack_plugin_functions_json_t *args,
    exports_luckystack_plugin_functions_result_json_handler_error_t *ret)
{
    ls_call *call = ls_new_call(LS_TEXT(name));
    ret->is_err = ls_run(call, ls_functions, LS_BYTES(args), &LS_FUNCTION_CODES) == LS_FAILED;
    if (ret->is_err) {
        ls_set_error(&ret->val.err, call);
    } else {
        LS_SET(&ret->val.ok, ls_bare(call));
    }
    ls_call_over();
}
