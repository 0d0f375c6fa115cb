// The protocols that can be decoded, in the order in which they are asked: a row each, and nothing else knows them all.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "exporter/decode/likeness.h"
#include "exporter/match/conversation.h"

namespace wiregauge::match {

struct Protocol {
  std::string_view name;        // in the configuration and in wiregauge_decoded_connections{protocol}
  decode::LikenessOf requests;  // asked about the client's first bytes
  decode::LikenessOf answers;   // about the server's
  std::unique_ptr<Conversation> (*make)(const probe::OpenRecord& open, const Options& options,
                                        decode::MemoryBudget& budget);
};

// Specific ones first: of those that may fit, and none surely does, the first is tried. Valid for the whole run.
std::span<const Protocol> Protocols();

// The conversation of a connection that goes on as HTTP/2: `open` begins there. `upgraded` is used during the call.
std::unique_ptr<Conversation> MakeUpgraded(const probe::OpenRecord& open, const Options& options,
                                           decode::MemoryBudget& budget, const HttpRequest& upgraded);

// The index in Protocols() of that name.
std::optional<std::size_t> FindProtocol(std::string_view name);

}  // namespace wiregauge::match
