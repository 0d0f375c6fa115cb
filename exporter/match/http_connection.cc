#include "exporter/match/http_connection.h"

#include <algorithm>

namespace wiregauge::match {

using decode::Unparsed;
using decode::http1::Decoder;
using decode::http1::Kind;
using decode::http1::Loss;
using decode::http1::Method;
using probe::Direction;
using probe::Role;

namespace {

Direction Other(Direction direction) { return direction == Direction::kSent ? Direction::kReceived : Direction::kSent; }

Kind KindOf(Direction direction, Role role) {
  if (role == Role::kUnknown) return Kind::kUnknown;
  return (direction == Direction::kSent) == (role == Role::kClient) ? Kind::kRequests : Kind::kResponses;
}

std::optional<std::uint32_t> FirstSeq(const probe::OpenRecord& open, std::uint32_t seq) {
  return open.mid_stream ? std::nullopt : std::optional(seq);
}

}  // namespace

struct HttpConnection::KeptUpgrade {
  std::unique_ptr<UpgradeToHttp2> upgrade;
  std::uint32_t sent_bytes = 0;  // of what follows, told so far
  std::uint32_t received_bytes = 0;
};

// One direction during one call: joins stream, decoder and connection. Lives on the stack, so that an idle connection
// needs no room for it.
class HttpConnection::Half final : public decode::StreamSink, public decode::http1::Handler {
 public:
  Half(HttpConnection& connection, Direction direction, Sink& sink)
      : connection_(connection), decoder_(connection.decoder(direction)), sink_(sink), direction_(direction) {}

  void OnBytes(Bytes bytes, std::uint64_t time_ns) override {
    Passed(time_ns);
    decoder_.OnBytes(bytes, time_ns, *this);
  }
  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns) override {
    Passed(time_ns);
    decoder_.OnGap(length, tail, time_ns, *this);
  }

  void OnRequestLine(const decode::http1::RequestLine& line, std::uint64_t first_byte_ns) override {
    connection_.OnRequestLine(direction_, line, first_byte_ns, sink_);
  }
  void OnTrace(const decode::Trace& trace) override { connection_.OnTrace(trace); }
  Method OnStatusLine(const decode::http1::StatusLine& line) override {
    return connection_.OnStatusLine(direction_, line, sink_);
  }
  void OnMessageEnd() override {
    if (decoder_.kind() == Kind::kRequests) {
      connection_.OnRequestEnd(direction_);
    } else {
      connection_.OnAnswerEnd(direction_, sink_);
    }
  }
  void OnLost(Loss loss) override {
    if (decoder_.kind() == Kind::kRequests) {
      connection_.OnRequestsLost(loss);
    } else if (decoder_.kind() == Kind::kResponses) {
      connection_.answers_lost_ = true;
    }
  }
  void OnNotHttp() override { connection_.StopDecoding(Unparsed::kUnknownProtocol, sink_); }
  void OnSwitch(Unparsed reason) override { connection_.StopDecoding(reason, sink_); }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    connection_.Losses().unparsed_bytes[static_cast<std::size_t>(reason)] += bytes;
    if (!connection_.upgrade_) return;
    KeptUpgrade& kept = *connection_.upgrade_;
    (direction_ == Direction::kSent ? kept.sent_bytes : kept.received_bytes) += static_cast<std::uint32_t>(bytes);
  }

 private:
  void Passed(std::uint64_t time_ns) {
    std::uint64_t& last = connection_.last_ns(direction_);
    last = std::max(last, time_ns);
  }

  HttpConnection& connection_;
  Decoder& decoder_;
  Sink& sink_;
  Direction direction_;
};

HttpConnection::HttpConnection(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget)
    : options_(options),
      budget_(budget),
      id_(open.connection),
      received_(FirstSeq(open, open.received_seq)),
      sent_(FirstSeq(open, open.sent_seq)),
      received_decoder_(KindOf(Direction::kReceived, open.role), open.mid_stream),
      sent_decoder_(KindOf(Direction::kSent, open.role), open.mid_stream),
      outstanding_(budget),
      role_(open.role) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::OnData(const probe::DataRecord& record, Sink& sink) {
  Expire(record.time_ns, sink);
  const Direction direction = record.direction;
  Half side(*this, direction, sink);
  // What a socket sends passes the tap in order: a hole there is a loss of ours and never fills.
  const bool may_hold = direction == Direction::kReceived && !received_decoder_.opaque();
  (direction == Direction::kSent ? sent_ : received_).Push(record, may_hold, budget_, side);
  if (request_open_ && direction == RequestDirection()) outstanding_.back().last_byte_ns = last_ns(direction);
}

