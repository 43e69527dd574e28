/* `sync-client.call`: one call for a batch of recipients, one run of the handler for each. Input and server
 * output are read once. */
#include "abi.h"
#include "../generated/sync_client_handlers.c"
#include "export.h"

typedef exports_luckystack_plugin_sync_client_result_json_handler_error_t answer;

static ls_result run(ls_call *call, const ls_value *input, ls_text *object)
{
    const ls_codes *codes = &LS_SYNC_CLIENT_CODES;
    ls_handler *handler = ls_find(ls_sync_clients, call->route);
    if (!handler) {
        return ls_error(call, codes->not_found_status, codes->not_found, LS_PARAM("name", call->route));
    }
    if (!input || !call->server_output) return ls_settle(call, codes, "input or server output is no JSON");
    if (ls_run_value(call, handler, input, codes) == LS_FAILED) return LS_FAILED;
    return ls_success(call, codes, object);
}

void exports_luckystack_plugin_sync_client_call(
    sync_client_handlers_string_t *route, sync_client_handlers_string_t *room,
    exports_luckystack_plugin_sync_client_json_t *input, exports_luckystack_plugin_sync_client_json_t *server_output,
    exports_luckystack_plugin_sync_client_list_recipient_t *recipients,
    exports_luckystack_plugin_sync_client_list_result_json_handler_error_t *ret)
{
    const char *name = LS_TEXT(route), *in_room = LS_TEXT(room);
    const ls_value *value = ls_parse((const char *)input->ptr, input->len);
    const ls_value *server = ls_parse((const char *)server_output->ptr, server_output->len);
    size_t count = recipients->len;
    if (count > SIZE_MAX / sizeof(answer)) abort();
    answer *answers = ls_alloc(count * sizeof(answer));
    for (size_t n = 0; n < count; n++) {
        const exports_luckystack_plugin_sync_client_recipient_t *to = &recipients->ptr[n];
        ls_call *call = ls_new_call(name);
        call->room = in_room;
        call->is_socket = true;
        call->server_output = server;
        call->language = LS_TEXT(&to->language);
        call->is_recipient = true;
        call->recipient = (uint32_t)n;
        call->recipient_token = to->token.is_some ? LS_TEXT(&to->token.val) : NULL;
        ls_text object;
        answers[n].is_err = run(call, value, &object) == LS_FAILED;
        if (answers[n].is_err) {
            ls_set_error(&answers[n].val.err, call);
        } else {
            LS_SET(&answers[n].val.ok, object);
        }
    }
    ret->ptr = answers;
    ret->len = count;
    ls_call_over();
}
