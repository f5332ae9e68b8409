/* Fused multiply-adds per second at the widest float32 vectors of this machine, all in registers: what no kernel can exceed in float32.
   cc -O3 -march=native -ffp-contract=fast -pthread fma-peak.c; ./a.out THREADS prints {"bits": …, "gflops": …}. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__AVX512F__)
#define BITS 512
#elif defined(__AVX__)
#define BITS 256
#else
#define BITS 128
#endif

typedef float vec __attribute__((vector_size(BITS / 8)));
enum { LANES = BITS / 32, CHAINS = 12, INNER = 1000, ROUNDS = 7 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Twelve independent sums hide a latency of up to six cycles at two operations a cycle. */
static double flops_of(double until, float seed, float *sink) {
  vec sum[CHAINS];
  vec factor = {0}, addend = {0};
  factor += 0.999f + 1e-9f * seed;
  addend += 1e-3f * seed;
  for (int c = 0; c < CHAINS; c++) sum[c] = addend + (float)c;
  long blocks = 0;
  do {
    for (int i = 0; i < INNER; i++) {
#pragma GCC unroll 12
      for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * factor + addend;
    }
    blocks++;
  } while (now() < until);
  for (int c = 0; c < CHAINS; c++)
    for (int lane = 0; lane < LANES; lane++) *sink += sum[c][lane];
  return 2.0 * LANES * CHAINS * INNER * (double)blocks;
}

struct work {
  pthread_barrier_t *start;
  double flops, seconds;
  float sink;
};

static void *work(void *given) {
  struct work *w = given;
  pthread_barrier_wait(w->start);
  double begin = now();
  w->flops = flops_of(begin + 0.1, (float)begin, &w->sink);
  w->seconds = now() - begin;
  return NULL;
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 1;
  if (threads < 1 || threads > 1024) return 2;
  double best = 0;
  float sink = 0;
  for (int round = 0; round < ROUNDS; round++) {
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)threads);
    pthread_t ids[threads];
    struct work works[threads];
    for (int t = 0; t < threads; t++) {
      works[t] = (struct work){.start = &start};
      pthread_create(&ids[t], NULL, work, &works[t]);
    }
    double rate = 0;
    for (int t = 0; t < threads; t++) {
      pthread_join(ids[t], NULL);
      rate += works[t].flops / works[t].seconds;
      sink += works[t].sink;
    }
    if (rate > best) best = rate;
    pthread_barrier_destroy(&start);
  }
  printf("{\"bits\": %d, \"gflops\": %.1f, \"sum\": \"%g\"}\n", BITS, best / 1e9, sink);
  return 0;
}
