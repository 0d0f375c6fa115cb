// The threads that run handlers, apart from the ones that talk to clients: civetweb's own have 100 KiB of stack (as
// Debian builds it), one a connection; these have ordinary stacks and are few, so a handler's memory and the work done
// at once are bounded whatever clients do.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "daemon/http/router.h"

namespace wiregauge::http {

// Thread-safe. The destructor waits for what runs; nobody may be inside Run then.
class Lanes {
 public:
  Lanes();
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  // Runs `work` on a thread of the lane and returns when it is done. `work` must not throw. The queue is as long as
  // there are callers: one a connection.
  void Run(Lane lane, const std::function<void()>& work);

 private:
  struct Job {
    const std::function<void()>* work;
    bool done = false;
  };
  struct Queue {
    std::mutex mutex;
    std::condition_variable wanted;    // a job was added, or stopping
    std::condition_variable finished;  // some job is done
    std::deque<Job*> jobs;
    bool stopping = false;
  };

  static void Work(Queue& queue);
  Queue& QueueOf(Lane lane) { return queues_.at(static_cast<std::size_t>(lane)); }

  std::array<Queue, 2> queues_;
  std::vector<std::thread> threads_;
};

}  // namespace wiregauge::http
