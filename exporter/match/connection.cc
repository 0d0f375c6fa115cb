#include "exporter/match/connection.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace wiregauge::match {

using decode::Likeness;
using decode::Unparsed;
using probe::Direction;
using probe::Role;

namespace {

// Of each direction's beginning so much is looked at.
constexpr std::size_t kFirstBytesMax = 256;

Bytes First(Bytes bytes) { return bytes.first(std::min(bytes.size(), kFirstBytesMax)); }

}  // namespace

// What is kept while the protocol is not certain.
struct Connection::Opening {
  struct Kept {
    probe::DataRecord record;  // its views are not valid
    std::vector<std::uint8_t> captured;
    std::array<std::uint8_t, 8> tail{};
    std::uint8_t tail_size = 0;
  };
  // The beginning of a direction, as far as it is at hand without a hole.
  struct Beginning {
    std::vector<std::uint8_t> bytes;
    std::uint32_t next_seq = 0;
    bool started = false;
  };

  explicit Opening(const probe::OpenRecord& opened) : open(opened) {
    at(Direction::kSent).next_seq = open.sent_seq;
    at(Direction::kReceived).next_seq = open.received_seq;
  }

  Beginning& at(Direction direction) { return beginnings[direction == Direction::kSent ? 1 : 0]; }

  void Extend(const probe::DataRecord& record) {
    Beginning& beginning = at(record.direction);
    if (open.mid_stream) {
      beginning.bytes.assign(First(record.captured).begin(), First(record.captured).end());
      return;
    }
    if (record.seq != beginning.next_seq || beginning.bytes.size() >= kFirstBytesMax) return;
    const std::size_t room = kFirstBytesMax - beginning.bytes.size();
    const Bytes more = record.captured.first(std::min(record.captured.size(), room));
    beginning.bytes.insert(beginning.bytes.end(), more.begin(), more.end());
    beginning.next_seq += record.length;
    if (record.captured.size() < record.length) beginning.next_seq = record.seq - 1;  // a hole: nothing extends it
  }

  // The record with its bytes.
  static probe::DataRecord View(const Kept& kept) {
    probe::DataRecord record = kept.record;
    record.captured = kept.captured;
    record.tail = Bytes(kept.tail).first(kept.tail_size);
    return record;
  }

  probe::OpenRecord open;
  std::vector<Kept> kept;
  std::size_t kept_bytes = 0;    // charged to the budget
  std::uint64_t told_bytes = 0;  // payload that is not counted yet
  std::array<Beginning, 2> beginnings;
  std::uint32_t tried = 0;  // bit by index in Protocols(): refuted by what is kept
  unsigned tries = 0;       // segments in the middle, or records that proved nothing
  bool complete = true;     // every record since the beginning is kept
};

Connection::Connection(const probe::OpenRecord& open, const ProtocolOptions& options, decode::MemoryBudget& budget)
    : options_(options),
      budget_(budget),
      opening_(std::make_unique<Opening>(open)),
      id_(open.connection),
      refuted_(options.common().protocols_off),
      role_(open.role) {}

Connection::~Connection() {
  if (opening_) budget_.Give(opening_->kept_bytes);
}

std::string_view Connection::protocol() const {
  return protocol_ == kNoProtocol || !conversation_ || conversation_->state() == Conversation::State::kUndecided
             ? std::string_view()
             : Protocols()[protocol_].name;
}

Connection::Capture Connection::capture() const {
  const bool whole = capture_ == Capture::kWanted && conversation_ && conversation_->wants_every_byte();
  return whole ? Capture::kWhole : capture_;
}

Unparsed Connection::useless_for() const {
  return conversation_ ? conversation_->left_for() : Unparsed::kUnknownProtocol;
}

void Connection::OnData(const probe::DataRecord& record, Sink& sink) {
  if (!opening_) {
    if (!conversation_) {
      CountUnparsed(Unparsed::kUnknownProtocol, record.length);
      return;
    }
    conversation_->OnData(record, sink);
    if (conversation_->state() != Conversation::State::kConfirmed) AfterConversation(&record, sink);
    return;
  }
  OnOpeningData(record, sink);
}

// Keeps the record for another try. False when the room is used up.
bool Connection::Keep(const probe::DataRecord& record) {
  Opening& opening = *opening_;
  opening.told_bytes += record.length;
  const std::size_t bytes = record.captured.size() + sizeof(Opening::Kept);
  if (!opening.complete || opening.kept.size() >= kKeptRecordsMax || opening.kept_bytes + bytes > kKeptBytesMax ||
      !budget_.Take(bytes)) {
    opening.complete = false;
    return false;
  }
  opening.kept_bytes += bytes;
  Opening::Kept& kept = opening.kept.emplace_back();
  kept.record = record;
  kept.record.captured = {};
  kept.record.tail = {};
  kept.captured.assign(record.captured.begin(), record.captured.end());
  kept.tail_size = static_cast<std::uint8_t>(std::min(record.tail.size(), kept.tail.size()));
  std::copy_n(record.tail.begin(), kept.tail_size, kept.tail.begin());
  return true;
}

