// DNS messages (RFC 1035 section 4.1) as pure functions. Names are safe to decode whatever they say: pointers go only
// backwards and are counted.
#pragma once

#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "exporter/decode/dns/types.h"
#include "exporter/decode/likeness.h"

namespace wiregauge::decode::dns {

// Nothing when it is no standard query and no answer to one. The rest of a message that is cut off is taken as absent.
std::optional<Message> ParseMessage(Bytes bytes);

// "NOERROR", "NXDOMAIN", ... (IANA's registry); "_OTHER" for what has no name there.
std::string_view CodeName(std::uint16_t code);
// "A", "AAAA", ...; "_OTHER" for rare types.
std::string_view TypeName(std::uint16_t type);

// Whether `later` is what a resolver asks when `missed` did not exist and it goes through its search list, in either
// order: with the last labels of `missed` taken off, with labels added, or with fewer labels in the middle
// ("db.shop.svc.local" then "db.svc.local").
bool IsSearchStep(std::string_view missed, std::string_view later);

// Over TCP each message has its length in two bytes before it (RFC 1035 section 4.2.2).
Likeness LooksLikeRequests(Bytes first, bool mid_stream);
Likeness LooksLikeAnswers(Bytes first, bool mid_stream);

}  // namespace wiregauge::decode::dns
