/* The units that are known, and how they convert. */
#ifndef UNITS_TABLE_H
#define UNITS_TABLE_H

#include <stddef.h>

typedef struct unit {
    const char *name;
    const char *quantity;
    /* In the quantity's base unit: base = factor * (value - zero). */
    double factor;
    double zero;
} unit;

extern const unit units[];
extern const size_t units_count;

/* A unit by its name, or NULL. */
const unit *unit_named(const char *name);
/* A value in another unit of the same quantity. */
double unit_convert(double value, const unit *from, const unit *to);

#endif
