/* Plugins for luckystack-host in C. README.md beside this folder goes from nothing to a live handler.
 *
 * A handler is a function that LS_API and its kin define. It reads `input`, writes the result to
 * ls_out(call), and returns LS_OK; or it returns ls_error(...).
 *
 *     LS_API(double, 1)
 *     {
 *         ls_put_number(ls_out(call), NULL, 2 * ls_number(input, "value", 0));
 *         return LS_OK;
 *     }
 *
 * Memory: everything that these functions hand out (values, texts, writers) lives until the handler's
 * call ends and is then gone at once. Nothing of it is freed by hand, and nothing of it may be kept. What
 * must outlive the call is for malloc, and may be gone at the next call all the same: see "Instances are
 * reused" in wit/README.md. */
#ifndef LUCKYSTACK_H
#define LUCKYSTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The call that a handler answers. */
typedef struct ls_call ls_call;
/* A JSON value that was read. */
typedef struct ls_value ls_value;
/* JSON text that is being written. */
typedef struct ls_writer ls_writer;

/* What a handler returns. */
typedef enum ls_result {
    /* The result is what was written to ls_out(call); null when that is nothing. */
    LS_OK,
    /* An error, which ls_error, ls_internal or a failed call of a function has noted. */
    LS_FAILED,
} ls_result;

/* ---- Handlers ------------------------------------------------------------------------------------
 *
 * Each has the parameters `ls_call *call` and `const ls_value *input`, and stands in plugin.json. One that
 * does not is a compile error ("unknown type name 'plugin_json_lists_...'"); one that stands there and is
 * not defined is a link error ("undefined symbol: ls_api_..."). In names, write `_` for `-` and `/`. */

/* A route of kind `api`. `input` is the object that the client sent. A route of a nested page is called
 * by the page below the service and its name: LS_API(users_list, 1). */
#define LS_API(name, version) LS_HANDLER_(api_##name##_v##version)
/* The server half of a sync route; see ls_room. */
#define LS_SYNC_SERVER(name, version) LS_HANDLER_(sync_server_##name##_v##version)
/* The client half, for one recipient; see ls_recipient_token and ls_server_output. */
#define LS_SYNC_CLIENT(name, version) LS_HANDLER_(sync_client_##name##_v##version)
/* A function for other plugins: LS_FUNCTION(units_convert) for `units/convert`. `input` is its argument. */
#define LS_FUNCTION(name) LS_HANDLER_(function_##name)
/* A hook. `input` is its payload. LS_OK goes on (with what was written to ls_out(call), if anything, as
 * the hook's mutable field); ls_error stops (with what was written as the output that overrides). An
 * internal error is logged, and the call that the hook watched goes on. */
#define LS_HOOK(name) LS_HANDLER_(hook_##name)
/* The error formatter. `input` is the envelope; write another one to ls_out(call), or nothing. */
#define LS_ERROR_FORMATTER LS_HANDLER_(error_formatter)

/* ---- Reading JSON -------------------------------------------------------------------------------- */

typedef enum ls_type { LS_ABSENT, LS_NULL, LS_BOOL, LS_NUMBER, LS_STRING, LS_ARRAY, LS_OBJECT } ls_type;

/* Bytes, and a NUL after them that `length` does not count. */
typedef struct ls_text {
    const char *text;
    size_t length;
} ls_text;

/* Reads one JSON document; NULL when it is none (RFC 8259, UTF-8, numbers within the range of a double,
 * at most 127 levels deep). */
const ls_value *ls_parse(const char *text, size_t length);

/* What `path` leads to: keys and indices joined by dots ("items.2.name"), "" for the value itself. Never
 * NULL: what is not there is a value of type LS_ABSENT. */
const ls_value *ls_get(const ls_value *value, const char *path);
/* A member by its exact key, dots and all; where a key occurs twice, the last. Never NULL. */
const ls_value *ls_member(const ls_value *object, const char *key);
/* The item or member at an index. Never NULL. */
const ls_value *ls_item(const ls_value *list, size_t index);
/* The key of a member that ls_item or ls_member returned. */
ls_text ls_key(const ls_value *member);
/* Number of items, members, or bytes of a string; 0 for anything else. */
size_t ls_length(const ls_value *value);
/* What it is. */
ls_type ls_type_of(const ls_value *value);

