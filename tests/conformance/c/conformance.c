/* The service `conformance`: what every language must be able to do, in C. The other languages have the same
 * handlers, and the same tests call them. */
#include <luckystack.h>
#include <stdlib.h>
#include <string.h>

LS_API(echo, 1)
{
    ls_put_value(ls_out(call), NULL, ls_get(input, "value"));
    return LS_OK;
}

LS_API(typed, 1)
{
    ls_writer *out = ls_out(call);
    ls_put_object(out, NULL);
    ls_put_string(out, "text",
                  ls_format("%s x%lld %s", ls_string(input, "name", ""), (long long)ls_integer(input, "count", 0),
                            ls_string(input, "mode", "")));
    ls_put_integer(out, "tags", (int64_t)ls_length(ls_get(input, "tags")));
    ls_end(out);
    return LS_OK;
}

LS_API(fail, 1)
{
    return ls_error(call, 404, "conformance.notFound", LS_PARAM("id", ls_string(input, "id", "")));
}

LS_API(count, 1)
{
    double to = ls_number(input, "to", 0), sent = 0;
    ls_writer *chunk = ls_new_writer();
    while (sent + 1 <= to) {
        ls_put_object(chunk, NULL);
        ls_put_number(chunk, "step", ++sent);
        ls_end(chunk);
        ls_stream(call, chunk);
    }
    ls_put_object(ls_out(call), NULL);
    ls_put_number(ls_out(call), "sent", to);
    ls_end(ls_out(call));
    return LS_OK;
}

LS_API(whoami, 1)
{
    ls_writer *out = ls_out(call);
    ls_put_object(out, NULL);
    ls_put_value(out, "userId", ls_get(ls_user(call), "id"));
    ls_put_string(out, "language", ls_language(call));
    ls_end(out);
    return LS_OK;
}

LS_API(readSession, 1)
{
    const ls_value *session = ls_session(ls_string(input, "token", ""));
    ls_writer *out = ls_out(call);
    ls_put_object(out, NULL);
    ls_put_value(out, "userId", ls_get(session, "id"));
    ls_put_value(out, "theme", ls_get(session, "theme"));
    ls_put_value(out, "own", ls_get(ls_user(call), "theme"));
    ls_end(out);
    return LS_OK;
}

LS_API(setSession, 1)
{
    ls_writer *fields = ls_new_writer();
    ls_put_object(fields, NULL);
    ls_put_value(fields, ls_string(input, "key", ""), ls_get(input, "value"));
    ls_end(fields);
    const ls_value *session = ls_session_update(call, NULL, fields);
    if (!session) return LS_FAILED;
    ls_put_object(ls_out(call), NULL);
    ls_put_value(ls_out(call), "theme", ls_get(session, "theme"));
    ls_end(ls_out(call));
    return LS_OK;
}

LS_API(endSession, 1)
{
    ls_put_object(ls_out(call), NULL);
    ls_put_bool(ls_out(call), "ended", ls_session_end(call, NULL));
    ls_put_bool(ls_out(call), "again", ls_session_end(call, NULL));
    ls_end(ls_out(call));
    return LS_OK;
}

LS_API(account, 1)
{
    const char *id = ls_user_id(call), *password = ls_string(input, "newPassword", "");
    if (ls_account_change_password(call, id, ls_string(input, "password", NULL), password, ls_token(call)) == LS_FAILED ||
        ls_account_check_password(call, id, password) == LS_FAILED) {
        return LS_FAILED;
    }
    ls_writer *fields = ls_new_writer();
    ls_put_object(fields, NULL);
    ls_put_value(fields, "name", ls_get(input, "name"));
    ls_end(fields);
    const ls_value *updated = ls_account_update(call, id, fields), *record = ls_account_get(call, id);
    const ls_value *nobody = ls_account_get(call, "nobody");
    if (!updated || !record || !nobody) return LS_FAILED;
    ls_writer *out = ls_out(call);
    ls_put_object(out, NULL);
    ls_put_value(out, "updated", ls_get(updated, "name"));
    ls_put_value(out, "name", ls_get(record, "name"));
    ls_put_value(out, "nobody", ls_get(nobody, "id"));
    ls_end(out);
    return LS_OK;
}

LS_API(upload, 1)
{
    ls_text text = ls_string_text(ls_get(input, "text"));
    return ls_upload_put(call, ls_string(input, "name", ""), text.text, text.length);
}

