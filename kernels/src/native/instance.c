#include "instance.h"

#include <stdlib.h>

static const napi_type_tag instance_tag = {0x5ae57174c4be4a51, 0x9c0d8a6b31f7e220};

typedef struct Call {
  Task task;
  Instance *instance;
  Operation *operation;
  /* Its neighbours among the calls of the instance that are owed an answer. */
  struct Call *earlier, *later;
  napi_deferred deferred;
  napi_ref arguments;
  Outcome outcome;
  int ran;
} Call;

/* Everything but what a running call reads belongs to the JavaScript thread. */
struct Instance {
  napi_env env;
  Pool *pool;
  const Kernels *kernels;
  /* Brings calls that are done back to the JavaScript thread. */
  napi_threadsafe_function deliver;
  /* The object itself; held on to while there are calls. */
  napi_ref self;
  Call *calls;
  /* While the pool closes in the background. */
  napi_async_work closing;
  napi_deferred closed;
  int is_closed;
};

static void free_call(napi_env env, Call *call) {
  napi_delete_reference(env, call->arguments);
  call->operation->free(call->operation);
  free(call);
}

/*
 * The environment ends, perhaps in the middle of calls: nobody is left to be answered, but the running call must end, as its
 * arguments will be gone. Closing in the background, which the environment waits for, is over.
 */
static void end_with_environment(void *data) {
  Instance *instance = data;
  instance->is_closed = 1;
  if (instance->pool != NULL) pool_close(instance->pool);
  instance->pool = NULL;
  while (instance->calls != NULL) {
    Call *call = instance->calls;
    instance->calls = call->later;
    free_call(instance->env, call);
  }
  /* What is on its way to the JavaScript thread now is dropped. */
  if (instance->deliver != NULL) napi_release_threadsafe_function(instance->deliver, napi_tsfn_abort);
  instance->deliver = NULL;
}

/* The object was collected, which no call holds then, or the environment has ended. */
static void finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  Instance *instance = data;
  napi_remove_env_cleanup_hook(env, end_with_environment, instance);
  end_with_environment(instance);
  napi_delete_reference(env, instance->self);
  free(instance);
}

static void reject(napi_env env, napi_deferred deferred, const char *code, const char *message) {
  napi_value code_value, text, error;
  napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &code_value);
  napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text);
  if (napi_create_error(env, code_value, text, &error) == napi_ok) napi_reject_deferred(env, deferred, error);
}

static void answer(napi_env env, Call *call) {
  if (!call->ran) {
    reject(env, call->deferred, "CLOSED", "the kernels are closed");
    return;
  }
  switch (call->outcome.status) {
    case NO_MEMORY:
      reject(env, call->deferred, "NO_MEMORY", "there is not enough memory");
      return;
    case BAD_CODE:
      reject(env, call->deferred, "BAD_CODE", call->outcome.message);
      return;
    case SUCCEEDED:
      break;
  }
  napi_value arguments = NULL, value = NULL, error;
  bool failed = false;
  napi_get_reference_value(env, call->arguments, &arguments);
  if (call->operation->result != NULL)
    value = call->operation->result(call->operation, env, arguments);
  else
    napi_get_undefined(env, &value);
  napi_is_exception_pending(env, &failed);
  if (failed && napi_get_and_clear_last_exception(env, &error) == napi_ok)
    napi_reject_deferred(env, call->deferred, error);
  else if (!failed)
    napi_resolve_deferred(env, call->deferred, value);
}

/* On the JavaScript thread, for each call that is done. */
static void deliver(napi_env env, napi_value callback, void *context, void *data) {
  (void)callback;
  Instance *instance = context;
  Call *call = data;
  /* The environment ends; the call was freed with the instance's others. */
  if (env == NULL) return;
  answer(env, call);
  if (call->earlier != NULL)
    call->earlier->later = call->later;
  else
    instance->calls = call->later;
  if (call->later != NULL) call->later->earlier = call->earlier;
  if (instance->calls == NULL) {
    napi_unref_threadsafe_function(env, instance->deliver);
    napi_reference_unref(env, instance->self, NULL);
  }
  free_call(env, call);
}

static void run_call(Task *task, Pool *pool) {
  Call *call = (Call *)task;
  call->outcome = call->operation->run(call->operation, call->instance->kernels, pool);
}

static void call_done(Task *task, int ran) {
  Call *call = (Call *)task;
  call->ran = ran;
  napi_call_threadsafe_function(call->instance->deliver, call, napi_tsfn_nonblocking);
}

