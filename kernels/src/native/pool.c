#include "pool.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Looks at whether there is something to do before a thread goes to sleep: a few microseconds. Waking it takes longer. */
enum { LOOKS = 200 };
/* Some C libraries give a thread 128 KiB. */
enum { STACK_BYTES = 1 << 20 };

typedef struct {
  void (*share)(void *context, int i, int thread);
  void *context;
  int shares;
} Work;

typedef struct {
  Pool *pool;
  int number;
  pthread_t handle;
} Thread;

struct Pool {
  pthread_mutex_t mutex;
  /* Something to do, and everything done. */
  pthread_cond_t begin, end;
  int threads, started, closing;
  Thread *thread;
  /* Tasks that have not begun. */
  Task *first, *last;

  Work work;
  /* Whether helpers may still enter `work`, and how many are in it. */
  int is_open;
  atomic_int helping;
  /* Counts the calls of pool_share. */
  atomic_uint turn;
  atomic_uint next_share;
};

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void take_shares(Pool *pool, int thread) {
  const Work work = pool->work;
  for (;;) {
    unsigned i = atomic_fetch_add_explicit(&pool->next_share, 1, memory_order_relaxed);
    if (i >= (unsigned)work.shares) return;
    work.share(work.context, (int)i, thread);
  }
}

/* Every thread but the leading one: help with one call of pool_share after another. */
static void help(Pool *pool, int thread) {
  unsigned seen = 0;
  for (;;) {
    for (int look = 0; look < LOOKS && atomic_load(&pool->turn) == seen; look++) pause_briefly();
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(&pool->turn) == seen && !pool->closing) pthread_cond_wait(&pool->begin, &pool->mutex);
    /* The leading thread ends what it has begun, alone if need be. */
    int closing = pool->closing, enters = pool->is_open && !closing;
    seen = atomic_load(&pool->turn);
    if (enters) atomic_fetch_add(&pool->helping, 1);
    pthread_mutex_unlock(&pool->mutex);
    if (closing) return;
    if (!enters) continue;

    take_shares(pool, thread);
    pthread_mutex_lock(&pool->mutex);
    if (atomic_fetch_sub(&pool->helping, 1) == 1) pthread_cond_broadcast(&pool->end);
    pthread_mutex_unlock(&pool->mutex);
  }
}

/* The first thread: run one task after another. */
static void lead(Pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  for (;;) {
    /* Helpers wait for the same condition, and go on waiting. */
    while (pool->first == NULL && !pool->closing) pthread_cond_wait(&pool->begin, &pool->mutex);
    Task *task = pool->first;
    if (task == NULL) break;
    pool->first = task->next;
    if (pool->first == NULL) pool->last = NULL;
    int runs = !pool->closing;
    pthread_mutex_unlock(&pool->mutex);
    if (runs) task->run(task, pool);
    task->done(task, runs);
    pthread_mutex_lock(&pool->mutex);
  }
  pthread_mutex_unlock(&pool->mutex);
}

static void *start(void *argument) {
  Thread *thread = argument;
  /* Whoever opened the pool may have asked its own thread to round differently, or to take subnormal numbers for zero. */
  fesetenv(FE_DFL_ENV);
  if (thread->number == 0)
    lead(thread->pool);
  else
    help(thread->pool, thread->number);
  return NULL;
}

/* Start a thread that no signal is delivered to: they belong to the threads of the host. */
static int start_thread(Thread *thread) {
  pthread_attr_t attributes;
  sigset_t all, before;
  if (pthread_attr_init(&attributes) != 0) return -1;
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = pthread_create(&thread->handle, &attributes, start, thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return failed == 0 ? 0 : -1;
}

Pool *pool_open(int threads) {
  if (threads < 1) return NULL;
  Pool *pool = calloc(1, sizeof *pool);
  Thread *thread = calloc((size_t)threads, sizeof *thread);
  if (pool == NULL || thread == NULL) {
    free(pool);
    free(thread);
    return NULL;
  }
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->begin, NULL);
  pthread_cond_init(&pool->end, NULL);
  pool->threads = threads;
  pool->thread = thread;
  for (; pool->started < threads; pool->started++) {
    Thread *next = &thread[pool->started];
    next->pool = pool;
    next->number = pool->started;
    if (start_thread(next) != 0) {
      pool_close(pool);
      return NULL;
    }
  }
  return pool;
}

int pool_threads(const Pool *pool) {
  return pool->threads;
}

void pool_submit(Pool *pool, Task *task) {
  task->next = NULL;
  pthread_mutex_lock(&pool->mutex);
  if (pool->last != NULL)
    pool->last->next = task;
  else
    pool->first = task;
  pool->last = task;
  pthread_cond_broadcast(&pool->begin);
  pthread_mutex_unlock(&pool->mutex);
}

void pool_share(Pool *pool, int shares, void (*share)(void *context, int i, int thread), void *context) {
  if (pool->threads == 1 || shares <= 1) {
    for (int i = 0; i < shares; i++) share(context, i, 0);
    return;
  }
  pthread_mutex_lock(&pool->mutex);
  pool->work = (Work){share, context, shares};
  atomic_store(&pool->next_share, 0);
  pool->is_open = 1;
  atomic_fetch_add(&pool->turn, 1);
  pthread_cond_broadcast(&pool->begin);
  pthread_mutex_unlock(&pool->mutex);

  take_shares(pool, 0);
  for (int look = 0; look < LOOKS && atomic_load(&pool->helping) > 0; look++) pause_briefly();
  pthread_mutex_lock(&pool->mutex);
  pool->is_open = 0;
  while (atomic_load(&pool->helping) > 0) pthread_cond_wait(&pool->end, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
}

void pool_close(Pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  pool->closing = 1;
  pthread_cond_broadcast(&pool->begin);
  pthread_mutex_unlock(&pool->mutex);
  for (int i = 0; i < pool->started; i++) pthread_join(pool->thread[i].handle, NULL);
  pthread_cond_destroy(&pool->end);
  pthread_cond_destroy(&pool->begin);
  pthread_mutex_destroy(&pool->mutex);
  free(pool->thread);
  free(pool);
}
