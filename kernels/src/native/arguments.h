/* The properties of the one object that a call of the addon takes, checked: no length is believed. */
#ifndef SAESTITCH_ARGUMENTS_H
#define SAESTITCH_ARGUMENTS_H

#include <node_api.h>
#include <stddef.h>

#include "operations.h"

/* Once something has failed, a JavaScript exception is pending and all that is read is zero. */
typedef struct {
  napi_env env;
  napi_value object;
  int failed;
} Arguments;

/* A whole number from 0 to 2^31 - 1. */
int read_count(Arguments *arguments, const char *name);

double read_number(Arguments *arguments, const char *name);

int read_flag(Arguments *arguments, const char *name);

/* A Float32Array of `rows * columns` values. The object keeps it where it is. */
float *read_floats(Arguments *arguments, const char *name, int rows, int columns);

/* As read_floats; NULL when it is undefined. */
float *read_floats_if_any(Arguments *arguments, const char *name, int rows, int columns);

/* As read_floats, an Int32Array. */
int *read_ints(Arguments *arguments, const char *name, size_t length);

/* As read_floats_if_any, an Int32Array. */
int *read_ints_if_any(Arguments *arguments, const char *name, size_t length);

/* `name`: {offsets, indices, values} of a code with so many rows and columns. */
Code read_code(Arguments *arguments, const char *name, int rows, int columns);

/* How long an array is. */
int read_length(Arguments *arguments, const char *name);

/* Element i of an array, as the object to read from. */
Arguments read_element(Arguments *arguments, const char *name, int i);

#endif
