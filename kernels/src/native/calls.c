#include "calls.h"

#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "instance.h"

/* What a method was called with: on which instance, and its one argument. */
typedef struct {
  Instance *instance;
  Arguments arguments;
} Invocation;

static Invocation invocation_of(napi_env env, napi_callback_info info) {
  napi_value self = NULL, object = NULL;
  size_t count = 1;
  napi_get_cb_info(env, info, &count, &object, &self, NULL);
  Instance *instance = instance_of(env, self);
  return (Invocation){instance, {env, object, instance == NULL}};
}

/* Queue what was read, in memory of its own; arguments that were not as they should be have thrown. */
static napi_value queue(Invocation *invocation, const void *operation, size_t size) {
  Arguments *arguments = &invocation->arguments;
  if (arguments->failed) return NULL;
  Operation *copy = malloc(size);
  if (copy == NULL) {
    napi_throw_error(arguments->env, "NO_MEMORY", "there is not enough memory");
    return NULL;
  }
  memcpy(copy, operation, size);
  return submit(arguments->env, invocation->instance, copy, arguments->object);
}

static void free_operation(Operation *operation) {
  free(operation);
}

typedef struct {
  Operation operation;
  Scan scan;
  Found found;
} ScanOperation;

static Outcome run_scan(Operation *operation, const Kernels *kernels, Pool *pool) {
  ScanOperation *of = (ScanOperation *)operation;
  return (Outcome){scan(kernels, pool, &of->scan, &of->found) == 0 ? SUCCEEDED : NO_MEMORY, ""};
}

/* Ask JavaScript for a code of as many entries as were found, and fill it. */
static napi_value found_code(Operation *operation, napi_env env, napi_value object) {
  ScanOperation *of = (ScanOperation *)operation;
  int rows = of->scan.row_count, entries = of->found.offsets[rows];
  Arguments arguments = {env, object, 0};
  napi_value allocate = NULL, count, code = NULL;
  napi_create_int32(env, entries, &count);
  if (napi_get_named_property(env, object, "allocate", &allocate) != napi_ok ||
      napi_call_function(env, object, allocate, 1, &count, &code) != napi_ok)
    return NULL;
  arguments.object = code;
  int *offsets = read_ints(&arguments, "offsets", (size_t)rows + 1);
  int *indices = read_ints(&arguments, "indices", (size_t)entries);
  float *values = read_floats(&arguments, "values", 1, entries);
  if (arguments.failed) return NULL;
  memcpy(offsets, of->found.offsets, ((size_t)rows + 1) * sizeof(int));
  memcpy(indices, of->found.latents, (size_t)entries * sizeof(int));
  memcpy(values, of->found.values, (size_t)entries * sizeof(float));
  return code;
}

static void free_scan(Operation *operation) {
  free_found(&((ScanOperation *)operation)->found);
  free(operation);
}

static napi_value call_scan(napi_env env, napi_callback_info info) {
  Invocation invocation = invocation_of(env, info);
  Arguments *from = &invocation.arguments;
  ScanOperation of = {.operation = {run_scan, found_code, free_scan}};
  Scan *to = &of.scan;
  to->row_count = read_count(from, "rowCount");
  to->direction_count = read_count(from, "directionCount");
  to->columns = read_count(from, "columns");
  to->rows = read_floats(from, "rows", to->row_count, to->columns);
  to->directions = read_floats(from, "directions", to->direction_count, to->columns);
  to->row_floor = read_floats(from, "rowFloor", to->row_count, 1);
  to->latents.floor = read_floats(from, "latentFloor", to->direction_count, 1);
  to->latents.bias = read_floats(from, "bias", to->direction_count, 1);
  to->latents.scale = read_floats_if_any(from, "scale", to->direction_count, 1);
  if (to->latents.scale != NULL) to->latents.offset = read_floats(from, "offset", to->direction_count, 1);
  to->top = read_count(from, "top");
  to->unit = read_flag(from, "unit");
  to->by_latent = read_flag(from, "byLatent");
  return queue(&invocation, &of, sizeof of);
}

typedef struct {
  Operation operation;
  Decode decode;
} DecodeOperation;

static Outcome run_decode(Operation *operation, const Kernels *kernels, Pool *pool) {
  return decode(kernels, pool, &((DecodeOperation *)operation)->decode);
}

static napi_value call_decode(napi_env env, napi_callback_info info) {
  Invocation invocation = invocation_of(env, info);
  Arguments *from = &invocation.arguments;
  int rows = read_count(from, "rows"), latents = read_count(from, "latents"), columns = read_count(from, "columns");
  DecodeOperation of = {
      .operation = {run_decode, NULL, free_operation},
      .decode =
          {
              .code = read_code(from, "code", rows, latents),
              .decoder = read_floats(from, "decoder", latents, columns),
              .base = read_floats(from, "base", rows, columns),
              .columns = columns,
              .sign = (float)read_number(from, "sign"),
              .out = read_floats(from, "out", rows, columns),
          },
  };
  return queue(&invocation, &of, sizeof of);
}