void HttpConnection::OnTick(std::uint64_t now_ns, Sink& sink) {
  if (received_.waiting() && received_.waiting_since_ns() + options_.hole_timeout_ns <= now_ns) {
    Half side(*this, Direction::kReceived, sink);
    received_.GiveUpHoles(side);
  }
  const Direction answers = AnswerDirection();
  if (decoder(answers).in_lost_message() && last_ns(answers) + options_.lost_end_timeout_ns <= now_ns) {
    Half side(*this, answers, sink);
    decoder(answers).EndLostMessage(side);
  }
  Expire(now_ns, sink);
}

std::optional<std::uint64_t> HttpConnection::NextDeadline() const {
  std::optional<std::uint64_t> next;
  const auto earlier = [&next](std::uint64_t deadline) { next = std::min(next.value_or(deadline), deadline); };
  if (received_.waiting()) earlier(received_.waiting_since_ns() + options_.hole_timeout_ns);
  if (decoder(AnswerDirection()).in_lost_message()) {
    earlier((role_ == Role::kClient ? received_last_ns_ : sent_last_ns_) + options_.lost_end_timeout_ns);
  }
  const Entry* entry = outstanding_.NextWithDeadline();
  if (entry != nullptr && !(outstanding_.size() == 1 && FrontIsOpen())) {
    earlier(entry->last_byte_ns + options_.answer_timeout_ns);
  }
  return next;
}

// The only outstanding request is one whose head goes on.
bool HttpConnection::FrontIsOpen() const {
  return outstanding_.size() == 1 && request_open_ && decoder(RequestDirection()).in_head();
}

void HttpConnection::Expire(std::uint64_t now_ns, Sink& sink) {
  for (Entry* entry = outstanding_.NextWithDeadline(); entry != nullptr; entry = outstanding_.NextWithDeadline()) {
    const std::uint64_t deadline_ns = entry->last_byte_ns + options_.answer_timeout_ns;
    if (deadline_ns > now_ns) return;
    // Not a request yet: nobody owes it an answer.
    if (request_open_ && entry == &outstanding_.back() && decoder(RequestDirection()).in_head()) return;
    outstanding_.PassDeadline();
    entry->expired = true;
    if (answers_lost_) {
      ++Losses().unpaired_requests;
    } else {
      Tell(*entry, NoAnswer::kTimeout, deadline_ns, sink);
    }
  }
}

void HttpConnection::LearnRole(Direction requests) {
  state_ = State::kConfirmed;
  if (role_ == Role::kUnknown) {
    role_ = requests == Direction::kSent ? Role::kClient : Role::kServer;
    decoder(requests).SetKind(Kind::kRequests);
    decoder(Other(requests)).SetKind(Kind::kResponses);
  }
  decoder(Other(requests)).ConfirmHttp();
  decoder(requests).ConfirmHttp();
}

void HttpConnection::OnRequestLine(Direction direction, const decode::http1::RequestLine& line,
                                   std::uint64_t first_byte_ns, Sink& sink) {
  if (state_ != State::kConfirmed) LearnRole(direction);
  // A client that does not pipeline has the whole answer before it goes on.
  if (!pipelines_) {
    Half answers(*this, Other(direction), sink);
    if (direction == Direction::kSent && received_.waiting()) received_.GiveUpHoles(answers);
    decoder(Other(direction)).EndLostMessage(answers);
  }
  unmatched_since_request_ = false;
  request_open_ = false;
  if (suspended_ && CanResume()) suspended_ = false;
  if (suspended_) {
    ++Losses().unpaired_requests;
  } else {
    Entry entry;
    entry.start_ns = first_byte_ns;
    entry.last_byte_ns = last_ns(direction);
    entry.method = line.method;
    entry.minor_version = line.minor_version;
    entry.path_cut = line.path_cut;
    request_open_ = outstanding_.Push(entry, line.path);
    if (request_open_) return;
    ++Losses().evicted_requests;
    pipelines_ = true;
    Suspend(0);
  }
  ++answers_owed_;
  untold_method_ = line.method;
}

void HttpConnection::OnTrace(const decode::Trace& trace) {
  if (request_open_) outstanding_.AddTrace(trace);
}

// Whether the request that begins now is the next to be answered: all answers that are owed have come. A client that
// does not pipeline shows that by going on.
bool HttpConnection::CanResume() const {
  if (!outstanding_.empty() || !decoder(AnswerDirection()).between_messages() || !answered_since_) return false;
  return !pipelines_ || answers_owed_ == 0;
}