/* What `path` leads to, or `fallback` where that is absent or of another type. */
const char *ls_string(const ls_value *value, const char *path, const char *fallback);
double ls_number(const ls_value *value, const char *path, double fallback);
bool ls_bool(const ls_value *value, const char *path, bool fallback);
/* A number without a fraction that fits; other numbers are `fallback` too. Exact beyond 2^53. */
int64_t ls_integer(const ls_value *value, const char *path, int64_t fallback);
/* The bytes and length of a string, for those that may hold a NUL; {NULL, 0} for anything else. */
ls_text ls_string_text(const ls_value *value);

/* ---- Writing JSON --------------------------------------------------------------------------------
 *
 * Everything goes through ls_put_*: with a key inside an object, with NULL as the key elsewhere. Commas,
 * quotes and escapes are the writer's business. A mistake (two results, a missing key, an object that is
 * not ended) makes the call fail with an internal error, and the log says which. */

/* The handler's result. */
ls_writer *ls_out(ls_call *call);
/* A writer for something else: a chunk, the argument of a function. */
ls_writer *ls_new_writer(void);

void ls_put_object(ls_writer *writer, const char *key);
void ls_put_array(ls_writer *writer, const char *key);
/* Ends the innermost object or array. */
void ls_end(ls_writer *writer);
/* NULL is written as null; bytes that are not UTF-8 as U+FFFD. */
void ls_put_string(ls_writer *writer, const char *key, const char *text);
void ls_put_text(ls_writer *writer, const char *key, const char *text, size_t length);
/* As short as reads back as the same double; what is not finite is written as null. */
void ls_put_number(ls_writer *writer, const char *key, double number);
void ls_put_integer(ls_writer *writer, const char *key, int64_t number);
void ls_put_bool(ls_writer *writer, const char *key, bool value);
void ls_put_null(ls_writer *writer, const char *key);
/* A value that was read, exactly as it was written. An absent one is written as null. */
void ls_put_value(ls_writer *writer, const char *key, const ls_value *value);
/* What was written, when it is one whole JSON value; else {NULL, 0}. Until the next ls_put_*. */
ls_text ls_written(ls_writer *writer);
/* Forgets what was written. */
void ls_clear(ls_writer *writer);

/* ---- Answering ----------------------------------------------------------------------------------- */

/* A value for a placeholder of an error's translation: LS_PARAM("id", id). */
typedef struct ls_param {
    const char *key;
    ls_type type;
    const char *string;
    double number;
    int64_t integer;
} ls_param;

/* `return ls_error(call, 404, "units.unknown", LS_PARAM("unit", unit));`: a stable code that the client
 * translates, never a sentence, and the HTTP status (0 for the default, 400). Returns LS_FAILED. */
#define ls_error(call, status, code, ...)                                                                  \
    ls_error_params((call), (status), (code), (const ls_param[]){__VA_ARGS__ __VA_OPT__(, ) {0}})
#define LS_PARAM(key, value)                                                                               \
    _Generic((value),                                                                                      \
        bool: ls_param_bool,                                                                               \
        char *: ls_param_string,                                                                           \
        const char *: ls_param_string,                                                                     \
        float: ls_param_number,                                                                            \
        double: ls_param_number,                                                                           \
        default: ls_param_integer)((key), (value))

/* Something went wrong that the client has no part in: it gets `api.internalServerError`, the log gets the
 * reason. Returns LS_FAILED. */
