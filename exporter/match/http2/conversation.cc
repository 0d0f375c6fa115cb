#include "exporter/match/http2/conversation.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "exporter/decode/http1/parse.h"

namespace wiregauge::match::http2 {

using decode::http2::Data;
using decode::http2::Fields;
using decode::http2::From;
using decode::http2::Method;

namespace {

constexpr std::uint32_t kStreamNumberMax = 0x7fffffff;
constexpr std::uint8_t kGrpcOk = 0;

// gRPC's status for what ended a call without one (gRPC over HTTP/2, "Errors"), as codes of kGrpcCodeNames.
std::uint8_t GrpcCodeOfReset(std::uint32_t error) {
  constexpr std::uint8_t kCodes[] = {13, 13, 13, 13, 13, 2, 13, 14, 1, 13, 13, 8, 7, 2};  // by HTTP/2 error code
  return error < std::size(kCodes) ? kCodes[error] : decode::http2::kGrpcUnknown;
}

// gRPC's status for an answer that is none of gRPC's (http-grpc-status-mapping).
std::uint8_t GrpcCodeOfHttp(std::uint16_t status) {
  switch (status) {
    case 400: return 13;
    case 401: return 16;
    case 403: return 7;
    case 404: return 12;
    case 429:
    case 502:
    case 503:
    case 504: return 14;
    default: return decode::http2::kGrpcUnknown;
  }
}

// OpenTelemetry's semantic conventions for gRPC: to a client every status but OK is an error, to a server those that
// are its own fault.
bool IsGrpcError(std::uint8_t code, probe::Role role) {
  if (role == probe::Role::kClient) return code != kGrpcOk;
  constexpr std::uint32_t kServerErrors = 1u << 2 | 1u << 4 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15;
  return (kServerErrors >> code & 1) != 0;
}

}  // namespace

// One direction during one call: joins decoder and conversation. Lives on the stack.
class Conversation::Half final : public decode::http2::Handler {
 public:
  Half(Conversation& conversation, Side side, Sink& sink) : conversation_(conversation), sink_(sink), side_(side) {}

  void OnSection(Section& section) override {
    if (side_ == Side::kRequests) {
      conversation_.OnRequestSection(section, sink_);
    } else {
      conversation_.OnAnswerSection(section, sink_);
    }
  }
  void OnData(const Data& data) override { conversation_.OnDataFrame(side_, data, sink_); }
  void OnReset(std::uint32_t stream, std::uint32_t error) override {
    conversation_.OnReset(side_, stream, error, sink_);
  }
  void OnGoAway(std::uint32_t last_stream, std::uint32_t error) override {
    conversation_.OnGoAway(side_, last_stream, error, sink_);
  }
  void OnLost() override { conversation_.OnLost(side_); }
  void OnNotHttp2() override { conversation_.OnNotHttp2(sink_); }
  void OnHttp2() override { conversation_.OnHttp2(); }
  void OnUnparsed(decode::Unparsed reason, std::uint64_t bytes) override { conversation_.Unparsed(reason, bytes); }
  [[nodiscard]] bool IsOpen(std::uint32_t stream) const override {
    return conversation_.streams_.Find(stream) != nullptr;
  }

 private:
  Conversation& conversation_;
  Sink& sink_;
  Side side_;
};

Conversation::Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget)
    : StreamConversation(open, options, budget),
      requests_(From::kClient, open.mid_stream, budget),
      answers_(From::kServer, open.mid_stream, budget),
      streams_(budget),
      last_stream_(kStreamNumberMax) {
  WantEveryByte();  // frames of many streams are mixed
}

