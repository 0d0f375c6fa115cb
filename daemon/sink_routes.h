// The sink plane: opens the store, restores the dictionary from it, and connects the rooms of remote_write/ to paths.
// The store is opened by a function, so that tests need no disk.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "daemon/plane.h"
#include "remote_write/encode/dictionary.h"
#include "remote_write/store/store.h"

namespace wiregauge::daemon {

// store::Store::Open, or a test's own.
using StoreOpener =
    std::function<Result<std::unique_ptr<store::Store>>(const store::Options&, const std::function<Status(Bytes)>&)>;

struct SinkOptions {
  store::Options store;
  encode::Limits limits;
  std::string version;  // of this program, for /api/v1/status/buildinfo
};

// Start waits at most a second for the store: what fails by then (a path that cannot be written, a lock held by another
// process) is Start's error. A longer replay goes on in a thread of its own; until it is done ready() is false and
// every route answers 503 with not_ready_reason().
std::unique_ptr<SinkPlane> MakeSink(SinkOptions options, StoreOpener open_store);

}  // namespace wiregauge::daemon
