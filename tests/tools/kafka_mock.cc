// librdkafka's mock cluster as a server that stays up. Prints its bootstrap servers as the first line, then obeys lines
// on its standard input until it is closed:
//   topic NAME PARTITIONS          makes a topic
//   errors API_KEY CODE...         the next answers to that API carry these error codes, one each
//   rtt BROKER MILLISECONDS        each answer of that broker comes so much later
//   down BROKER | up BROKER
// and answers each with "done", or "failed" and a reason.
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

namespace {

rd_kafka_resp_err_t Obey(rd_kafka_mock_cluster_t* cluster, const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  words >> verb;
  if (verb == "topic") {
    std::string name;
    int partitions = 0;
    words >> name >> partitions;
    return rd_kafka_mock_topic_create(cluster, name.c_str(), partitions, 1);
  }
  if (verb == "errors") {
    std::int16_t key = 0;
    words >> key;
    std::vector<rd_kafka_resp_err_t> codes;
    for (int code = 0; words >> code;) codes.push_back(static_cast<rd_kafka_resp_err_t>(code));
    rd_kafka_mock_push_request_errors_array(cluster, key, codes.size(), codes.data());
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  std::int32_t broker = 0;
  words >> broker;
  if (verb == "rtt") {
    int rtt_ms = 0;
    words >> rtt_ms;
    return rd_kafka_mock_broker_set_rtt(cluster, broker, rtt_ms);
  }
  if (verb == "down") return rd_kafka_mock_broker_set_down(cluster, broker);
  if (verb == "up") return rd_kafka_mock_broker_set_up(cluster, broker);
  return RD_KAFKA_RESP_ERR__INVALID_ARG;
}

}  // namespace

// kafka_mock BROKERS
int main(int argc, char** argv) {
  const int brokers = argc > 1 ? std::stoi(argv[1]) : 1;
  char reason[512];
  rd_kafka_t* handle = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), reason, sizeof reason);
  rd_kafka_mock_cluster_t* cluster = handle != nullptr ? rd_kafka_mock_cluster_new(handle, brokers) : nullptr;
  if (cluster == nullptr) {
    std::fprintf(stderr, "kafka_mock: no cluster: %s\n", handle != nullptr ? "unknown" : reason);
    return 1;
  }
  std::cout << rd_kafka_mock_cluster_bootstraps(cluster) << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const rd_kafka_resp_err_t error = Obey(cluster, line);
    std::cout << (error == RD_KAFKA_RESP_ERR_NO_ERROR ? "done" : std::string("failed ") + rd_kafka_err2str(error))
              << std::endl;
  }
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(handle);
  return 0;
}
