/* Sessions, accounts and uploads, as plugins see them. */
#include "imports.h"

/* What was written, as the host takes it; otherwise the call fails with an internal error. */
static bool fields_of(ls_call *call, const char *of, ls_writer *writer, luckystack_plugin_types_json_t *json)
{
    ls_text text = ls_written(writer);
    if (!text.text) {
        const char *mistake = writer->mistake ? writer->mistake : "they are empty, or something in them was not ended";
        ls_internal(call, "the fields of %s: %s", of, mistake);
        return false;
    }
    *json = (luckystack_plugin_types_json_t){(uint8_t *)(uintptr_t)text.text, text.length};
    return true;
}

static const ls_value *parsed(ls_call *call, const char *of, const luckystack_plugin_types_json_t *json)
{
    const ls_value *value = ls_parse((const char *)json->ptr, json->len);
    if (!value) ls_internal(call, "the host answered with %s that is no JSON", of);
    return value;
}

/* ---- Sessions ---- */

const ls_value *ls_session(const char *token)
{
    imports_string_t of = string_of(token);
    luckystack_plugin_session_api_option_session_t session;
    luckystack_plugin_session_api_get(&of, &session);
    const ls_value *user =
        session.is_some ? ls_parse((const char *)session.val.user.ptr, session.val.user.len) : NULL;
    return user ? user : &ls_absent;
}

const ls_value *ls_session_update(ls_call *call, const char *token, ls_writer *fields)
{
    luckystack_plugin_session_api_json_t json;
    if (!fields_of(call, "a session", fields, &json)) return NULL;
    imports_string_t of = string_of(token ? token : ls_token(call));
    luckystack_plugin_session_api_result_session_handler_error_t answer;
    luckystack_plugin_session_api_update(&of, &json, &answer);
    if (answer.is_err) {
        ls_take_error(call, &answer.val.err);
        return NULL;
    }
    return parsed(call, "a session", &answer.val.ok.user);
}

bool ls_session_end(ls_call *call, const char *token)
{
    imports_string_t of = string_of(token ? token : ls_token(call));
    return luckystack_plugin_session_api_end(&of);
}

/* ---- Accounts ---- */

static ls_result account(ls_call *call, const luckystack_plugin_accounts_result_void_handler_error_t *answer)
{
    if (!answer->is_err) return LS_OK;
    ls_take_error(call, &answer->val.err);
    return LS_FAILED;
}

const ls_value *ls_account_get(ls_call *call, const char *user_id)
{
    imports_string_t id = string_of(user_id);
    luckystack_plugin_accounts_result_option_json_handler_error_t answer;
    luckystack_plugin_accounts_get(&id, &answer);
    if (answer.is_err) {
        ls_take_error(call, &answer.val.err);
        return NULL;
    }
    return answer.val.ok.is_some ? parsed(call, "a record", &answer.val.ok.val) : &ls_absent;
}

const ls_value *ls_account_update(ls_call *call, const char *user_id, ls_writer *fields)
{
    luckystack_plugin_accounts_json_t json;
    if (!fields_of(call, "a user record", fields, &json)) return NULL;
    imports_string_t id = string_of(user_id);
    luckystack_plugin_accounts_result_json_handler_error_t answer;
    luckystack_plugin_accounts_update(&id, &json, &answer);
    if (answer.is_err) {
        ls_take_error(call, &answer.val.err);
        return NULL;
    }
    return parsed(call, "a record", &answer.val.ok);
}

ls_result ls_account_check_password(ls_call *call, const char *user_id, const char *password)
{
    imports_string_t id = string_of(user_id), of = string_of(password);
    luckystack_plugin_accounts_result_void_handler_error_t answer;
    luckystack_plugin_accounts_check_password(&id, &of, &answer);
    return account(call, &answer);
}

static ls_result change_password(ls_call *call, const char *user_id, imports_string_t *current,
                                 const char *password, const char *keep)
{
    imports_string_t id = string_of(user_id), wanted = string_of(password), token = string_of(keep);
    imports_option_string_t before = {.is_some = current != NULL}, kept = {.is_some = keep != NULL, .val = token};
    if (current) before.val = *current;
    luckystack_plugin_accounts_result_void_handler_error_t answer;
    luckystack_plugin_accounts_change_password(&id, &before, &wanted, &kept, &answer);
    return account(call, &answer);
}

ls_result ls_account_change_password(ls_call *call, const char *user_id, const char *current,
                                     const char *password, const char *keep)
{
    /* NULL is as wrong as any other password: ls_string may have found none in the input. */
    imports_string_t of = string_of(current);
    return change_password(call, user_id, &of, password, keep);
}

ls_result ls_account_set_password(ls_call *call, const char *user_id, const char *password, const char *keep)
{
    return change_password(call, user_id, NULL, password, keep);
}

ls_result ls_account_request_password_reset(ls_call *call, const char *email)
{
    imports_string_t to = string_of(email), ip = string_of(ls_ip(call));
    luckystack_plugin_accounts_result_void_handler_error_t answer;
    luckystack_plugin_accounts_request_password_reset(&to, &ip, &answer);
    return account(call, &answer);
}

ls_result ls_account_complete_password_reset(ls_call *call, const char *token, const char *password)
{
    imports_string_t of = string_of(token), wanted = string_of(password);
    luckystack_plugin_accounts_result_void_handler_error_t answer;
    luckystack_plugin_accounts_complete_password_reset(&of, &wanted, &answer);
    return account(call, &answer);
}

ls_result ls_account_request_email_change(ls_call *call, const char *user_id, const char *email)
{
    imports_string_t id = string_of(user_id), to = string_of(email);
    luckystack_plugin_accounts_result_void_handler_error_t answer;
    luckystack_plugin_accounts_request_email_change(&id, &to, &answer);
    return account(call, &answer);
}

ls_result ls_account_confirm_email_change(ls_call *call, const char *token)
{
    imports_string_t of = string_of(token);
    luckystack_plugin_accounts_result_void_handler_error_t answer;
    luckystack_plugin_accounts_confirm_email_change(&of, &answer);
    return account(call, &answer);
}

ls_result ls_account_delete(ls_call *call, const char *user_id)
{
    imports_string_t id = string_of(user_id);
    luckystack_plugin_accounts_result_void_handler_error_t answer;
    luckystack_plugin_accounts_delete(&id, &answer);
    return account(call, &answer);
}

/* ---- Uploads ---- */

ls_result ls_upload_put(ls_call *call, const char *name, const void *data, size_t length)
{
    imports_string_t file = string_of(name);
    imports_list_u8_t bytes = {(uint8_t *)(uintptr_t)data, length};
    luckystack_plugin_uploads_result_void_handler_error_t answer;
    luckystack_plugin_uploads_put(&file, &bytes, &answer);
    if (!answer.is_err) return LS_OK;
    ls_take_error(call, &answer.val.err);
    return LS_FAILED;
}

ls_result ls_upload_remove(ls_call *call, const char *name, bool *was_there)
{
    imports_string_t file = string_of(name);
    luckystack_plugin_uploads_result_bool_handler_error_t answer;
    luckystack_plugin_uploads_remove(&file, &answer);
    if (was_there) *was_there = !answer.is_err && answer.val.ok;
    if (!answer.is_err) return LS_OK;
    ls_take_error(call, &answer.val.err);
    return LS_FAILED;
}