void Connection::OnOpeningData(const probe::DataRecord& record, Sink& sink) {
  Opening& opening = *opening_;
  if (conversation_) {  // chosen, and not proven yet
    const bool kept = Keep(record);
    opening.Extend(record);
    conversation_->OnData(record, sink);
    AfterConversation(&record, sink);
    if (kept || !opening_ || !conversation_ || ++opening_->tries < kUnprovenMax) return;
    conversation_.reset();
    protocol_ = kNoProtocol;
    GiveUp(Unparsed::kUnknownProtocol);
    return;
  }
  opening.Extend(record);
  if (Choose(&record, sink)) return;
  if (!opening_) return;  // given up on the way
  if (opening.open.mid_stream) {
    // Something's middle: the next segment may be a beginning.
    opening.tried = 0;
    CountUnparsed(Unparsed::kMidStream, record.length);
    if (++opening.tries >= kMidStreamTriesMax) GiveUp(Unparsed::kMidStream);
    return;
  }
  if (!Keep(record)) GiveUp(Unparsed::kUnknownProtocol);
}

bool Connection::Choose(const probe::DataRecord* latest, Sink& sink) {
  const auto protocols = Protocols();
  const bool mid_stream = opening_->open.mid_stream;
  static constexpr Role kRoles[] = {Role::kServer, Role::kClient};
  for (const bool sure : {true, false}) {
    bool possible = false;
    for (std::size_t i = 0; i < protocols.size(); ++i) {
      for (const Role role : kRoles) {
        if (((refuted_ | opening_->tried) >> i & 1) != 0 || (role_ != Role::kUnknown && role_ != role)) continue;
        const Direction asking = role == Role::kClient ? Direction::kSent : Direction::kReceived;
        const Direction answering = role == Role::kClient ? Direction::kReceived : Direction::kSent;
        const Bytes requests = opening_->at(asking).bytes;
        const Bytes answers = opening_->at(answering).bytes;
        const bool look_at_requests = !requests.empty() && (!mid_stream || !latest || latest->direction == asking);
        const bool look_at_answers = !answers.empty() && (!mid_stream || !latest || latest->direction == answering);
        const Likeness request = look_at_requests ? protocols[i].requests(requests, mid_stream) : Likeness::kMaybe;
        const Likeness answer = look_at_answers ? protocols[i].answers(answers, mid_stream) : Likeness::kMaybe;
        if (request == Likeness::kNo || answer == Likeness::kNo || (!look_at_requests && !look_at_answers)) continue;
        possible = true;
        const bool yes = request == Likeness::kYes || answer == Likeness::kYes;
        // Without a sure sign both sides must have spoken, and fit.
        const bool both = !requests.empty() && !answers.empty();
        if (sure ? !yes : !(both || mid_stream)) continue;
        if (Try(i, role, latest, sink)) return true;
        if (!opening_) return false;
      }
    }
    if (!possible && !mid_stream) {
      if (latest != nullptr) CountUnparsed(Unparsed::kUnknownProtocol, latest->length);
      GiveUp(Unparsed::kUnknownProtocol);
      return false;
    }
  }
  return false;
}

// Plays what is kept, then `latest` (null: it is among what is kept). False when the protocol refutes itself.
bool Connection::Try(std::size_t protocol, Role role, const probe::DataRecord* latest, Sink& sink) {
  using State = Conversation::State;
  probe::OpenRecord open = opening_->open;
  open.role = role;
  conversation_ = Protocols()[protocol].make(open, options_.Of(protocol), budget_);
  protocol_ = static_cast<std::uint8_t>(protocol);
  for (const Opening::Kept& kept : opening_->kept) {
    if (conversation_->state() == State::kRefuted) break;
    conversation_->OnData(Opening::View(kept), sink);
  }
  if (latest != nullptr && conversation_->state() != State::kRefuted) conversation_->OnData(*latest, sink);
  if (conversation_->state() == State::kRefuted) {
    opening_->tried |= 1u << protocol;
    conversation_.reset();
    protocol_ = kNoProtocol;
    return false;
  }
  capture_ = Capture::kWanted;
  if (conversation_->state() == State::kUndecided) {
    if (latest != nullptr) Keep(*latest);
    return true;
  }
  AfterConversation(latest, sink);
  return true;
}

