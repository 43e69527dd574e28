/* What the files share that call the host. */
#ifndef LUCKYSTACK_IMPORTS_H
#define LUCKYSTACK_IMPORTS_H

#include <string.h>

#include "../generated/imports.h"
#include "internal.h"

/* NULL is the empty text. */
static inline imports_string_t string_of(const char *text)
{
    return (imports_string_t){(uint8_t *)(uintptr_t)text, text ? strlen(text) : 0};
}

static inline const char *copied(const uint8_t *text, size_t length)
{
    return ls_copy((const char *)text, length);
}

/* Makes the host's error the call's. */
void ls_take_error(ls_call *call, const luckystack_plugin_types_handler_error_t *error);

#endif
