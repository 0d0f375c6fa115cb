#include "exporter/decode/kafka/decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "exporter/decode/kafka/apis.h"

namespace wiregauge::decode::kafka {

namespace {

// How many requests may have been lost before the one that is found by searching.
constexpr std::int32_t kRequestsLostMax = 1 << 20;

}  // namespace

Decoder::Decoder(Kind kind, bool mid_stream)
    : state_(mid_stream ? State::kResync : State::kHeader), kind_(kind), confirmed_(false) {}

std::uint64_t Decoder::TakeParsedBytes() { return std::exchange(parsed_bytes_, 0); }

void Decoder::OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler) {
  bool at_start = true;
  while (!bytes.empty()) {
    std::size_t used = bytes.size();
    switch (state_) {
      case State::kHeader: used = StepHeader(bytes, time_ns, handler); break;
      case State::kBody: used = StepBody(bytes, time_ns, handler); break;
      case State::kResync: used = StepResync(bytes, at_start, handler); break;
      case State::kOpaque: handler.OnUnparsed(loss_, used); break;
    }
    bytes = bytes.subspan(used);
    at_start = false;
  }
}

void Decoder::OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, Handler& handler) {
  std::uint64_t left = length - tail.size();
  while (left > 0 && state_ == State::kBody) left -= GapInBody(left, time_ns, handler);
  if (left > 0 && state_ == State::kHeader) Lose(Unparsed::kGap, handler);
  if (left > 0) handler.OnUnparsed(loss_, left);
  if (tail.empty()) return;
  if (state_ == State::kResync || state_ == State::kOpaque) {
    handler.OnUnparsed(loss_, tail.size());  // a message start is not to be told from eight bytes
  } else {
    OnBytes(tail, time_ns, handler);
  }
}

void Decoder::OnClose(Handler& handler) {
  if (partial_size_ > 0) handler.OnUnparsed(Unparsed::kCutOff, std::exchange(partial_size_, std::uint8_t{0}));
  state_ = State::kOpaque;
  loss_ = Unparsed::kCutOff;
}

std::size_t Decoder::StepHeader(Bytes run, std::uint64_t time_ns, Handler& handler) {
  const std::size_t size = header_bytes();
  if (partial_size_ == 0) {
    first_byte_ns_ = time_ns;
    if (run.size() >= size) {
      EndHeader(run.data(), time_ns, handler);
      return size;
    }
  }
  const std::size_t taken = std::min(size - partial_size_, run.size());
  std::memcpy(partial_.data() + partial_size_, run.data(), taken);
  partial_size_ = static_cast<std::uint8_t>(partial_size_ + taken);
  if (partial_size_ == size) {
    partial_size_ = 0;
    EndHeader(partial_.data(), time_ns, handler);
  }
  return taken;
}

void Decoder::EndHeader(const std::uint8_t* raw, std::uint64_t time_ns, Handler& handler) {
  const std::size_t size = header_bytes();
  walking_ = false;
  wanted_ = false;
  rest_.reset();
  bool fits = false;
  if (kind_ == Kind::kRequests) {
    const auto header = ParseRequestHeader(raw);
    fits = header.has_value();
    if (fits) BeginRequest(*header);
  } else {
    const auto header = ParseAnswerHeader(raw);
    fits = header.has_value();
    if (fits) BeginAnswer(*header, handler);
  }
  if (!fits) {
    if (confirmed_) {
      Lose(Unparsed::kMalformed, handler);
    } else {
      state_ = State::kOpaque;
      loss_ = Unparsed::kUnknownProtocol;
      handler.OnNotKafka();
    }
    handler.OnUnparsed(loss_, size);
    return;
  }
  parsed_bytes_ += size;
  state_ = State::kBody;
  if (frame_left_ == 0) EndFrame(time_ns, handler);
}

void Decoder::BeginRequest(const RequestHeader& header) {
  api_ = header.api;
  correlation_id_ = header.correlation_id;
  client_id_bytes_ = header.client_id_bytes;
  frame_left_ = header.bytes_behind;
  const ApiRow& row = RowOf(api_.key);
  walking_ = row.request.walked && api_.version <= row.version_max;
  if (!walking_) return;
  const bool flexible = IsFlexible(api_);
  const auto client_id = static_cast<std::uint32_t>(std::max<std::int16_t>(client_id_bytes_, 0));
  walker_.Begin({&row.request, api_.version, flexible, flexible, client_id, false, Walker::Topics::kTheOnlyOne});
}

