/* `hooks.handle`. */
#include "abi.h"
#include "../generated/hook_handlers.c"
#include "export.h"

void exports_luckystack_plugin_hooks_handle(
    hook_handlers_string_t *hook, exports_luckystack_plugin_hooks_json_t *payload,
    exports_luckystack_plugin_hooks_outcome_t *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->tag = EXPORTS_LUCKYSTACK_PLUGIN_HOOKS_OUTCOME_PROCEED;
    ls_call *call = ls_new_call(LS_TEXT(hook));
    ls_handler *handler = ls_find(ls_hooks, call->route);
    const ls_value *input = handler ? ls_parse((const char *)payload->ptr, payload->len) : NULL;
    ls_result result = input ? ls_run_value(call, handler, input, &LS_API_CODES) : LS_OK;
    ls_text written = ls_written(&call->out);
    if (result == LS_FAILED && !call->is_internal) {
        ret->tag = EXPORTS_LUCKYSTACK_PLUGIN_HOOKS_OUTCOME_STOP;
        exports_luckystack_plugin_hooks_stop_t *stop = &ret->val.stop;
        LS_SET(&stop->error_code, ls_text_of(call->error_code));
        stop->http_status.is_some = call->error_status > 0 && call->error_status < 1000;
        stop->http_status.val = (uint16_t)call->error_status;
        stop->override_output.is_some = written.text != NULL;
        if (written.text) LS_SET(&stop->override_output.val, written);
    } else if (result == LS_OK && written.text) {
        ret->tag = EXPORTS_LUCKYSTACK_PLUGIN_HOOKS_OUTCOME_REPLACE;
        LS_SET(&ret->val.replace, written);
    }
    ls_call_over();
}
