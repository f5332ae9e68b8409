#include "arguments.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

static void fail(Arguments *arguments, const char *name, const char *wanted) {
  if (arguments->failed) return;
  arguments->failed = 1;
  bool pending = false;
  napi_is_exception_pending(arguments->env, &pending);
  if (pending) return;
  char message[128];
  snprintf(message, sizeof message, "Cannot call the kernels: %s is not %s", name, wanted);
  napi_throw_type_error(arguments->env, NULL, message);
}

/* NULL once something has failed. */
static napi_value property(Arguments *arguments, const char *name) {
  napi_value value;
  if (arguments->failed) return NULL;
  if (napi_get_named_property(arguments->env, arguments->object, name, &value) == napi_ok) return value;
  fail(arguments, name, "there");
  return NULL;
}

static int is_missing(Arguments *arguments, napi_value value) {
  napi_valuetype type = napi_undefined;
  if (value != NULL) napi_typeof(arguments->env, value, &type);
  return type == napi_undefined;
}

double read_number(Arguments *arguments, const char *name) {
  double number = 0;
  napi_value value = property(arguments, name);
  if (value == NULL) return 0;
  if (napi_get_value_double(arguments->env, value, &number) != napi_ok) fail(arguments, name, "a number");
  return number;
}

int read_count(Arguments *arguments, const char *name) {
  double number = read_number(arguments, name);
  if (arguments->failed) return 0;
  if (number >= 0 && number <= INT_MAX && number == floor(number)) return (int)number;
  fail(arguments, name, "a whole number from 0 to 2147483647");
  return 0;
}

int read_flag(Arguments *arguments, const char *name) {
  bool flag = false;
  napi_value value = property(arguments, name);
  if (value == NULL) return 0;
  if (napi_get_value_bool(arguments->env, value, &flag) != napi_ok) fail(arguments, name, "true or false");
  return flag;
}

static void *typed_array(Arguments *arguments, const char *name, napi_value value, napi_typedarray_type wanted,
                         size_t *length) {
  napi_typedarray_type type;
  void *data = NULL;
  if (value == NULL) return NULL;
  /* V8 keeps small arrays within the heap, where they move; asking for their buffer moves them out for good. */
  napi_value buffer;
  size_t offset;
  if (napi_get_typedarray_info(arguments->env, value, &type, length, &data, &buffer, &offset) != napi_ok ||
      type != wanted) {
    fail(arguments, name, wanted == napi_float32_array ? "a Float32Array" : "an Int32Array");
    return NULL;
  }
  return data;
}

/* Of exactly `wanted` values. An empty array may lie nowhere; what is returned is then not NULL all the same. */
static void *array_of_length(Arguments *arguments, const char *name, napi_value value, napi_typedarray_type type,
                             size_t wanted) {
  static float nowhere;
  size_t length = 0;
  void *data = typed_array(arguments, name, value, type, &length);
  if (arguments->failed) return NULL;
  if (length != wanted) {
    fail(arguments, name, "as long as its rows and columns say");
    return NULL;
  }
  return data == NULL ? &nowhere : data;
}

float *read_floats(Arguments *arguments, const char *name, int rows, int columns) {
  return array_of_length(arguments, name, property(arguments, name), napi_float32_array,
                         (size_t)rows * (size_t)columns);
}

float *read_floats_if_any(Arguments *arguments, const char *name, int rows, int columns) {
  napi_value value = property(arguments, name);
  if (is_missing(arguments, value)) return NULL;
  return array_of_length(arguments, name, value, napi_float32_array, (size_t)rows * (size_t)columns);
}

int *read_ints(Arguments *arguments, const char *name, size_t length) {
  return array_of_length(arguments, name, property(arguments, name), napi_int32_array, length);
}

int *read_ints_if_any(Arguments *arguments, const char *name, size_t length) {
  napi_value value = property(arguments, name);
  if (is_missing(arguments, value)) return NULL;
  return array_of_length(arguments, name, value, napi_int32_array, length);
}

Code read_code(Arguments *arguments, const char *name, int rows, int columns) {
  Code code = {.rows = rows, .columns = columns};
  Arguments of = {arguments->env, property(arguments, name), arguments->failed};
  size_t entries = 0;
  code.offsets = read_ints(&of, "offsets", (size_t)rows + 1);
  code.indices = typed_array(&of, "indices", property(&of, "indices"), napi_int32_array, &entries);
  if (entries > INT_MAX) fail(&of, "indices", "of at most 2147483647 values");
  code.entries = (int)entries;
  code.values = read_floats(&of, "values", 1, code.entries);
  arguments->failed = of.failed;
  return code;
}

int read_length(Arguments *arguments, const char *name) {
  uint32_t length = 0;
  napi_value array = property(arguments, name);
  if (array == NULL) return 0;
  if (napi_get_array_length(arguments->env, array, &length) != napi_ok || length > INT_MAX) fail(arguments, name, "an array");
  return arguments->failed ? 0 : (int)length;
}

Arguments read_element(Arguments *arguments, const char *name, int i) {
  Arguments element = {arguments->env, NULL, 0};
  napi_value array = property(arguments, name);
  if (array == NULL || napi_get_element(arguments->env, array, (uint32_t)i, &element.object) != napi_ok)
    fail(arguments, name, "there");
  element.failed = arguments->failed;
  return element;
}
