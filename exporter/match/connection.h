// One TCP connection, whatever it speaks: finds out the protocol from the first bytes of both directions, hands the
// records to that protocol's conversation, and takes a wrong guess back. Ports are not looked at. Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "exporter/match/conversation.h"
#include "exporter/match/protocol_options.h"
#include "exporter/match/protocols.h"

namespace wiregauge::match {

class Connection {
 public:
  // While no protocol is certain, records are kept so that another can be tried: so much of a connection. Every
  // protocol shows itself in less; what a handshake may send before (a certificate, a long start-up message) fits.
  static constexpr std::size_t kKeptRecordsMax = 32;
  static constexpr std::size_t kKeptBytesMax = 16u << 10;
  // A connection older than the tap is in the middle of something: so many segments are tried as a beginning.
  static constexpr unsigned kMidStreamTriesMax = 64;
  // A protocol that fits and is proven by none of so many records after those is not it.
  static constexpr unsigned kUnprovenMax = 256;
  // Protocols that were certain and then were not, before the connection is given up.
  static constexpr unsigned kRefutedMax = 4;

  enum class Capture : std::uint8_t {
    kUndecided,  // everything is needed
    kWanted,     // its protocol is known, or nearly
    kWhole,      // as kWanted, and without a limit on bursts
    kUseless,    // nothing of it is decoded: the kernel need not copy
  };

  // `options` and `budget` are shared by all connections of a thread and must outlive them.
  Connection(const probe::OpenRecord& open, const ProtocolOptions& options, decode::MemoryBudget& budget);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // As Conversation's.
  void OnData(const probe::DataRecord& record, Sink& sink);
  void OnClose(const probe::CloseRecord& record, Sink& sink);
  void OnTick(std::uint64_t now_ns, Sink& sink);
  [[nodiscard]] std::optional<std::uint64_t> NextDeadline() const;
  ConnectionCounts TakeCounts();
  [[nodiscard]] std::uint64_t pending_bytes() const;

  [[nodiscard]] Capture capture() const;
  // Of kUseless: under which reason what follows counts.
  [[nodiscard]] decode::Unparsed useless_for() const;
  // Of the protocol that is spoken; empty while it is not known.
  [[nodiscard]] std::string_view protocol() const;
  [[nodiscard]] probe::ConnectionId id() const { return id_; }

 private:
  struct Opening;
  static constexpr std::uint8_t kNoProtocol = 0xff;

  void OnOpeningData(const probe::DataRecord& record, Sink& sink);
  bool Keep(const probe::DataRecord& record);
  // Tries the protocols that fit until one does not refute itself. False when none fits.
  bool Choose(const probe::DataRecord* latest, Sink& sink);
  bool Try(std::size_t protocol, probe::Role role, const probe::DataRecord* latest, Sink& sink);
  void AfterConversation(const probe::DataRecord* latest, Sink& sink);
  void TakeOver(const probe::DataRecord* latest, Sink& sink);
  void GiveUp(decode::Unparsed reason);
  void CountUnparsed(decode::Unparsed reason, std::uint64_t bytes);
  void TakeFromConversation();

  const ProtocolOptions& options_;
  decode::MemoryBudget& budget_;
  std::unique_ptr<Conversation> conversation_;  // null while nothing is chosen, and after giving up
  std::unique_ptr<Opening> opening_;            // null once the protocol is certain, and after giving up
  std::unique_ptr<ConnectionCounts> counts_;    // beside the conversation's; null while there are none
  probe::ConnectionId id_;
  std::uint32_t refuted_ = 0;  // bit by index in Protocols(): not asked, or it is not this one for sure
  probe::Role role_;
  std::uint8_t protocol_ = kNoProtocol;
  std::uint8_t refutations_ = 0;
  Capture capture_ = Capture::kUndecided;
};

}  // namespace wiregauge::match
