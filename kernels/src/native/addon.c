/* The addon as Node loads it; core/src/node/native-addon.ts has the types. It keeps no state outside of its instances. */
#include <node_api.h>
#include <string.h>

#include "calls.h"
#include "instance.h"

/* open(threads, instructions): kernels on so many threads that use the named set of instructions. */
static napi_value open(napi_env env, napi_callback_info info) {
  napi_value arguments[2], object;
  size_t count = 2, length;
  int32_t threads;
  char name[32];
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  if (napi_get_value_int32(env, arguments[0], &threads) != napi_ok ||
      napi_get_value_string_utf8(env, arguments[1], name, sizeof name, &length) != napi_ok) {
    napi_throw_type_error(env, NULL, "Cannot open the kernels: wanted a number of threads and a set of instructions");
    return NULL;
  }
  InstructionSet sets[MOST_INSTRUCTION_SETS];
  int runnable = runnable_instruction_sets(sets);
  for (int i = 0; i < runnable; i++) {
    if (strcmp(sets[i].name, name) != 0) continue;
    object = open_instance(env, threads, sets[i]);
    return object != NULL && define_calls(env, object) ? object : NULL;
  }
  napi_throw_error(env, "NO_INSTRUCTIONS", "the processor, the system or this build lacks the instructions");
  return NULL;
}

/* instructionSets(): the names of those that run here, best last. */
static napi_value instruction_sets(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value names, name;
  InstructionSet sets[MOST_INSTRUCTION_SETS];
  int runnable = runnable_instruction_sets(sets);
  if (napi_create_array(env, &names) != napi_ok) return NULL;
  for (int i = 0; i < runnable; i++) {
    if (napi_create_string_utf8(env, sets[i].name, NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_set_element(env, names, (uint32_t)i, name) != napi_ok)
      return NULL;
  }
  return names;
}

NAPI_MODULE_INIT() {
  napi_value digest = NULL;
  napi_create_string_utf8(env, SOURCES_SHA256, NAPI_AUTO_LENGTH, &digest);
  const napi_property_descriptor properties[] = {
      {"open", NULL, open, NULL, NULL, NULL, napi_default, NULL},
      {"instructionSets", NULL, instruction_sets, NULL, NULL, NULL, napi_default, NULL},
      {"sourcesSha256", NULL, NULL, NULL, NULL, digest, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
