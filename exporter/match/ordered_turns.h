// OrderedPairs with what a connection's turns tell, for protocols whose messages are of unknown length once bytes are
// missing (Redis, memcached): what is lost of a client that does not pipeline is lost of one request only, and a
// connection that is older than the tap has a first turn that shows whether answers were on their way. One thread.
#pragma once

#include <cstdint>
#include <optional>

#include "exporter/match/ordered_pairs.h"

namespace wiregauge::match {

template <typename Request>
class OrderedTurns : public OrderedPairs<Request> {
 public:
  using Pairs = OrderedPairs<Request>;
  using Entry = typename Pairs::Entry;

  OrderedTurns(decode::MemoryBudget& budget, bool mid_stream) : Pairs(budget), joining_(mid_stream) {
    ConnectionCounts nothing;
    if (mid_stream) Pairs::Suspend(nothing);
  }

  // A request went. Not while end_lost(): EndLostAnswer comes first.
  void OnRequest(const Entry& entry, ConnectionCounts& counts) {
    if (joining_) Join();
    if (!Pairs::empty()) pipelines_ = true;
    Pairs::OnRequest(entry, counts);
  }

  std::optional<Entry> OnAnswer(ConnectionCounts& counts) {
    OnPartOfAnswer();
    return Pairs::OnAnswer(counts);
  }

  // An answer came that is not the last to its request.
  void OnPartOfAnswer() { joined_answers_ += joining_ ? 1 : 0; }

  // The framing of the requests is lost. `open`: the request that had begun, with its first and its latest byte; null
  // when that is not known. Of a client that was not seen pipelining it is one request, whose answer is its own.
  void OnRequestsLost(const Entry* open, std::uint64_t last_byte_ns, ConnectionCounts& counts) {
    if (joining_ && joined_requests_ == 0) return;
    joining_ = false;
    if (open != nullptr && !pipelines_ && Pairs::empty() && !Pairs::suspended()) {
      Pairs::OnRequest(*open, counts);
    } else if (open == nullptr && !pipelines_ && Pairs::size() == 1) {
      Pairs::back().last_byte_ns = last_byte_ns;  // what is skipped behind it may be the rest of it
    } else {
      end_lost_ = false;
      Pairs::Suspend(counts);
    }
  }

  // The framing of the answers is lost. `open`: one had begun. When it is the only one, it ends when the client goes on
  // or the server has been silent.
  void OnAnswersLost(bool open, ConnectionCounts& counts) {
    if (joining_ && joined_requests_ == 0) return;  // what went before is not known anyway
    joining_ = false;
    if (end_lost_) return;
    if (open && !pipelines_ && Pairs::size() == 1) {
      end_lost_ = true;
    } else {
      Pairs::Suspend(counts);
    }
  }

  // The client was seen sending a request before the answer to the one before.
  [[nodiscard]] bool pipelines() const { return pipelines_; }
  // The end of the answer to the only request is lost.
  [[nodiscard]] bool end_lost() const { return end_lost_; }
  // It is over: gives the request.
  std::optional<Entry> EndLostAnswer(ConnectionCounts& counts) {
    end_lost_ = false;
    return Pairs::OnAnswer(counts);
  }

 private:
  // The first turn of requests and answers on a connection that is older than the tap. Answers before the first request
  // are those to requests before the tap; when as many follow as requests went, the order is certain.
  void Join() {
    if (joined_requests_ > 0 && joined_answers_ > 0) {
      joining_ = false;
      if (joined_requests_ == joined_answers_) Pairs::Resume();
      return;
    }
    joined_answers_ = 0;
    ++joined_requests_;
  }

  std::uint32_t joined_requests_ = 0;  // while joining_
  std::uint32_t joined_answers_ = 0;
  bool joining_;            // older than the tap, and no turn of requests and answers has passed
  bool pipelines_ = false;
  bool end_lost_ = false;
};

}  // namespace wiregauge::match
