/* The imports' generated side. */
#include "abi.h"
#include "../generated/imports.c"
