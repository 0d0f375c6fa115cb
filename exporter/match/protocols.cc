#include "exporter/match/protocols.h"

#include "exporter/decode/dns/parse.h"
#include "exporter/decode/http1/parse.h"
#include "exporter/decode/http2/parse.h"
#include "exporter/decode/kafka/parse.h"
#include "exporter/decode/memcached/parse.h"
#include "exporter/decode/mqtt/parse.h"
#include "exporter/decode/mysql/parse.h"
#include "exporter/decode/postgresql/parse.h"
#include "exporter/decode/redis/parse.h"
#include "exporter/match/dns/conversation.h"
#include "exporter/match/http2/conversation.h"
#include "exporter/match/http_connection.h"
#include "exporter/match/kafka/conversation.h"
#include "exporter/match/memcached/conversation.h"
#include "exporter/match/mqtt/conversation.h"
#include "exporter/match/mysql/conversation.h"
#include "exporter/match/postgresql/conversation.h"
#include "exporter/match/redis/conversation.h"

namespace wiregauge::match {
namespace {

template <typename Made>
std::unique_ptr<Conversation> Make(const probe::OpenRecord& open, const Options& options,
                                   decode::MemoryBudget& budget) {
  return std::make_unique<Made>(open, options, budget);
}

constexpr Protocol kProtocols[] = {
    {"http2", decode::http2::LooksLikeRequests, decode::http2::LooksLikeAnswers, Make<http2::Conversation>},
    {"http", decode::http1::LooksLikeRequests, decode::http1::LooksLikeAnswers, Make<HttpConnection>},
    {"kafka", decode::kafka::LooksLikeRequests, decode::kafka::LooksLikeAnswers, Make<kafka::Conversation>},
    {"mysql", decode::mysql::LooksLikeRequests, decode::mysql::LooksLikeAnswers, Make<mysql::Conversation>},
    {"postgresql", decode::postgresql::LooksLikeRequests, decode::postgresql::LooksLikeAnswers,
     Make<postgresql::Conversation>},
    {"memcached", decode::memcached::LooksLikeRequests, decode::memcached::LooksLikeAnswers,
     Make<memcached::Conversation>},
    {"mqtt", decode::mqtt::LooksLikeRequests, decode::mqtt::LooksLikeAnswers, Make<mqtt::Conversation>},
    {"redis", decode::redis::LooksLikeRequests, decode::redis::LooksLikeAnswers, Make<redis::Conversation>},
    {"dns", decode::dns::LooksLikeRequests, decode::dns::LooksLikeAnswers, Make<dns::Conversation>},
};
static_assert(std::size(kProtocols) <= 32, "Options::protocols_off has a bit for each");

}  // namespace

std::span<const Protocol> Protocols() { return kProtocols; }

std::unique_ptr<Conversation> MakeUpgraded(const probe::OpenRecord& open, const Options& options,
                                           decode::MemoryBudget& budget, const HttpRequest& upgraded) {
  return std::make_unique<http2::Conversation>(open, options, budget, upgraded);
}

std::optional<std::size_t> FindProtocol(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kProtocols); ++i) {
    if (kProtocols[i].name == name) return i;
  }
  return std::nullopt;
}

}  // namespace wiregauge::match
