// A Kafka client that keeps an account of its own: librdkafka's interceptors tell it of every request that was sent and
// every answer that came. Does one thing, prints one line of JSON, and ends:
//   {"delivered": .., "failed": {"NAME": ..}, "consumed": .., "sent": {"API_KEY": ..}, "answered": {..}, "rtt_us":
//   {..}}
//
//   kafka_load SERVERS produce TOPIC MESSAGES [-X key=value]…   MESSAGES of 100 bytes; waits until each is delivered
//   kafka_load SERVERS consume TOPIC MESSAGES [-X key=value]…   in the group "load", from the beginning, commits
#include <pthread.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include <librdkafka/rdkafka.h>
#include <nlohmann/json.hpp>

namespace {

constexpr auto kDeadline = std::chrono::seconds(60);

struct Account {
  std::mutex mutex;  // interceptors run in librdkafka's threads
  std::uint64_t delivered = 0;
  std::uint64_t consumed = 0;
  std::map<std::string, std::uint64_t> failed;
  std::map<std::string, std::uint64_t> sent;
  std::map<std::string, std::uint64_t> answered;
  std::map<std::string, std::int64_t> rtt_us;
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "kafka_load: %s\n", what.c_str());
  std::exit(1);
}

rd_kafka_resp_err_t OnSent(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t key, std::int16_t, std::int32_t,
                           std::size_t, void* opaque) {
  Account& account = *static_cast<Account*>(opaque);
  const std::lock_guard lock(account.mutex);
  ++account.sent[std::to_string(key)];
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

// An answer that another thread waits for is told there once more: only the thread of its broker counts.
bool InBrokerThread() {
  char name[16];
  return pthread_getname_np(pthread_self(), name, sizeof name) == 0 && std::string_view(name).starts_with("rdk:broker");
}

rd_kafka_resp_err_t OnAnswered(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t key, std::int16_t,
                               std::int32_t, std::size_t, std::int64_t rtt_us, rd_kafka_resp_err_t error,
                               void* opaque) {
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR || rtt_us < 0 || !InBrokerThread())
    return RD_KAFKA_RESP_ERR_NO_ERROR;  // none came
  Account& account = *static_cast<Account*>(opaque);
  const std::lock_guard lock(account.mutex);
  ++account.answered[std::to_string(key)];
  account.rtt_us[std::to_string(key)] += rtt_us;
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t OnNew(rd_kafka_t* client, const rd_kafka_conf_t*, void* opaque, char*, std::size_t) {
  rd_kafka_interceptor_add_on_request_sent(client, "account", OnSent, opaque);
  return rd_kafka_interceptor_add_on_response_received(client, "account", OnAnswered, opaque);
}

void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  Account& account = *static_cast<Account*>(opaque);
  const std::lock_guard lock(account.mutex);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++account.delivered;
  } else {
    ++account.failed[rd_kafka_err2name(message->err)];
  }
}

rd_kafka_t* MakeClient(rd_kafka_type_t type, const std::map<std::string, std::string>& settings, Account& account) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char reason[512];
  for (const auto& [key, value] : settings) {
    if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), reason, sizeof reason) != RD_KAFKA_CONF_OK) Fail(reason);
  }
  rd_kafka_conf_set_opaque(conf, &account);
  if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_dr_msg_cb(conf, OnDelivery);
  rd_kafka_conf_interceptor_add_on_new(conf, "account", OnNew, &account);
  rd_kafka_t* client = rd_kafka_new(type, conf, reason, sizeof reason);
  if (client == nullptr) Fail(reason);
  return client;
}

void Produce(rd_kafka_t* client, const char* topic_name, std::uint64_t messages) {
  const std::string value(100, 'v');
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client, topic_name, nullptr);
  for (std::uint64_t i = 0; i < messages;) {
    const bool queued = rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                                         const_cast<char*>(value.data()), value.size(), nullptr, 0, nullptr) == 0;
    if (queued) {
      ++i;
    } else if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      Fail(rd_kafka_err2str(rd_kafka_last_error()));
    }
    rd_kafka_poll(client, queued ? 0 : 10);
  }
  if (rd_kafka_flush(client, 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR) Fail("messages are left undelivered");
  rd_kafka_topic_destroy(topic);
}

void Consume(rd_kafka_t* client, const char* topic, std::uint64_t messages, Account& account) {
  rd_kafka_poll_set_consumer(client);
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(client, topics);
  rd_kafka_topic_partition_list_destroy(topics);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) Fail(rd_kafka_err2str(error));
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (account.consumed < messages) {
    if (std::chrono::steady_clock::now() > deadline) Fail("messages are missing");
    rd_kafka_message_t* message = rd_kafka_consumer_poll(client, 100);
    if (message == nullptr) continue;
    account.consumed += message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0;
    rd_kafka_message_destroy(message);
  }
  rd_kafka_commit(client, nullptr, 0);
  rd_kafka_consumer_close(client);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) Fail("SERVERS produce|consume TOPIC MESSAGES [-X key=value]...");
  const bool produce = std::string(argv[2]) == "produce";
  std::map<std::string, std::string> settings = {{"bootstrap.servers", argv[1]}, {"client.id", "kafka_load"}};
  if (!produce) {
    settings.insert({{"group.id", "load"}, {"auto.offset.reset", "earliest"}, {"enable.auto.commit", "false"}});
  }
  for (int i = 5; i + 1 < argc; i += 2) {
    const std::string setting = argv[i + 1];
    settings[setting.substr(0, setting.find('='))] = setting.substr(setting.find('=') + 1);
  }
  Account account;
  rd_kafka_t* client = MakeClient(produce ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, settings, account);
  const auto messages = static_cast<std::uint64_t>(std::stoull(argv[4]));
  if (produce) {
    Produce(client, argv[3], messages);
  } else {
    Consume(client, argv[3], messages, account);
  }
  rd_kafka_destroy(client);
  const nlohmann::json done = {{"delivered", account.delivered}, {"failed", account.failed},
                               {"consumed", account.consumed},   {"sent", account.sent},
                               {"answered", account.answered},   {"rtt_us", account.rtt_us}};
  std::cout << done.dump() << std::endl;
  return 0;
}
