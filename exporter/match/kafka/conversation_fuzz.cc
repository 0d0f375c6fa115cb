// Fuzz target: records of one Kafka connection, in any order and with any sequence numbers. Checks that times are in
// order, that every byte of the streams is accounted for, and that the budget is given back.
#include "exporter/match/conversation_fuzz.h"

#include "exporter/match/kafka/conversation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return wiregauge::match::FuzzConversation<wiregauge::match::kafka::Conversation>(wiregauge::Bytes(data, size),
                                                                                   wiregauge::match::System::kKafka);
}