Conversation::Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget,
                           const HttpRequest& upgraded)
    : Conversation(open, options, budget) {
  OnHttp2();
  highest_ = first_ = 1;
  if (upgraded.method.empty()) return;  // it was not seen, and is counted where it was lost
  auto path = decode::http2::TextRef::Make(upgraded.path, upgraded.path_cut);
  Stream* stream = streams_.Add(1, std::move(path));
  if (stream == nullptr) {
    ++Losses().evicted_requests;
    return;
  }
  stream->method = decode::http1::FindMethod(upgraded.method);
  stream->path_cut = upgraded.path_cut;
  stream->start_ns = upgraded.start_ns;
  stream->last_ns = upgraded.end_ns;
  stream->request_ended = true;
  if (upgraded.trace != nullptr) {
    stream->trace = decode::http2::TextRef::Make({reinterpret_cast<const char*>(upgraded.trace), sizeof(Trace)}, false);
  }
  WaitFrom(stream->last_ns);
}

Conversation::~Conversation() = default;

std::uint64_t Conversation::pending_bytes() const { return requests_.pending_bytes() + answers_.pending_bytes(); }

void Conversation::OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) {
  Half half(*this, side, sink);
  decode::http2::Decoder& decoder = side == Side::kRequests ? requests_ : answers_;
  decoder.OnBytes(bytes, time_ns, half);
  Parsed(decoder.TakeParsedBytes());
}

void Conversation::OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) {
  Half half(*this, side, sink);
  decode::http2::Decoder& decoder = side == Side::kRequests ? requests_ : answers_;
  decoder.OnGap(length, tail, time_ns, half);
  Parsed(decoder.TakeParsedBytes());
}

void Conversation::OnHttp2() {
  if (state() == State::kConfirmed) return;
  SetState(State::kConfirmed);
  requests_.ConfirmHttp2();
  answers_.ConfirmHttp2();
}

void Conversation::OnNotHttp2(Sink& sink) {
  SetState(State::kRefuted);
  Half requests(*this, Side::kRequests, sink);
  requests_.StopDecoding(decode::Unparsed::kUnknownProtocol, requests);
  Half answers(*this, Side::kAnswers, sink);
  answers_.StopDecoding(decode::Unparsed::kUnknownProtocol, answers);
  streams_.Clear();
}

// Whatever was under way may have ended unseen.
void Conversation::OnLost(Side side) {
  if (side == Side::kRequests) requests_lost_ = true;
  streams_.ForEach([this](Stream& stream) {
    stream.uncertain = true;
    WaitFrom(stream.last_ns);
  });
}

// Streams have consecutive odd numbers (RFC 9113 section 5.1.1 lets clients skip some; none in use does), so after a
// loss the next number tells how many requests were lost.
void Conversation::NoteMissing(std::uint32_t before) {
  const std::int64_t missing = (std::int64_t{before} - highest_) / 2 - 1;
  if (missing > 0) Losses().unpaired_requests += static_cast<std::uint64_t>(missing);
}

void Conversation::OnRequestSection(Section& section, Sink& sink) {
  if (section.stream % 2 == 0) return;
  if (Stream* stream = streams_.Find(section.stream)) {  // trailers
    if (!stream->answering) stream->last_ns = last_ns(Side::kRequests);
    stream->request_ended = stream->request_ended || section.end_stream;
    if (stream->request_ended && Waits(*stream)) WaitFrom(stream->last_ns);
    return;
  }
  const Fields& fields = section.fields;
  const bool seen_before = std::int64_t{section.stream} <= highest_;  // trailers behind a finished answer
  const bool trailers = !section.lost && !fields.unknown && !fields.has_method && !fields.path;
  if (seen_before || trailers) return;
  BeginRequest(section, sink);
}

