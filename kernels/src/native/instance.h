/* Open kernels, and the calls they owe an answer: what happens on the JavaScript thread, and how the pool's thread gets back to it. */
#ifndef SAESTITCH_INSTANCE_H
#define SAESTITCH_INSTANCE_H

#include <node_api.h>

#include "instruction-sets.h"
#include "operations.h"
#include "scan.h"

typedef struct Instance Instance;

/* What a call does. */
typedef struct Operation {
  Outcome (*run)(struct Operation *operation, const Kernels *kernels, Pool *pool);
  /* On the JavaScript thread, after `run` has succeeded: the call's result. NULL with an exception pending. NULL itself: undefined. */
  napi_value (*result)(struct Operation *operation, napi_env env, napi_value arguments);
  /* Free what the operation holds, itself included; after everything else. */
  void (*free)(struct Operation *operation);
} Operation;

/*
 * An object that holds a pool of `threads` threads and has no methods yet. NULL with an exception pending. The pool ends with the
 * object, when it is collected, or with the environment.
 */
napi_value open_instance(napi_env env, int threads, InstructionSet set);

/* The instance of such an object; NULL with an exception pending when it is none. */
Instance *instance_of(napi_env env, napi_value object);

/*
 * Queue an operation and return the promise of its result; `arguments` and the instance live until then. The operation is freed in any
 * case. NULL with an exception pending.
 */
napi_value submit(napi_env env, Instance *instance, Operation *operation, napi_value arguments);

/* Close in the background and return a promise: the running call ends, those waiting reject, later ones throw, as does closing again. */
napi_value close_instance(napi_env env, Instance *instance);

#endif
