/* The methods of an instance: from arguments to operations, and from what they found to results. */
#ifndef SAESTITCH_CALLS_H
#define SAESTITCH_CALLS_H

#include <node_api.h>

/* Give an object of open_instance its methods. Returns whether that worked. */
int define_calls(napi_env env, napi_value object);

#endif