void Conversation::BeginRequest(Section& section, Sink& sink) {
  const Fields& fields = section.fields;
  const bool first = first_ == 0;
  if (requests_lost_ && !(first && mid_stream())) NoteMissing(section.stream);
  requests_lost_ = false;
  if (first) first_ = section.stream;
  highest_ = section.stream;

  Stream* stream = streams_.Add(section.stream, std::move(section.fields.path));
  if (stream == nullptr) {
    ++Losses().evicted_requests;
    return;
  }
  const bool unknown = section.lost || fields.unknown;
  stream->start_ns = std::min(section.first_byte_ns, last_ns(Side::kRequests));
  stream->last_ns = last_ns(Side::kRequests);
  stream->trace = std::move(section.fields.trace);
  stream->method = fields.method;
  stream->path_cut = fields.path_cut;
  const bool path_missing = !stream->path && fields.method != Method::kConnect;
  stream->name_unknown = unknown && (!fields.has_method || path_missing);
  stream->request_ended = section.end_stream;
  switch (fields.content_type) {
    case Fields::ContentType::kGrpc: stream->grpc = Stream::Grpc::kYes; break;
    case Fields::ContentType::kOther: stream->grpc = Stream::Grpc::kNo; break;
    case Fields::ContentType::kAbsent: stream->grpc = unknown ? Stream::Grpc::kUnknown : Stream::Grpc::kNo; break;
  }
  grpc_seen_ = grpc_seen_ || stream->grpc == Stream::Grpc::kYes;
  if (section.stream > last_stream_) {
    End(*stream, NoAnswer::kReset, goaway_error_, stream->last_ns, sink);
  } else if (stream->request_ended) {
    WaitFrom(stream->last_ns);
  }
}

// The stream of that number when the server says something on it.
Stream* Conversation::FindAnswered(std::uint32_t number, Sink& sink) {
  if (Stream* stream = streams_.Find(number)) return stream;
  if (number % 2 == 0 || std::int64_t{number} <= highest_) return nullptr;
  RequestsMustBeThere(sink);
  return streams_.Find(number);
}

void Conversation::OnAnswerToNothing(std::uint32_t number, bool end_stream) {
  if (number % 2 == 0) return;  // pushed
  if (mid_stream() && (first_ == 0 || number < first_)) {
    Losses().unmatched_answers += end_stream ? 1 : 0;
    return;
  }
  if (std::int64_t{number} <= highest_) return;  // ended before, or known to be lost
  NoteMissing(number + 2);
  highest_ = number;
}

void Conversation::OnAnswerSection(Section& section, Sink& sink) {
  Stream* stream = FindAnswered(section.stream, sink);
  if (stream == nullptr) return OnAnswerToNothing(section.stream, section.end_stream);
  const Fields& fields = section.fields;
  if (fields.status >= 100 && fields.status < 200 && !section.end_stream) return;  // RFC 9110 section 15.2
  stream->answer_unknown = stream->answer_unknown || section.lost || fields.unknown;
  if (stream->answering) {
    if (stream->status == 0) stream->status = fields.status;  // what was lost was a 1xx
  } else {
    stream->answering = true;
    stream->status = fields.status;
    if (stream->expired) ++Losses().late_answers;
  }
  if (fields.grpc_status >= 0) stream->grpc_status = fields.grpc_status;
  if (stream->grpc == Stream::Grpc::kUnknown && fields.content_type != Fields::ContentType::kAbsent) {
    stream->grpc = fields.content_type == Fields::ContentType::kGrpc ? Stream::Grpc::kYes : Stream::Grpc::kNo;
  }
  stream->last_ns = last_ns(Side::kAnswers);
  // A tunnel begins (RFC 9113 section 8.5, RFC 8441): what follows are bytes of another protocol, as long as it likes.
  const bool tunnel = stream->method == Method::kConnect && fields.status >= 200 && fields.status < 300;
  if (section.end_stream || tunnel) EndAnswer(*stream, sink);
}

void Conversation::OnDataFrame(Side side, const Data& data, Sink& sink) {
  if (side == Side::kRequests) {
    Stream* stream = streams_.Find(data.stream);
    if (stream == nullptr) return;
    if (!stream->data_seen) stream->grpc_message = data.grpc_message;
    stream->data_seen = true;
    stream->request_ended = stream->request_ended || data.end_stream;
    if (!stream->answering) stream->last_ns = last_ns(side);
    if (stream->request_ended && Waits(*stream)) WaitFrom(stream->last_ns);
    return;
  }
  Stream* stream = FindAnswered(data.stream, sink);
  if (stream == nullptr) return OnAnswerToNothing(data.stream, data.end_stream);
  if (!stream->answering) {  // its beginning was lost
    stream->answering = stream->answer_unknown = true;
    if (stream->expired) ++Losses().late_answers;
  }
  stream->last_ns = last_ns(side);
  if (data.end_stream) EndAnswer(*stream, sink);
}

