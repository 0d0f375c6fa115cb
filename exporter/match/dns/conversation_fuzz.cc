// Fuzz target: records of one connection of DNS over TCP. What is checked: conversation_fuzz.h.
#include "exporter/match/dns/conversation.h"

#include "exporter/match/conversation_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return wiregauge::match::FuzzConversation<wiregauge::match::dns::Conversation>(wiregauge::Bytes(data, size),
                                                                                 wiregauge::match::System::kDns);
}