LS_API(removeUpload, 1)
{
    const char *name = ls_string(input, "name", "");
    bool removed, again;
    if (ls_upload_remove(call, name, &removed) == LS_FAILED || ls_upload_remove(call, name, &again) == LS_FAILED) {
        return LS_FAILED;
    }
    ls_put_object(ls_out(call), NULL);
    ls_put_bool(ls_out(call), "removed", removed);
    ls_put_bool(ls_out(call), "again", again);
    ls_end(ls_out(call));
    return LS_OK;
}

LS_API(distance, 1)
{
    ls_writer *args = ls_new_writer();
    ls_put_object(args, NULL);
    ls_put_value(args, "from", ls_get(input, "from"));
    ls_put_value(args, "to", ls_get(input, "to"));
    ls_end(args);
    const ls_value *km = ls_call_function(call, "geo/distance", args);
    if (!km) return LS_FAILED;
    ls_put_object(ls_out(call), NULL);
    ls_put_value(ls_out(call), "km", km);
    ls_end(ls_out(call));
    return LS_OK;
}

LS_API(crash, 1)
{
    abort();
}

LS_API(spin, 1)
{
    for (volatile unsigned turns = 0;; turns++) {
    }
}

LS_API(log, 1)
{
    ls_log_info("%s", ls_string(input, "text", ""));
    return LS_OK;
}

/* Tells the caller how far it is, the room what is said and some sessions what they alone hear. */
LS_SYNC_SERVER(whisper, 1)
{
    const ls_value *text = ls_get(input, "text"), *aside = ls_get(input, "aside");
    int64_t steps = ls_integer(input, "steps", 0);
    ls_writer *chunk = ls_new_writer();
    for (int64_t step = 1; step <= steps; step++) {
        ls_put_object(chunk, NULL);
        ls_put_integer(chunk, "step", step);
        ls_end(chunk);
        ls_stream(call, chunk);
    }
    ls_put_object(chunk, NULL);
    ls_put_value(chunk, "heard", text);
    ls_end(chunk);
    ls_broadcast(call, chunk);

    size_t count = ls_length(aside);
    const char **tokens = ls_alloc((count + 1) * sizeof *tokens);
    for (size_t n = 0; n < count; n++) tokens[n] = ls_string(ls_item(aside, n), "", "");
    ls_put_object(chunk, NULL);
    ls_put_value(chunk, "aside", text);
    ls_end(chunk);
    ls_stream_to(call, tokens, count, chunk);

    ls_writer *out = ls_out(call);
    ls_put_object(out, NULL);
    ls_put_value(out, "text", text);
    ls_put_string(out, "room", ls_room(call));
    ls_put_value(out, "userId", ls_get(ls_user(call), "id"));
    ls_end(out);
    return LS_OK;
}

/* Whether the recipient's session is the one that the input names. */
static bool is_named(const ls_call *call, const ls_value *input, const char *key)
{
    const char *token = ls_recipient_token(call), *named = ls_string(input, key, NULL);
    return token && named && strcmp(token, named) == 0;
}

/* Keeps the secret from everybody but the reader. */
LS_SYNC_CLIENT(whisper, 1)
{
    if (is_named(call, input, "refused")) {
        return ls_error(call, 403, "conformance.refused", LS_PARAM("text", ls_string(input, "text", "")));
    }
    const ls_value *text = ls_get(ls_server_output(call), "result.text");
    bool is_reader = is_named(call, input, "reader");
    if (is_reader) {
        ls_writer *chunk = ls_new_writer();
        ls_put_object(chunk, NULL);
        ls_put_value(chunk, "ahead", text);
        ls_end(chunk);
        ls_stream(call, chunk);
    }
    ls_writer *out = ls_out(call);
    ls_put_object(out, NULL);
    ls_put_value(out, "text", text);
    if (is_reader) ls_put_value(out, "secret", ls_get(input, "secret"));
    else ls_put_null(out, "secret");
    ls_end(out);
    return LS_OK;
}

/* Runs until it is cancelled. */
LS_SYNC_SERVER(linger, 1)
{
    ls_writer *chunk = ls_new_writer();
    ls_put_object(chunk, NULL);
    ls_put_bool(chunk, "ready", true);
    ls_end(chunk);
    ls_stream(call, chunk);
    while (!ls_aborted(call)) {
    }
    ls_put_object(ls_out(call), NULL);
    ls_put_bool(ls_out(call), "aborted", true);
    ls_end(ls_out(call));
    return LS_OK;
}

LS_FUNCTION(conformance_double)
{
    ls_put_object(ls_out(call), NULL);
    ls_put_number(ls_out(call), "n", 2 * ls_number(input, "n", 0));
    ls_end(ls_out(call));
    return LS_OK;
}

LS_HOOK(postApiExecute)
{
    ls_log_info("echo was called");
    return LS_OK;
}
