/* Threads that run one task after another, each task in shares that all of them take. */
#ifndef SAESTITCH_POOL_H
#define SAESTITCH_POOL_H

typedef struct Pool Pool;

/* One task; `next` and `queued_in` belong to the pool. */
typedef struct Task {
  /* Runs on one thread of the pool, and may call pool_share. */
  void (*run)(struct Task *task, Pool *pool);
  /* Called on the same thread after `run`; with ran = 0, instead of it, when the pool closes first. */
  void (*done)(struct Task *task, int ran);
  struct Task *next;
} Task;

/* NULL when a thread cannot be started. */
Pool *pool_open(int threads);

int pool_threads(const Pool *pool);

/* Queue a task; from any thread. */
void pool_submit(Pool *pool, Task *task);

/*
 * From within a running task: call share(context, i, thread) for every i from 0 to shares - 1 on whichever threads are free, the calling
 * one among them, and return when all have ended. `thread`, from 0 to pool_threads - 1, is never the same in two calls at once.
 */
void pool_share(Pool *pool, int shares, void (*share)(void *context, int i, int thread), void *context);

/* Let the running task end, drop the others, and free the pool. Not from a thread of the pool. */
void pool_close(Pool *pool);

#endif