ls_result ls_internal(ls_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the HTTP status of a success, 200 otherwise. */
void ls_status(ls_call *call, int status);
/* Members for the answer beside `result`; neither `status`, `httpStatus` nor `result`. */
ls_writer *ls_beside(ls_call *call);

/* ---- Who calls ----------------------------------------------------------------------------------- */

/* Full name of the route, hook or function. */
const char *ls_route(const ls_call *call);
/* The session object of a signed-in caller, else absent: ls_string(ls_user(call), "id", NULL). */
const ls_value *ls_user(ls_call *call);
/* The session's token, a secret; NULL when nobody is signed in. */
const char *ls_token(const ls_call *call);
/* Id of the signed-in caller, or NULL. */
const char *ls_user_id(ls_call *call);
/* Language chosen for the caller or recipient, such as `en`. */
const char *ls_language(const ls_call *call);
/* Address of the client; `unknown` when there is none. */
const char *ls_ip(const ls_call *call);
/* Identifies the call in logs. */
const char *ls_request_id(const ls_call *call);
/* W3C trace context, or NULL. */
const char *ls_traceparent(const ls_call *call);
/* Whether the call came over a socket, not HTTP. */
bool ls_is_socket(const ls_call *call);
/* Sync handlers: the receiver that the caller named. */
const char *ls_room(const ls_call *call);
/* Client halves: the server half's whole object; its payload is in `result` by convention. */
const ls_value *ls_server_output(const ls_call *call);
/* Client halves: the recipient's token, a secret; NULL for an anonymous socket. */
const char *ls_recipient_token(const ls_call *call);

/* ---- While a call runs --------------------------------------------------------------------------- */

/* Sends what was written, an object, to the caller (in a client half: to the recipient) and clears the writer.
 * False when nobody listens. */
bool ls_stream(ls_call *call, ls_writer *chunk);
/* Sync handlers: the same to everybody in the room, and to the sockets of these session tokens. */
bool ls_broadcast(ls_call *call, ls_writer *chunk);
bool ls_stream_to(ls_call *call, const char *const *tokens, size_t count, ls_writer *chunk);
/* Whether the call was cancelled or its client has gone: stop early then. */
bool ls_aborted(ls_call *call);

/* What sends a chunk: ls_stream, ls_broadcast, or a function of yours. */
typedef bool ls_emitter(ls_call *call, ls_writer *chunk);
/* Gathers text that arrives in crumbs and sends fewer, larger chunks. */
typedef struct ls_throttle ls_throttle;
typedef struct ls_throttle_options {
    /* Send when so many characters have come together; 32 when 0. */
    size_t flush_at_chars;
    /* Send, at the next push, what has waited so many milliseconds; 50 when 0, negative for never. A handler
     * runs alone, so nothing is sent behind its back. */
    double flush_every_ms;
    /* Key of the text in a chunk; `chunk` when NULL. */
    const char *field;
    /* Where chunks go; ls_stream when NULL. */
    ls_emitter *emit;
} ls_throttle_options;
/* `ls_new_throttle(call, .field = "delta", .emit = ls_broadcast)`: all options may be left out. */
#define ls_new_throttle(call, ...) ls_throttle_of((call), (ls_throttle_options){__VA_ARGS__})
/* Adds text, whole characters of UTF-8. False when nobody listens any more. */
bool ls_throttle_push(ls_throttle *throttle, const char *text);
/* Sends what is left: call it at the end. False when nobody listens any more. */
bool ls_throttle_flush(ls_throttle *throttle);
/* Forgets what is left. */
void ls_throttle_reset(ls_throttle *throttle);
ls_throttle *ls_throttle_of(ls_call *call, ls_throttle_options options);

/* Calls a function by name. NULL when it failed; the error is then the call's, so that
 * `if (!answer) return LS_FAILED;` hands it on. `args` may be NULL. */
const ls_value *ls_call_function(ls_call *call, const char *name, ls_writer *args);
/* The code of the error that the call holds, or NULL; for those who do not hand it on. */
const char *ls_error_code(const ls_call *call);

typedef enum ls_level { LS_TRACE, LS_DEBUG, LS_INFO, LS_WARN, LS_ERROR } ls_level;
/* Writes a line to the service's log. */
void ls_log(ls_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define ls_log_debug(...) ls_log(LS_DEBUG, __VA_ARGS__)
#define ls_log_info(...) ls_log(LS_INFO, __VA_ARGS__)
#define ls_log_warn(...) ls_log(LS_WARN, __VA_ARGS__)
#define ls_log_error(...) ls_log(LS_ERROR, __VA_ARGS__)

/* Milliseconds since 1970. */
double ls_now(void);
/* Unpredictable bytes. */
void ls_random(void *bytes, size_t length);
/* A value of the service's configuration, or NULL. */
const char *ls_config(const char *key);

/* The service's store; needs the grant `keyvalue`. False when the store failed, which is logged. A key that
 * is not there is {NULL, 0}. */
bool ls_kv_get(const char *key, ls_text *value);
bool ls_kv_set(const char *key, const void *value, size_t length);
bool ls_kv_delete(const char *key);
/* Adds to a number that is kept under `key` and tells what it became. */
bool ls_kv_add(const char *key, uint64_t delta, uint64_t *sum);

/* ---- Sessions, accounts, uploads -------------------------------------------------------------------
 *
 * What is refused is the call's error, as that of a function is: `return ls_account_delete(call, id);` hands it
 * on, and ls_error_code(call) reads it. Texts and bytes that go in stay yours; values that come out live until
 * the call ends. A writer of fields is not cleared. */

/* The live session object behind a token; absent when it has ended or may not be read. */
const ls_value *ls_session(const char *token);
/* Sets what was written, an object (null removes a field), in the caller's session, or in that behind `token`
 * when it is not NULL. The session object as it is then, or NULL when it was refused:
 * `session.fieldNotAllowed` for a field that is not in the service's `session_fields`, `session.notFound`.
 * ls_user(call) stays as it was. */
const ls_value *ls_session_update(ls_call *call, const char *token, ls_writer *fields);
/* Ends the caller's session, or that behind `token` when it is not NULL: a logout. Whether there was one. */
bool ls_session_end(ls_call *call, const char *token);

/* Accounts; they need the grant `accounts`. They act for any user, so say whom you mean: ls_user_id(call), in
 * nearly all cases. */

/* The record of a user without its secrets; absent when there is none, NULL when it could not be read. */
const ls_value *ls_account_get(ls_call *call, const char *user_id);
/* Sets what was written, an object (null removes a field), in a record and in the user's sessions. The record
 * as it is then, or NULL when it was refused: `account.fieldNotAllowed`. */
const ls_value *ls_account_update(ls_call *call, const char *user_id, ls_writer *fields);
/* Checks a password: `login.wrongPassword`. */
ls_result ls_account_check_password(ls_call *call, const char *user_id, const char *password);
/* Sets a new password, if `current` is right, and ends all other sessions of the user. `keep` is the token of
 * the one that goes on, or NULL. */
ls_result ls_account_change_password(ls_call *call, const char *user_id, const char *current,
                                     const char *password, const char *keep);
/* The same without a check, for a user who was identified otherwise. */
ls_result ls_account_set_password(ls_call *call, const char *user_id, const char *password, const char *keep);
/* Sends a link for a new password, if somebody has that address; the same answer if not. */
ls_result ls_account_request_password_reset(ls_call *call, const char *email);
/* Sets a new password with the token of such a link, once. Ends all sessions of the user. */
ls_result ls_account_complete_password_reset(ls_call *call, const char *token, const char *password);
/* Sends a link to a new address, which confirms it. */
ls_result ls_account_request_email_change(ls_call *call, const char *user_id, const char *email);
/* Changes the address with the token of such a link, once. */
ls_result ls_account_confirm_email_change(ls_call *call, const char *token);
/* Deletes a user and ends all sessions. */
ls_result ls_account_delete(ls_call *call, const char *user_id);

/* Uploads, which everybody may read at `/uploads/<name>`; they need the grant `uploads`. */

/* Puts a file up, or replaces it. The name is `<id>.<extension>`: an id of letters, digits, `-` and `_`, and an
 * extension of the project's `uploads.formats`. The bytes are served as they are given: decode and re-encode
 * what a user sent. `uploads.invalidName`, `uploads.tooLarge`. */
ls_result ls_upload_put(ls_call *call, const char *name, const void *data, size_t length);
/* Takes a file down and tells whether it was there; `was_there` may be NULL. */
ls_result ls_upload_remove(ls_call *call, const char *name, bool *was_there);

/* ---- Memory of the call -------------------------------------------------------------------------- */

/* Zeroed bytes until the call ends. Never NULL: running out of memory ends the call. */
void *ls_alloc(size_t size);
/* A text made as printf does. */
const char *ls_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For loops that hand out much: `ls_mark mark = ls_mark_now(); ... ls_release(mark);` takes back all that
 * was handed out in between. Nothing of it may be used afterwards, nor a writer that was used in between. */
typedef struct ls_mark {
    void *chunk;
    size_t used;
} ls_mark;
ls_mark ls_mark_now(void);
void ls_release(ls_mark mark);

/* ---- Behind the macros --------------------------------------------------------------------------- */

#ifdef LS_PLUGIN_JSON
/* The build knows plugin.json: a handler must stand there. */
#define LS_HANDLER_(name)                                                                                  \
    extern plugin_json_lists_##name ls_listed_##name;                                                      \
    ls_result ls_##name(ls_call *call, const ls_value *input);                                             \
    ls_result ls_##name(ls_call *call __attribute__((unused)), const ls_value *input __attribute__((unused)))
#else
#define LS_HANDLER_(name)                                                                                  \
    ls_result ls_##name(ls_call *call, const ls_value *input);                                             \
    ls_result ls_##name(ls_call *call __attribute__((unused)), const ls_value *input __attribute__((unused)))
#endif

ls_result ls_error_params(ls_call *call, int status, const char *code, const ls_param *params);
ls_param ls_param_string(const char *key, const char *value);
ls_param ls_param_number(const char *key, double value);
ls_param ls_param_integer(const char *key, int64_t value);
ls_param ls_param_bool(const char *key, bool value);

#endif