typedef struct {
  Operation operation;
  Project project;
} ProjectOperation;

static Outcome run_project(Operation *operation, const Kernels *kernels, Pool *pool) {
  return project(kernels, pool, &((ProjectOperation *)operation)->project);
}

static napi_value call_project(napi_env env, napi_callback_info info) {
  Invocation invocation = invocation_of(env, info);
  Arguments *from = &invocation.arguments;
  int rows = read_count(from, "rows"), latents = read_count(from, "latents"), columns = read_count(from, "columns");
  Code code = read_code(from, "code", rows, latents);
  ProjectOperation of = {
      .operation = {run_project, NULL, free_operation},
      .project =
          {
              .code = code,
              .decoder = read_floats(from, "decoder", latents, columns),
              .residual = read_floats(from, "residual", rows, columns),
              .columns = columns,
              .out = read_floats(from, "out", 1, code.entries),
          },
  };
  return queue(&invocation, &of, sizeof of);
}

typedef struct {
  Operation operation;
  Walk walk;
} WalkOperation;

static Outcome run_walk(Operation *operation, const Kernels *kernels, Pool *pool) {
  return walk(kernels, pool, &((WalkOperation *)operation)->walk);
}

static napi_value call_walk(napi_env env, napi_callback_info info) {
  Invocation invocation = invocation_of(env, info);
  Arguments *from = &invocation.arguments;
  int rows = read_count(from, "rows"), latents = read_count(from, "latents"), columns = read_count(from, "columns");
  Code code = read_code(from, "code", rows, latents);
  WalkOperation of = {
      .operation = {run_walk, NULL, free_operation},
      .walk =
          {
              .code = code,
              .decoder = read_floats(from, "decoder", latents, columns),
              .residual = read_floats(from, "residual", rows, columns),
              .columns = columns,
              .group = read_ints_if_any(from, "group", (size_t)latents),
              .out = read_floats(from, "out", 1, code.entries),
          },
  };
  return queue(&invocation, &of, sizeof of);
}

typedef struct {
  Operation operation;
  Update update;
  GradientTerm terms[];
} UpdateOperation;

static Outcome run_update(Operation *operation, const Kernels *kernels, Pool *pool) {
  UpdateOperation *of = (UpdateOperation *)operation;
  of->update.gradient = of->terms;
  return update(kernels, pool, &of->update);
}

static napi_value call_update(napi_env env, napi_callback_info info) {
  Invocation invocation = invocation_of(env, info);
  Arguments *from = &invocation.arguments;
  int rows = read_count(from, "rows"), columns = read_count(from, "columns"), terms = read_length(from, "gradient");
  size_t size = sizeof(UpdateOperation) + (size_t)terms * sizeof(GradientTerm);
  UpdateOperation *of = malloc(size);
  if (of == NULL) {
    napi_throw_error(env, "NO_MEMORY", "there is not enough memory");
    return NULL;
  }
  of->operation = (Operation){run_update, NULL, free_operation};
  of->update = (Update){
      .weights = read_floats(from, "weights", rows, columns),
      .first = read_floats(from, "first", rows, columns),
      .second = read_floats(from, "second", rows, columns),
      .rows = rows,
      .columns = columns,
      .terms = terms,
      .unit_rows = read_flag(from, "unitRows"),
      .keep_first = (float)read_number(from, "keepFirst"),
      .take_first = (float)read_number(from, "takeFirst"),
      .keep_second = (float)read_number(from, "keepSecond"),
      .take_second = (float)read_number(from, "takeSecond"),
      .rate = (float)read_number(from, "rate"),
      .scale = (float)read_number(from, "scale"),
      .epsilon = (float)read_number(from, "epsilon"),
  };
  for (int i = 0; i < terms; i++) {
    Arguments term = read_element(from, "gradient", i);
    int count = read_count(&term, "count");
    of->terms[i] = (GradientTerm){read_code(&term, "code", rows, count), read_floats(&term, "rows", count, columns)};
    from->failed |= term.failed;
  }
  napi_value promise = queue(&invocation, of, size);
  free(of);
  return promise;
}

static napi_value call_close(napi_env env, napi_callback_info info) {
  Invocation invocation = invocation_of(env, info);
  return invocation.instance == NULL ? NULL : close_instance(env, invocation.instance);
}

int define_calls(napi_env env, napi_value object) {
  const napi_property_descriptor methods[] = {
      {"scan", NULL, call_scan, NULL, NULL, NULL, napi_default, NULL},
      {"decode", NULL, call_decode, NULL, NULL, NULL, napi_default, NULL},
      {"project", NULL, call_project, NULL, NULL, NULL, napi_default, NULL},
      {"walk", NULL, call_walk, NULL, NULL, NULL, napi_default, NULL},
      {"update", NULL, call_update, NULL, NULL, NULL, napi_default, NULL},
      {"close", NULL, call_close, NULL, NULL, NULL, napi_default, NULL},
  };
  return napi_define_properties(env, object, sizeof methods / sizeof *methods, methods) == napi_ok;
}
