/* Before a generated file: what crosses the border is the call's memory, which nobody frees. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Bytes for what the host hands in; the first of a call drops the memory of the call before. */
void *ls_abi_take(void *old, size_t size);

#define realloc(old, size) ls_abi_take((old), (size))
#define free(pointer) ((void)(pointer))