napi_value open_instance(napi_env env, int threads, InstructionSet set) {
  napi_value object, name;
  Instance *instance = calloc(1, sizeof *instance);
  if (instance == NULL) {
    napi_throw_error(env, "NO_MEMORY", "there is not enough memory");
    return NULL;
  }
  instance->env = env;
  instance->kernels = set.kernels;
  napi_create_object(env, &object);
  napi_create_string_utf8(env, "saestitch kernels", NAPI_AUTO_LENGTH, &name);
  if (napi_wrap(env, object, instance, finalize, NULL, &instance->self) != napi_ok) {
    free(instance);
    napi_throw_error(env, NULL, "the kernels could not be wrapped");
    return NULL;
  }
  /* From here on the object frees what there is. */
  if (napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, instance, deliver,
                                      &instance->deliver) != napi_ok ||
      napi_unref_threadsafe_function(env, instance->deliver) != napi_ok ||
      /* After the function, so that it is called before that ends with the environment. */
      napi_add_env_cleanup_hook(env, end_with_environment, instance) != napi_ok ||
      napi_type_tag_object(env, object, &instance_tag) != napi_ok) {
    napi_throw_error(env, NULL, "the kernels could not be connected to the event loop");
    return NULL;
  }
  instance->pool = pool_open(threads);
  if (instance->pool == NULL) {
    napi_throw_error(env, "NO_THREADS", "the system refused to start so many threads");
    return NULL;
  }
  return object;
}

Instance *instance_of(napi_env env, napi_value object) {
  bool is_ours = false;
  void *instance = NULL;
  if (napi_check_object_type_tag(env, object, &instance_tag, &is_ours) != napi_ok || !is_ours ||
      napi_unwrap(env, object, &instance) != napi_ok) {
    napi_throw_type_error(env, NULL, "Cannot call the kernels: this is none");
    return NULL;
  }
  return instance;
}

napi_value submit(napi_env env, Instance *instance, Operation *operation, napi_value arguments) {
  napi_value promise = NULL;
  Call *call = calloc(1, sizeof *call);
  if (instance->is_closed) {
    napi_throw_error(env, "CLOSED", "the kernels are closed");
  } else if (call == NULL) {
    napi_throw_error(env, "NO_MEMORY", "there is not enough memory");
  } else if (napi_create_reference(env, arguments, 1, &call->arguments) != napi_ok) {
    napi_throw_error(env, NULL, "the arguments could not be kept");
  } else if (napi_create_promise(env, &call->deferred, &promise) != napi_ok) {
    napi_delete_reference(env, call->arguments);
    napi_throw_error(env, NULL, "a promise could not be made");
  } else {
    if (instance->calls == NULL) {
      napi_ref_threadsafe_function(env, instance->deliver);
      napi_reference_ref(env, instance->self, NULL);
    } else {
      instance->calls->earlier = call;
    }
    call->task.run = run_call;
    call->task.done = call_done;
    call->instance = instance;
    call->operation = operation;
    call->later = instance->calls;
    instance->calls = call;
    pool_submit(instance->pool, &call->task);
    return promise;
  }
  free(call);
  operation->free(operation);
  return NULL;
}

/* On a thread of the host. */
static void close_in_background(napi_env env, void *data) {
  (void)env;
  pool_close(((Instance *)data)->pool);
}

static void closed_in_background(napi_env env, napi_status status, void *data) {
  Instance *instance = data;
  napi_value undefined;
  /* Else it never began, and the pool ends with the object or the environment. */
  if (status == napi_ok) instance->pool = NULL;
  napi_delete_async_work(env, instance->closing);
  napi_get_undefined(env, &undefined);
  napi_resolve_deferred(env, instance->closed, undefined);
  napi_reference_unref(env, instance->self, NULL);
}

napi_value close_instance(napi_env env, Instance *instance) {
  napi_value promise, name;
  if (instance->is_closed) {
    napi_throw_error(env, "CLOSED", "the kernels are closed");
    return NULL;
  }
  if (napi_create_promise(env, &instance->closed, &promise) != napi_ok) return NULL;
  napi_create_string_utf8(env, "saestitch kernels close", NAPI_AUTO_LENGTH, &name);
  if (napi_create_async_work(env, NULL, name, close_in_background, closed_in_background, instance,
                             &instance->closing) != napi_ok ||
      napi_queue_async_work(env, instance->closing) != napi_ok) {
    napi_throw_error(env, NULL, "the kernels could not be closed in the background");
    return NULL;
  }
  instance->is_closed = 1;
  napi_reference_ref(env, instance->self, NULL);
  return promise;
}
