// For tests only: a dictionary and a store in memory with a few series, and requests to ask about them.
#pragma once

#include <string>
#include <vector>

#include "base/http.h"
#include "remote_write/encode/dictionary.h"
#include "remote_write/encode/fake_store.h"
#include "remote_write/receive/remote_write_v1.h"
#include "remote_write/receive/request_builder.h"

namespace wiregauge::query::testing {

struct Data {
  encode::Dictionary dictionary;
  encode::testing::FakeStore store;

  void Write(const receive::testing::Labels& labels, const std::vector<receive::Sample>& samples) {
    receive::WriteRequest request;
    encode::EncodedRequest encoded;
    const std::string message = receive::testing::RequestMessage({receive::testing::SeriesMessage(labels, samples)});
    if (!receive::DecodeV1(AsBytes(message), {0, 1LL << 60}, request) || !dictionary.Encode(request, encoded) ||
        !dictionary.Write(store, encoded)) {
      Bug("test data");
    }
  }
};

inline http::Request Get(std::string path_and_query) {
  http::Request request;
  request.method = "GET";
  const std::size_t mark = path_and_query.find('?');
  request.path = path_and_query.substr(0, mark);
  if (mark != std::string::npos) request.query = path_and_query.substr(mark + 1);
  return request;
}

inline http::Request PostForm(std::string path, std::string form) {
  http::Request request;
  request.method = "POST";
  request.path = std::move(path);
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  request.body = std::move(form);
  return request;
}

}  // namespace wiregauge::query::testing
