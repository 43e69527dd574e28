/* Every kind of handler, and a call of every helper. */
#include <luckystack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void caller(ls_call *call, ls_writer *out)
{
    ls_put_object(out, "caller");
    ls_put_string(out, "route", ls_route(call));
    ls_put_value(out, "user", ls_user(call));
    ls_put_string(out, "id", ls_user_id(call));
    ls_put_bool(out, "token", ls_token(call) != NULL);
    ls_put_string(out, "language", ls_language(call));
    ls_put_string(out, "ip", ls_ip(call));
    ls_put_bool(out, "requestId", *ls_request_id(call) != 0);
    ls_put_string(out, "traceparent", ls_traceparent(call));
    ls_put_bool(out, "socket", ls_is_socket(call));
    ls_end(out);
}

LS_API(everything, 1)
{
    const char *what = ls_string(input, "what", "");
    ls_writer *out = ls_out(call);
    if (strcmp(what, "internal") == 0) return ls_internal(call, "it went wrong: %d", 7);
    if (strcmp(what, "params") == 0) {
        bool yes = true;
        return ls_error(call, 0, "everything.params", LS_PARAM("text", "t"), LS_PARAM("whole", 42), LS_PARAM("half", 0.5),
                        LS_PARAM("yes", yes));
    }
    if (strcmp(what, "unended") == 0) {
        ls_put_object(out, NULL);
        return LS_OK;
    }
    if (strcmp(what, "nothing") == 0) return LS_FAILED;
    if (strcmp(what, "missing") == 0) return ls_call_function(call, "no/such", NULL) ? LS_OK : LS_FAILED;
    if (strcmp(what, "exit") == 0) exit(3);
    if (strcmp(what, "memory") == 0) {
        /* Far more than the limit, were it not given back in between. */
        for (int n = 0; n < 4000; n++) {
            ls_mark mark = ls_mark_now();
            memset(ls_alloc(200000), 1, 200000);
            ls_release(mark);
        }
    }
    printf("printed %.2f\n", 1.5);
    fprintf(stderr, "complained\n");
    ls_status(call, 201);
    ls_put_integer(ls_beside(call), "beside", 1);
    ls_put_object(out, NULL);
    caller(call, out);
    ls_put_bool(out, "clock", ls_now() > 1.6e12 && time(NULL) > 1600000000);
    unsigned char bytes[8] = {0};
    ls_random(bytes, sizeof bytes);
    ls_put_bool(out, "random", bytes[0] || bytes[1] || bytes[2] || bytes[3]);
    ls_put_string(out, "config", ls_config("greeting"));
    ls_text kept;
    uint64_t sum = 0;
    bool stored = ls_kv_set("key", "value", 5) && ls_kv_get("key", &kept) && ls_kv_delete("key");
    ls_put_text(out, "kept", stored && kept.text ? kept.text : "", stored ? kept.length : 0);
    ls_put_bool(out, "gone", ls_kv_get("key", &kept) && !kept.text);
    ls_put_bool(out, "sum", ls_kv_add("sum", 2, &sum) && sum >= 2);
    ls_writer *args = ls_new_writer();
    ls_put_object(args, NULL);
    ls_put_number(args, "n", 21);
    ls_end(args);
    const ls_value *doubled = ls_call_function(call, "everything/double", args);
    ls_put_value(out, "doubled", doubled ? doubled : ls_get(input, "absent"));
    ls_put_bool(out, "noSession", ls_type_of(ls_session("no such token")) == LS_ABSENT);
    ls_put_bool(out, "aborted", ls_aborted(call));
    ls_writer *chunk = ls_new_writer();
    ls_put_object(chunk, NULL);
    ls_end(chunk);
    ls_put_bool(out, "streams", ls_stream(call, chunk));
    ls_end(out);
    return LS_OK;
}

/* Every call that needs somebody signed in, or a grant of accounts or uploads. */
LS_FUNCTION(everything_identity)
{
    const char *id = ls_string(input, "id", "");
    ls_writer *fields = ls_new_writer();
    ls_put_object(fields, NULL);
    ls_put_string(fields, "theme", "dark");
    ls_end(fields);
    const ls_value *session = ls_session_update(call, NULL, fields);
    if (!session || !ls_session_update(call, ls_string(input, "token", ""), fields)) return LS_FAILED;
    bool ended = ls_session_end(call, NULL);
    const ls_value *record = ls_account_get(call, id);
    if (!record || ls_type_of(record) == LS_ABSENT) return LS_FAILED;
    if (!ls_account_update(call, id, fields)) return LS_FAILED;
    bool was_there;
    if (ls_account_check_password(call, id, "a") || ls_account_change_password(call, id, "a", "b", ls_token(call)) ||
        ls_account_set_password(call, id, "b", NULL) || ls_account_request_password_reset(call, "a@b.example") ||
        ls_account_complete_password_reset(call, "token", "c") ||
        ls_account_request_email_change(call, id, "a@b.example") || ls_account_confirm_email_change(call, "token") ||
        ls_upload_put(call, "a.bin", "bytes", 5) || ls_upload_remove(call, "a.bin", &was_there)) {
        return LS_FAILED;
    }
    ls_put_bool(ls_out(call), NULL, ended && was_there);
    return ls_account_delete(call, id);
}

LS_API(rare_getRare, 1)
{
    return ls_error(call, 418, "everything.rare", LS_PARAM("error", ls_error_code(call) ? "set" : "unset"));
}

LS_SYNC_SERVER(move, 1)
{
    ls_writer *chunk = ls_new_writer();
    ls_put_object(chunk, NULL);
    ls_end(chunk);
    ls_broadcast(call, chunk);
    ls_put_object(chunk, NULL);
    ls_end(chunk);
    const char *tokens[] = {ls_string(input, "to", "")};
    ls_stream_to(call, tokens, 1, chunk);
    ls_put_string(ls_out(call), NULL, ls_room(call));
    return LS_OK;
}

LS_SYNC_CLIENT(move, 1)
{
    ls_put_object(ls_out(call), NULL);
    ls_put_value(ls_out(call), "server", ls_get(ls_server_output(call), "result"));
    ls_put_bool(ls_out(call), "known", ls_recipient_token(call) != NULL);
    ls_end(ls_out(call));
    return LS_OK;
}

LS_FUNCTION(everything_double)
{
    ls_put_number(ls_out(call), NULL, 2 * ls_number(input, "n", 0));
    return LS_OK;
}

LS_HOOK(preApiExecute)
{
    const char *route = ls_string(input, "routeName", "");
    ls_log_warn("about to run %s", route);
    if (strstr(route, "conformance/fail")) return ls_error(call, 0, "everything.stopped");
    return LS_OK;
}

LS_ERROR_FORMATTER
{
    if (strcmp(ls_string(input, "errorCode", ""), "everything.rare") != 0) return LS_OK;
    ls_writer *out = ls_out(call);
    ls_put_object(out, NULL);
    ls_put_string(out, "status", "error");
    ls_put_string(out, "errorCode", "formatted");
    ls_put_value(out, "was", input);
    ls_end(out);
    return LS_OK;
}
