// Fuzz target: records of one MQTT connection, in any order and with any sequence numbers. Checks that times are in
// order, that every byte of the streams is accounted for, and that the budget is given back.
#include "exporter/match/mqtt/conversation.h"

#include "exporter/match/conversation_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return wiregauge::match::FuzzConversation<wiregauge::match::mqtt::Conversation>(wiregauge::Bytes(data, size),
                                                                                  wiregauge::match::System::kMqtt);
}