void Conversation::EndAnswer(Stream& stream, Sink& sink) {
  End(stream, NoAnswer::kNone, std::nullopt, last_ns(Side::kAnswers), sink);
}

// A reset behind a whole answer finds no stream: RFC 9113 section 8.1 lets a server stop a request so.
void Conversation::OnReset(Side side, std::uint32_t number, std::uint32_t error, Sink& sink) {
  Stream* stream = side == Side::kAnswers ? FindAnswered(number, sink) : streams_.Find(number);
  if (stream != nullptr) return End(*stream, NoAnswer::kReset, error, last_ns(side), sink);
  if (side == Side::kAnswers) OnAnswerToNothing(number, true);
}

void Conversation::OnGoAway(Side side, std::uint32_t last_stream, std::uint32_t error, Sink& sink) {
  goaway_error_ = error;
  if (side == Side::kRequests) return;  // numbers what the server pushed
  last_stream_ = std::min(last_stream_, last_stream);
  std::vector<std::uint32_t> above;
  streams_.ForEach([&](const Stream& stream) {
    if (stream.number > last_stream_) above.push_back(stream.number);
  });
  std::sort(above.begin(), above.end());
  for (const std::uint32_t number : above) {
    End(*streams_.Find(number), NoAnswer::kReset, error, last_ns(side), sink);
  }
}

bool Conversation::IsGrpc(const Stream& stream) const {
  if (stream.grpc != Stream::Grpc::kUnknown) return stream.grpc == Stream::Grpc::kYes;
  if (stream.method != Method::kPost && stream.method != Method::kOther) return false;
  return stream.grpc_status >= 0 || stream.grpc_message || grpc_seen_;
}

void Conversation::End(Stream& stream, NoAnswer no_answer, std::optional<std::uint32_t> error, std::uint64_t end_ns,
                       Sink& sink) {
  if (!stream.expired) {
    if (IsGrpc(stream)) {
      grpc_seen_ = true;
      TellCall(stream, no_answer, error, end_ns, sink);
    } else {
      TellRequest(stream, no_answer, error ? decode::http2::ErrorName(*error) : std::string_view(), end_ns, sink);
    }
  }
  streams_.Erase(&stream);
}

void Conversation::TellRequest(const Stream& stream, NoAnswer no_answer, std::string_view error, std::uint64_t end_ns,
                               Sink& sink) {
  Trace trace;
  if (stream.trace) std::memcpy(&trace, stream.trace.text().data(), sizeof(trace));
  HttpRequest request;
  request.connection = id();
  request.role = role();
  request.method = decode::http1::MethodName(stream.method);
  if (stream.path) request.path = stream.path.text();
  request.path_cut = stream.path_cut;
  request.status = stream.status;
  request.major_version = 2;
  request.minor_version = 0;
  request.no_answer = no_answer;
  request.error = error;
  request.trace = stream.trace ? &trace : nullptr;
  request.start_ns = stream.start_ns;
  request.end_ns = std::max(end_ns, stream.start_ns);
  const bool status_unknown = stream.answering && stream.status == 0;
  if (stream.name_unknown || status_unknown) ++Losses().degraded_requests;
  sink.OnRequest(request);
}

