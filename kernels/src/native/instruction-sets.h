/* The kernels of this build that this processor, and its system, can run. */
#ifndef SAESTITCH_INSTRUCTION_SETS_H
#define SAESTITCH_INSTRUCTION_SETS_H

#include "../kernels.h"

typedef struct {
  const char *name;
  const Kernels *kernels;
} InstructionSet;

enum { MOST_INSTRUCTION_SETS = 4 };

/* Write them, best last; there is at least one. Returns how many. */
int runnable_instruction_sets(InstructionSet sets[MOST_INSTRUCTION_SETS]);

#endif