// Acts on what the conversation has found out from the records up to `latest`.
void Connection::AfterConversation(const probe::DataRecord* latest, Sink& sink) {
  using State = Conversation::State;
  switch (conversation_->state()) {
    case State::kUndecided: return;
    case State::kConfirmed:
    case State::kFinished:
      if (conversation_->state() == State::kFinished) TakeOver(latest, sink);
      if (opening_) budget_.Give(opening_->kept_bytes);
      opening_.reset();
      capture_ = conversation_->state() == State::kFinished ? Capture::kUseless : Capture::kWanted;
      return;
    case State::kRefuted: break;
  }
  const std::uint32_t refuted = 1u << protocol_;
  protocol_ = kNoProtocol;
  if (opening_ && opening_->complete) {
    conversation_.reset();  // what it counted is counted again by the next
    opening_->tried |= refuted;
    capture_ = Capture::kUndecided;
    Choose(nullptr, sink);
    return;
  }
  // Its beginning is gone: what it counted stands, and the next protocol is looked for in the middle.
  refuted_ |= refuted;
  TakeFromConversation();
  conversation_.reset();
  probe::OpenRecord open;
  open.connection = id_;
  open.role = role_;
  open.mid_stream = true;
  if (opening_) {
    budget_.Give(opening_->kept_bytes);
    open = opening_->open;
    open.mid_stream = true;
  }
  opening_ = std::make_unique<Opening>(open);
  capture_ = Capture::kUndecided;
  if (++refutations_ >= kRefutedMax) GiveUp(Unparsed::kUnknownProtocol);
}

// Hands the connection over if that is what finished the conversation. Records that hold both are played again: the
// next one begins at a sequence number, and what is before it is old to it.
void Connection::TakeOver(const probe::DataRecord* latest, Sink& sink) {
  const auto http2 = FindProtocol("http2");
  if (!http2 || (options_.common().protocols_off >> *http2 & 1) != 0) return;
  const std::unique_ptr<match::UpgradeToHttp2> upgrade = conversation_->TakeUpgrade();
  if (!upgrade) return;
  TakeFromConversation();
  probe::OpenRecord open;
  open.connection = id_;
  open.role = upgrade->request.role;
  open.sent_seq = upgrade->sent_seq;
  open.received_seq = upgrade->received_seq;
  conversation_ = MakeUpgraded(open, options_.Of(*http2), budget_, upgrade->request);
  protocol_ = static_cast<std::uint8_t>(*http2);
  if (opening_) {
    for (const Opening::Kept& kept : opening_->kept) conversation_->OnData(Opening::View(kept), sink);
  }
  if (latest != nullptr) conversation_->OnData(*latest, sink);
}

void Connection::GiveUp(Unparsed reason) {
  CountUnparsed(reason, opening_->told_bytes);
  budget_.Give(opening_->kept_bytes);
  opening_.reset();
  capture_ = Capture::kUseless;
}

void Connection::CountUnparsed(Unparsed reason, std::uint64_t bytes) {
  if (bytes == 0) return;
  if (!counts_) counts_ = std::make_unique<ConnectionCounts>();
  counts_->unparsed_bytes[static_cast<std::size_t>(reason)] += bytes;
}

void Connection::TakeFromConversation() {
  ConnectionCounts taken = conversation_->TakeCounts();
  taken.unparsed_bytes[static_cast<std::size_t>(Unparsed::kUnknownProtocol)] += conversation_->pending_bytes();
  if (!counts_) counts_ = std::make_unique<ConnectionCounts>();
  counts_->Add(taken);
}

void Connection::OnClose(const probe::CloseRecord& record, Sink& sink) {
  if (conversation_) conversation_->OnClose(record, sink);
  if (!opening_) return;
  // It ended before anything was certain: what a conversation tells of it stands, else nobody knows it.
  if (!conversation_) CountUnparsed(Unparsed::kUnknownProtocol, opening_->told_bytes);
  budget_.Give(opening_->kept_bytes);
  opening_.reset();
}

void Connection::OnTick(std::uint64_t now_ns, Sink& sink) {
  if (!conversation_) return;
  conversation_->OnTick(now_ns, sink);
  if (conversation_->state() != Conversation::State::kConfirmed) AfterConversation(nullptr, sink);
}

std::optional<std::uint64_t> Connection::NextDeadline() const {
  return conversation_ ? conversation_->NextDeadline() : std::nullopt;
}

ConnectionCounts Connection::TakeCounts() {
  ConnectionCounts counts;
  if (counts_) counts = *counts_;
  counts_.reset();
  // An unproven guess may be taken back, with what it counted.
  if (conversation_ && !opening_) counts.Add(conversation_->TakeCounts());
  return counts;
}

std::uint64_t Connection::pending_bytes() const {
  if (conversation_ && !opening_) return conversation_->pending_bytes();
  return opening_ ? opening_->told_bytes : 0;
}

}  // namespace wiregauge::match
