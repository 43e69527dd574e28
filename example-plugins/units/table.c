#include "table.h"

#include <string.h>

const unit units[] = {
    {"m", "length", 1, 0},
    {"km", "length", 1000, 0},
    {"cm", "length", 0.01, 0},
    {"mm", "length", 0.001, 0},
    {"mi", "length", 1609.344, 0},
    {"yd", "length", 0.9144, 0},
    {"ft", "length", 0.3048, 0},
    {"in", "length", 0.0254, 0},
    {"nmi", "length", 1852, 0},
    {"kg", "mass", 1, 0},
    {"g", "mass", 0.001, 0},
    {"t", "mass", 1000, 0},
    {"lb", "mass", 0.45359237, 0},
    {"oz", "mass", 0.028349523125, 0},
    {"l", "volume", 1, 0},
    {"ml", "volume", 0.001, 0},
    {"gal", "volume", 3.785411784, 0},
    {"pt", "volume", 0.473176473, 0},
    {"C", "temperature", 1, 0},
    {"F", "temperature", 5.0 / 9, 32},
    {"K", "temperature", 1, 273.15},
};

const size_t units_count = sizeof units / sizeof *units;

const unit *unit_named(const char *name)
{
    for (size_t n = 0; n < units_count; n++) {
        if (strcmp(units[n].name, name) == 0) return &units[n];
    }
    return NULL;
}

double unit_convert(double value, const unit *from, const unit *to)
{
    if (from == to) return value;
    return from->factor * (value - from->zero) / to->factor + to->zero;
}
