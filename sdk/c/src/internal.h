/* What the SDK's files share; no plugin includes this. */
#ifndef LUCKYSTACK_INTERNAL_H
#define LUCKYSTACK_INTERNAL_H

#include <stdarg.h>

#include "luckystack.h"

/* ---- arena.c ---- */
void *ls_take(size_t size);
void *ls_retake(void *old, size_t old_size, size_t size);
void ls_release_all(void);
/* A copy with a NUL behind it. */
const char *ls_copy(const char *text, size_t length);
const char *ls_vformat(const char *format, va_list arguments);

/* ---- json_read.c ---- */
struct ls_value {
    ls_type type;
    bool boolean;
    double number;
    /* A string's text, unescaped. */
    ls_text string;
    /* Items or members. */
    const ls_value *const *items;
    size_t length;
    /* The key, of a member. */
    ls_text key;
    /* The text it was read from. */
    ls_text source;
};
extern const ls_value ls_absent;
/* Length of the UTF-8 sequence at `at`; 0 when it is none. */
size_t ls_utf8(const unsigned char *at, const unsigned char *end);

/* ---- json_write.c ---- */
enum { LS_MAX_DEPTH = 128 };
struct ls_writer {
    char *text;
    size_t length;
    size_t capacity;
    size_t depth;
    /* What is open: '{' or '['. */
    char open[LS_MAX_DEPTH];
    /* Whether a comma is due before the next value. */
    bool comma;
    /* The first mistake, or NULL. */
    const char *mistake;
};
void ls_append(ls_writer *writer, const char *text, size_t length);
/* As a JSON value of its own. */
ls_text ls_param_value(const ls_param *param);
void ls_append_string(ls_writer *writer, const char *text, size_t length);

/* ---- call.c ---- */
typedef struct ls_session_text {
    bool is_some;
    ls_text token;
    ls_text user;
} ls_session_text;

struct ls_call {
    const char *route;
    const char *ip;
    const char *language;
    const char *request_id;
    const char *traceparent;
    bool is_socket;
    ls_session_text session;
    const ls_value *user;
    const char *room;
    const ls_value *server_output;
    const char *recipient_token;
    /* Client halves: where the recipient stands in its batch. */
    bool is_recipient;
    uint32_t recipient;
    const char *user_id;
    ls_writer out;
    ls_writer beside;
    int status;
    const char *error_code;
    int error_status;
    const ls_param *error_params;
    size_t error_params_length;
    /* Values of parameters that came from another plugin: JSON as it came, by index. */
    const ls_text *error_values;
    bool is_internal;
};

typedef ls_result ls_handler(ls_call *call, const ls_value *input);
typedef struct ls_entry {
    const char *name;
    ls_handler *handler;
} ls_entry;
typedef struct ls_table {
    const ls_entry *entries;
    size_t length;
} ls_table;

/* An error as the contract has it. */
typedef struct ls_failure {
    ls_text code;
    int status;
    size_t params;
} ls_failure;

/* The codes of a pipeline for what the author did not choose. */
typedef struct ls_codes {
    const char *internal;
    int internal_status;
    const char *invalid;
    int invalid_status;
    const char *not_found;
    int not_found_status;
} ls_codes;

ls_call *ls_new_call(const char *route);
/* Runs the handler and settles its error: internal ones are logged and get the pipeline's code. */
ls_result ls_run(ls_call *call, ls_table table, ls_text input, const ls_codes *codes);
/* The same with a value that was read already. */
ls_result ls_run_value(ls_call *call, ls_handler *handler, const ls_value *input, const ls_codes *codes);
ls_handler *ls_find(ls_table table, const char *name);
/* The whole success object, once ls_run said LS_OK. */
ls_result ls_success(ls_call *call, const ls_codes *codes, ls_text *object);
/* The bare result, null when nothing was written. */
ls_text ls_bare(ls_call *call);
/* Notes the pipeline's internal error and logs why. */
ls_result ls_settle(ls_call *call, const ls_codes *codes, const char *reason);
ls_text ls_error_value(const ls_call *call, size_t index);

/* ---- host.c ---- */
void ls_log_text(ls_level level, const char *context, size_t context_length, const char *text, size_t length);

/* ---- What the build makes of plugin.json ---- */
extern const ls_text ls_manifest;
extern const char ls_plugin_name[];
extern const ls_table ls_apis, ls_sync_servers, ls_sync_clients, ls_hooks, ls_functions;
ls_result ls_error_formatter(ls_call *call, const ls_value *input);

#endif