// From the next request on nothing is kept, as `requests_lost` or more are missing behind those in outstanding_.
void HttpConnection::Suspend(std::uint32_t requests_lost) {
  if (!suspended_) {
    suspended_ = true;
    answered_since_ = false;
    answers_owed_ = 0;
  }
  answers_owed_ += requests_lost;
}

void HttpConnection::OnRequestEnd(Direction direction) {
  if (!request_open_) return;
  outstanding_.back().last_byte_ns = last_ns(direction);
  request_open_ = false;
}

void HttpConnection::OnRequestsLost(Loss loss) {
  request_open_ = false;
  // What was lost had its answer before, one that seemed to answer nothing: the order is certain.
  if (loss != Loss::kMessageOpen && unmatched_since_request_ && outstanding_.empty() && !suspended_) return;
  Suspend(loss == Loss::kMessages ? 1 : 0);
}

Method HttpConnection::OnStatusLine(Direction direction, const decode::http1::StatusLine& line, Sink& sink) {
  if (state_ != State::kConfirmed) LearnRole(Other(direction));
  const bool in_order = !answers_lost_;
  if (answers_lost_) DropUncertain();
  // An answer to nothing: the request must be among what waits behind a hole, so the hole is in what the probe could
  // tell, not in what the socket received.
  if (direction == Direction::kSent && outstanding_.empty() && received_.waiting()) {
    Half received(*this, Direction::kReceived, sink);
    received_.GiveUpHoles(received);
  }
  informational_ = line.status < 200 && line.status != 101;
  if (informational_) return outstanding_.empty() ? Method::kOther : outstanding_.front().method;

  status_ = line.status;
  minor_version_ = line.minor_version;
  answered_since_ = true;
  if (outstanding_.empty()) {
    ++Losses().unmatched_answers;
    unmatched_since_request_ = true;
    if (answers_owed_ > 0) --answers_owed_;
    return suspended_ ? untold_method_ : Method::kOther;
  }
  if (outstanding_.size() > 1 && in_order) {
    pipelines_ = true;
    WantEveryByte();
  }
  answering_ = true;
  Entry& entry = outstanding_.front();
  if (&entry == outstanding_.NextWithDeadline()) outstanding_.PassDeadline();
  if (entry.expired) ++Losses().late_answers;
  return entry.method;
}

// Answers were lost before the one that begins now, and requests may have been lost with them: there is no telling
// which request it answers.
void HttpConnection::DropUncertain() {
  answers_lost_ = false;
  if (!outstanding_.empty()) untold_method_ = outstanding_.back().method;  // likeliest; a HEAD's answer has no body
  DropAll();
  Suspend(0);
  answers_owed_ = 0;
  answered_since_ = false;
}

// Takes out all requests, as without a known outcome.
void HttpConnection::DropAll() {
  for (; !outstanding_.empty(); outstanding_.PopFront()) {
    if (!outstanding_.front().expired) ++Losses().unpaired_requests;
  }
  answering_ = request_open_ = false;
}

void HttpConnection::OnAnswerEnd(Direction direction, Sink& sink) {
  if (informational_) return;
  if (decoder(direction).upgrades_to_http2()) return KeepUpgrade(last_ns(direction));  // OnSwitch follows
  if (answering_) {
    answering_ = false;
    const Entry& entry = outstanding_.front();
    if (!entry.expired) Tell(entry, NoAnswer::kNone, last_ns(direction), sink);
    if (outstanding_.size() == 1) request_open_ = false;
    outstanding_.PopFront();
  }
  const bool request_held = direction == Direction::kSent && received_.waiting();
  if (outstanding_.empty() && !request_held) answers_lost_ = false;  // nothing is left that could be paired wrongly
  if (outstanding_.empty()) decoder(Other(direction)).OnConnectRefused();  // a tunnel's OnSwitch follows, then
}

void HttpConnection::StopDecoding(Unparsed reason, Sink& sink) {
  state_ = reason == Unparsed::kUnknownProtocol ? State::kRefuted : State::kFinished;
  SetLeftFor(reason);
  for (const Direction direction : {Direction::kReceived, Direction::kSent}) {
    Half side(*this, direction, sink);
    decoder(direction).StopDecoding(reason, side);
  }
  DropAll();
  outstanding_.Release();
}

