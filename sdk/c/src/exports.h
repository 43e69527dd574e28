/* What the exports share: the codes of each pipeline (wire protocol 1.10), and the end of a call. */
#ifndef LUCKYSTACK_EXPORTS_H
#define LUCKYSTACK_EXPORTS_H

#include "internal.h"

/* The last thing an export does: the next call may drop the memory of this one. */
void ls_call_over(void);

static const ls_codes LS_API_CODES __attribute__((unused)) = {
    "api.internalServerError", 500, "api.invalidInputType", 400, "api.notFound", 404,
};
static const ls_codes LS_SYNC_SERVER_CODES __attribute__((unused)) = {
    "sync.serverExecutionFailed", 400, "sync.invalidInputType", 400, "sync.notFound", 400,
};
static const ls_codes LS_SYNC_CLIENT_CODES __attribute__((unused)) = {
    "sync.clientExecutionFailed", 400, "sync.clientExecutionFailed", 400, "sync.notFound", 400,
};
static const ls_codes LS_FUNCTION_CODES __attribute__((unused)) = {
    "api.internalServerError", 500, "api.invalidInputType", 400, "functions.notFound", 404,
};

#endif
