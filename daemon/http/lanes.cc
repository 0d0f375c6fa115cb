#include "daemon/http/lanes.h"

namespace wiregauge::http {
namespace {

// Two scrapers and a health check at once, and one to spare.
constexpr int kQuickThreads = 4;
// Writers that share a group commit, and queries: more than this many at once only wait for each other.
constexpr int kWorkThreads = 32;

}  // namespace

Lanes::Lanes() {
  for (int i = 0; i < kQuickThreads; ++i) threads_.emplace_back([this] { Work(QueueOf(Lane::kQuick)); });
  for (int i = 0; i < kWorkThreads; ++i) threads_.emplace_back([this] { Work(QueueOf(Lane::kWork)); });
}

Lanes::~Lanes() {
  for (Queue& queue : queues_) {
    const std::lock_guard lock(queue.mutex);
    queue.stopping = true;
    queue.wanted.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

void Lanes::Run(Lane lane, const std::function<void()>& work) {
  Queue& queue = QueueOf(lane);
  Job job{.work = &work};
  std::unique_lock lock(queue.mutex);
  queue.jobs.push_back(&job);
  queue.wanted.notify_one();
  queue.finished.wait(lock, [&] { return job.done; });
}

void Lanes::Work(Queue& queue) {
  std::unique_lock lock(queue.mutex);
  while (true) {
    queue.wanted.wait(lock, [&] { return queue.stopping || !queue.jobs.empty(); });
    if (queue.jobs.empty()) return;
    Job* const job = queue.jobs.front();
    queue.jobs.pop_front();
    lock.unlock();
    (*job->work)();
    lock.lock();
    job->done = true;
    queue.finished.notify_all();
  }
}

}  // namespace wiregauge::http
