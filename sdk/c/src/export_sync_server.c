/* `sync-server.call`. */
#include "abi.h"
#include "../generated/sync_server_handlers.c"
#include "export.h"

void exports_luckystack_plugin_sync_server_call(
    sync_server_handlers_string_t *route, exports_luckystack_plugin_sync_server_caller_t *caller,
    sync_server_handlers_string_t *room, exports_luckystack_plugin_sync_server_json_t *input,
    exports_luckystack_plugin_sync_server_result_json_handler_error_t *ret)
{
    ls_call *call = ls_new_call(LS_TEXT(route));
    ls_set_caller(call, caller);
    call->room = LS_TEXT(room);
    ls_text object;
    ret->is_err = ls_run(call, ls_sync_servers, LS_BYTES(input), &LS_SYNC_SERVER_CODES) == LS_FAILED ||
                  ls_success(call, &LS_SYNC_SERVER_CODES, &object) == LS_FAILED;
    if (ret->is_err) {
        ls_set_error(&ret->val.err, call);
    } else {
        LS_SET(&ret->val.ok, object);
    }
    ls_call_over();
}