void Conversation::TellCall(const Stream& stream, NoAnswer no_answer, std::optional<std::uint32_t> error,
                            std::uint64_t end_ns, Sink& sink) {
  std::optional<std::uint8_t> code;
  if (stream.grpc_status >= 0) {
    code = static_cast<std::uint8_t>(stream.grpc_status);
  } else if (error) {
    code = GrpcCodeOfReset(*error);
  } else if (no_answer == NoAnswer::kNone && !stream.answer_unknown) {
    code = GrpcCodeOfHttp(stream.status);
  }
  Trace trace;
  if (stream.trace) std::memcpy(&trace, stream.trace.text().data(), sizeof(trace));
  Call call;
  call.connection = id();
  call.role = role();
  call.system = System::kGrpc;
  call.operation = "_OTHER";
  if (stream.path) {
    call.operation = stream.path.text();
    if (!call.operation.empty() && call.operation.front() == '/') call.operation.remove_prefix(1);
  }
  if (code) {
    call.code = decode::http2::kGrpcCodeNames[*code];
    call.no_answer = NoAnswer::kNone;
    if (IsGrpcError(*code, role())) call.error = call.code;
  } else {
    call.no_answer = no_answer;
  }
  call.trace = stream.trace ? &trace : nullptr;
  call.start_ns = stream.start_ns;
  call.end_ns = std::max(end_ns, stream.start_ns);
  if (stream.name_unknown || (!code && no_answer == NoAnswer::kNone)) ++Losses().degraded_requests;
  sink.OnCall(call);
}

// Whether the stream has a deadline: the request is complete and nothing of the answer has come; or, after a loss,
// perhaps nothing more will.
bool Conversation::Waits(const Stream& stream) const {
  return stream.uncertain || (stream.request_ended && !stream.answering && !stream.expired);
}

void Conversation::WaitFrom(std::uint64_t last_ns) {
  const std::uint64_t deadline = last_ns + options().answer_timeout_ns;
  expires_at_ = std::min(expires_at_.value_or(deadline), deadline);
}

std::optional<std::uint64_t> Conversation::ExpiresAt() const { return expires_at_; }

void Conversation::Expire(std::uint64_t now_ns, Sink& sink) {
  if (!expires_at_ || *expires_at_ > now_ns) return;
  expires_at_.reset();
  std::vector<std::uint32_t> expired;
  streams_.ForEach([&](const Stream& stream) {
    if (!Waits(stream)) return;
    if (stream.last_ns + options().answer_timeout_ns <= now_ns) {
      expired.push_back(stream.number);
    } else {
      WaitFrom(stream.last_ns);
    }
  });
  std::sort(expired.begin(), expired.end());
  for (const std::uint32_t number : expired) {
    Stream& stream = *streams_.Find(number);
    if (stream.uncertain) {
      Losses().unpaired_requests += stream.expired ? 0 : 1;
      streams_.Erase(&stream);
      continue;
    }
    const std::uint64_t deadline = stream.last_ns + options().answer_timeout_ns;
    if (IsGrpc(stream)) {
      TellCall(stream, NoAnswer::kTimeout, std::nullopt, deadline, sink);
    } else {
      TellRequest(stream, NoAnswer::kTimeout, {}, deadline, sink);
    }
    stream.expired = true;
  }
}

void Conversation::OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) {
  std::vector<std::uint32_t> open;
  streams_.ForEach([&](const Stream& stream) { open.push_back(stream.number); });
  std::sort(open.begin(), open.end());
  for (const std::uint32_t number : open) {
    Stream& stream = *streams_.Find(number);
    if (stream.uncertain) {
      Losses().unpaired_requests += stream.expired ? 0 : 1;
      streams_.Erase(&stream);
    } else if (goaway_error_ != decode::http2::kNoError) {  // the reason why it ends
      End(stream, NoAnswer::kReset, goaway_error_, time_ns, sink);
    } else {
      End(stream, why, std::nullopt, time_ns, sink);
    }
  }
  Half requests(*this, Side::kRequests, sink);
  requests_.OnClose(requests);
  Half answers(*this, Side::kAnswers, sink);
  answers_.OnClose(answers);
}

}  // namespace wiregauge::match::http2