void Decoder::BeginAnswer(const AnswerHeader& header, Handler& handler) {
  correlation_id_ = header.correlation_id;
  frame_left_ = header.bytes_behind;
  const auto api = handler.OnAnswerBegins(correlation_id_);
  wanted_ = api.has_value();
  if (!wanted_) return;
  api_ = *api;
  const ApiRow& row = RowOf(api_.key);
  walking_ = row.answer.walked && api_.version <= row.version_max;
  if (!walking_) {
    rest_ = Unparsed::kUnknownProtocol;
    return;
  }
  const bool flexible = IsFlexible(api_);
  // A client that asks for the versions cannot know yet which header the broker writes: it is always the old one.
  const bool versions = api_.key == kApiVersions;
  walker_.Begin({&row.answer, api_.version, flexible, flexible && !versions, 0, versions,
                 TeachesTopicIds(api_) ? Walker::Topics::kAll : Walker::Topics::kNone});
}

std::size_t Decoder::StepBody(Bytes run, std::uint64_t time_ns, Handler& handler) {
  const auto used = static_cast<std::uint32_t>(std::min<std::size_t>(run.size(), frame_left_));
  if (walking_ && !rest_) {
    walker_.OnBytes(run.first(used), frame_left_, handler);
    if (walker_.odd()) rest_ = Unparsed::kMalformed;
  }
  Count(used, handler);
  frame_left_ -= used;
  if (frame_left_ == 0) EndFrame(time_ns, handler);
  return used;
}

std::uint64_t Decoder::GapInBody(std::uint64_t length, std::uint64_t time_ns, Handler& handler) {
  const auto used = static_cast<std::uint32_t>(std::min<std::uint64_t>(length, frame_left_));
  std::uint32_t known = used;
  if (walking_ && !rest_) {
    known = walker_.OnGap(used);
    parsed_bytes_ += known;
    if (known < used) {
      rest_ = Unparsed::kGap;
      handler.OnUnparsed(Unparsed::kGap, used - known);
    }
  } else {
    Count(used, handler);
  }
  frame_left_ -= used;
  if (frame_left_ == 0) EndFrame(time_ns, handler);
  return used;
}

void Decoder::EndFrame(std::uint64_t time_ns, Handler& handler) {
  state_ = State::kHeader;
  seen_ = true;
  if (walking_ && !rest_) walker_.OnBytes({}, 0, handler);  // what ends without a byte of its own
  const Walker::Findings found = walking_ ? walker_.findings() : Walker::Findings{};
  if (kind_ == Kind::kRequests) {
    handler.OnRequest({api_, correlation_id_, found.topics, found.acks, found.wait_ms, found.session_epoch,
                       HowItEnded(), first_byte_ns_, time_ns});
  } else if (wanted_) {
    handler.OnAnswer({correlation_id_, found.error, HowItEnded(), time_ns});
  }
}

Walk Decoder::HowItEnded() const {
  if (!walking_) return Walk::kNone;
  if (walker_.done()) return Walk::kWhole;
  return walker_.cut() ? Walk::kCut : Walk::kOdd;
}

void Decoder::Count(std::uint64_t bytes, Handler& handler) {
  if (!rest_) {
    parsed_bytes_ += bytes;
  } else if (bytes > 0) {
    handler.OnUnparsed(*rest_, bytes);
  }
}

void Decoder::Lose(Unparsed reason, Handler& handler) {
  state_ = State::kResync;
  loss_ = reason;
  if (partial_size_ > 0) handler.OnUnparsed(reason, std::exchange(partial_size_, std::uint8_t{0}));
  handler.OnLost();
}

std::size_t Decoder::StepResync(Bytes run, bool at_start, Handler& handler) {
  std::size_t at = 0;
  // A message begins where a segment does; requests of a client that is known are found inside one too.
  const bool inside = kind_ == Kind::kRequests && seen_ && client_id_bytes_ > 0;
  const bool starts = at_start && StartsAt(run, 0, handler);
  if (!starts) {
    at = run.size();
    for (std::size_t i = 1; inside && i + kRequestHeaderBytes <= run.size(); ++i) {
      if (!StartsAt(run, i, handler)) continue;
      at = i;
      break;
    }
  }
  if (at > 0) handler.OnUnparsed(loss_, at);
  if (at < run.size()) state_ = State::kHeader;
  return at;
}

bool Decoder::StartsAt(Bytes run, std::size_t at, const Handler& handler) const {
  const Bytes here = run.subspan(at);
  if (here.size() < header_bytes()) return false;
  if (kind_ == Kind::kAnswers) {
    const auto header = ParseAnswerHeader(here.data());
    return header && handler.IsExpected(header->correlation_id);
  }
  const auto header = ParseRequestHeader(here.data());
  if (!header) return false;
  if (seen_) {
    return header->client_id_bytes == client_id_bytes_ &&
           std::int64_t{header->correlation_id} - correlation_id_ <= kRequestsLostMax &&
           header->correlation_id > correlation_id_;
  }
  return LooksLikeRequests(here, true) == Likeness::kYes;
}

}  // namespace wiregauge::decode::kafka