// The request is not answered yet: that happens on stream 1.
void HttpConnection::KeepUpgrade(std::uint64_t end_ns) {
  auto upgrade = std::make_unique<UpgradeToHttp2>();
  upgrade->request.role = role_;
  if (answering_ && !outstanding_.front().expired) {
    upgrade->request = RequestOf(outstanding_.front(), NoAnswer::kNone, end_ns);
    upgrade->path = upgrade->request.path;
    upgrade->request.path = upgrade->path;
    if (upgrade->request.trace != nullptr) upgrade->request.trace = &upgrade->trace.emplace(*upgrade->request.trace);
  } else {
    upgrade->request.method = {};
  }
  if (answering_) outstanding_.PopFront();
  answering_ = request_open_ = false;
  upgrade_ = std::make_unique<KeptUpgrade>(KeptUpgrade{std::move(upgrade)});
}

std::unique_ptr<UpgradeToHttp2> HttpConnection::TakeUpgrade() {
  if (!upgrade_) return nullptr;
  const auto kept = std::move(upgrade_);
  kept->upgrade->sent_seq = sent_.next_seq() - kept->sent_bytes;
  kept->upgrade->received_seq = received_.next_seq() - kept->received_bytes;
  Losses().unparsed_bytes[static_cast<std::size_t>(Unparsed::kUpgraded)] -= kept->sent_bytes + kept->received_bytes;
  return std::move(kept->upgrade);
}

void HttpConnection::OnClose(const probe::CloseRecord& record, Sink& sink) {
  Half received(*this, Direction::kReceived, sink);
  received_.GiveUpHoles(received);
  Expire(record.time_ns, sink);
  const bool reset = record.reset_sent || record.reset_received;
  const bool in_head = request_open_ && decoder(RequestDirection()).in_head();
  Half sent(*this, Direction::kSent, sink);
  if (!reset) {
    Half& answers = AnswerDirection() == Direction::kSent ? sent : received;
    decoder(AnswerDirection()).EndLostMessage(answers);
    if (decoder(AnswerDirection()).in_body_until_close()) decoder(AnswerDirection()).OnClose(answers);
  }
  for (; !outstanding_.empty(); outstanding_.PopFront(), answering_ = false) {
    const Entry& entry = outstanding_.front();
    const bool cut_off = in_head && outstanding_.size() == 1;
    if (entry.expired) continue;
    if (cut_off || (answers_lost_ && !answering_)) {
      ++Losses().unpaired_requests;
    } else {
      Tell(entry, reset ? NoAnswer::kReset : NoAnswer::kConnectionClosed, record.time_ns, sink);
    }
  }
  request_open_ = false;
  received_decoder_.OnClose(received);
  sent_decoder_.OnClose(sent);
  if (upgrade_ && !upgrade_->upgrade->request.method.empty()) sink.OnRequest(upgrade_->upgrade->request);
  upgrade_.reset();
}

HttpRequest HttpConnection::RequestOf(const Entry& entry, NoAnswer no_answer, std::uint64_t end_ns) const {
  // A reset or a close can cut off an answer that has begun: then its status is known.
  const bool cut_off = answering_ && &entry == &outstanding_.front();
  const bool answer_seen = no_answer == NoAnswer::kNone || cut_off;
  HttpRequest request;
  request.connection = id_;
  request.role = role_;
  request.method = decode::http1::MethodName(entry.method);
  request.path = entry.path();
  request.path_cut = entry.path_cut;
  request.status = answer_seen ? status_ : std::uint16_t{0};
  request.minor_version = answer_seen ? minor_version_ : entry.minor_version;
  request.no_answer = no_answer;
  request.trace = entry.trace();
  request.start_ns = entry.start_ns;
  request.end_ns = std::max(end_ns, entry.start_ns);
  return request;
}

void HttpConnection::Tell(const Entry& entry, NoAnswer no_answer, std::uint64_t end_ns, Sink& sink) {
  sink.OnRequest(RequestOf(entry, no_answer, end_ns));
}

ConnectionCounts& HttpConnection::Losses() {
  if (!losses_) losses_ = std::make_unique<ConnectionCounts>();
  return *losses_;
}

ConnectionCounts HttpConnection::TakeCounts() {
  ConnectionCounts counts;
  if (losses_) counts = *losses_;
  losses_.reset();
  counts.parsed_bytes = received_decoder_.TakeParsedBytes() + sent_decoder_.TakeParsedBytes();
  return counts;
}

std::uint64_t HttpConnection::pending_bytes() const {
  return received_decoder_.pending_bytes() + sent_decoder_.pending_bytes();
}

}  // namespace wiregauge::match
