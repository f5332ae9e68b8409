#include "instruction-sets.h"

#if defined(__linux__) && defined(HAVE_AMX)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* What the build compiled; the others are left out where the compiler did not know them, and on other processors. */
extern const Kernels kernels_baseline;
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
extern const Kernels kernels_amx;

#if defined(HAVE_AVX512) || defined(HAVE_AMX)
static int has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}
#endif

#if defined(HAVE_AMX)
/* Tiles are 8 KiB for each thread to save, so that Linux wants to be asked first; the permission is the process's. */
static int may_use_tiles(void) {
#if defined(__linux__)
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
  return 0;
#endif
}

static int has_amx(void) {
  enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, AVX512_BF16 = 1 << 5, OSXSAVE = 1 << 27, TILE_STATE = 3 << 17 };
  unsigned a, b, c, d;
  if (!has_avx512()) return 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE)) return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (~d & (AMX_BF16 | AMX_TILE))) return 0;
  if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & AVX512_BF16)) return 0;
  unsigned enabled, high;
  __asm__ volatile("xgetbv" : "=a"(enabled), "=d"(high) : "c"(0));
  return !(~enabled & TILE_STATE) && may_use_tiles();
}
#endif

int runnable_instruction_sets(InstructionSet sets[MOST_INSTRUCTION_SETS]) {
  int count = 0;
  sets[count++] = (InstructionSet){"baseline", &kernels_baseline};
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
#if defined(HAVE_AVX2)
  if (__builtin_cpu_supports("avx2")) sets[count++] = (InstructionSet){"avx2", &kernels_avx2};
#endif
#if defined(HAVE_AVX512)
  if (has_avx512()) sets[count++] = (InstructionSet){"avx512", &kernels_avx512};
#endif
#if defined(HAVE_AMX)
  if (has_amx()) sets[count++] = (InstructionSet){"amx", &kernels_amx};
#endif
  return count;
}
