// A gRPC server and a client that counts what it got, in one program, so that libgrpc is compiled once.
//   grpc_echo serve ADDRESS:PORT        prints "listening"; ends at the end of its input
//   grpc_echo call ADDRESS:PORT PLAN... prints a JSON line when all is done, holds its connections until the end of its
//                                       input
// Both take --tls CERTIFICATE KEY before: the server has that certificate, of "localhost", and the client trusts it.
// A PLAN is METHOD:COUNT:CODE[:WHAT]: METHOD one of unary, client, server, chat, missing (which the server lacks); CODE
// the status that the server is to end with; WHAT is "deadline" (the call gives up after 50 ms; the server would take a
// minute), "cancel" (the client cancels) or "slow" (the server takes 30 ms). wait:0:0 says "waiting" and waits for a
// line of input. The JSON has, by method and the code that
// the client saw, the number of calls and the sum of their durations by its own clock.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "echo.grpc.pb.h"

namespace {

using wiregauge::test::Absent;
using wiregauge::test::Answer;
using wiregauge::test::Ask;
using wiregauge::test::Echo;

constexpr int kMessages = 5;  // of each streaming side
constexpr int kForever_ms = 60'000;

class Server final : public Echo::Service {
  static grpc::Status End(grpc::ServerContext& context, const Ask& ask) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(ask.sleep_ms());
    while (std::chrono::steady_clock::now() < until && !context.IsCancelled()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return {static_cast<grpc::StatusCode>(ask.code()), ask.code() == 0 ? "" : "as asked"};
  }

  grpc::Status Unary(grpc::ServerContext* context, const Ask* ask, Answer* answer) override {
    answer->set_body(ask->body());
    return End(*context, *ask);
  }
  grpc::Status ClientStream(grpc::ServerContext* context, grpc::ServerReader<Ask>* reader, Answer* answer) override {
    Ask ask;
    Ask last;
    while (reader->Read(&ask)) last = ask;
    answer->set_body(last.body());
    return End(*context, last);
  }
  grpc::Status ServerStream(grpc::ServerContext* context, const Ask* ask, grpc::ServerWriter<Answer>* writer) override {
    Answer answer;
    answer.set_body(ask->body());
    for (int i = 0; i < ask->answers(); ++i) writer->Write(answer);
    return End(*context, *ask);
  }
  grpc::Status Chat(grpc::ServerContext* context, grpc::ServerReaderWriter<Answer, Ask>* stream) override {
    Ask ask;
    Ask last;
    while (stream->Read(&ask)) {
      Answer answer;
      answer.set_body(ask.body());
      stream->Write(answer);
      last = ask;
    }
    return End(*context, last);
  }
};

struct Plan {
  std::string method;
  int count = 0;
  int code = 0;
  std::string what;
};

struct Outcome {
  int calls = 0;
  double seconds = 0;
};

Plan Parse(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ':') {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  Plan plan;
  plan.method = parts.at(0);
  plan.count = std::stoi(parts.at(1));
  plan.code = std::stoi(parts.at(2));
  if (parts.size() > 3) plan.what = parts[3];
  return plan;
}

std::string ContentsOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Files' contents; empty without TLS.
struct Tls {
  std::string certificate;
  std::string key;
};

std::shared_ptr<grpc::Channel> Connect(const std::string& target, const Tls& tls) {
  if (tls.certificate.empty()) return grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = tls.certificate;
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride("localhost");
  return grpc::CreateCustomChannel(target, grpc::SslCredentials(options), arguments);
}

std::shared_ptr<grpc::ServerCredentials> CredentialsOf(const Tls& tls) {
  if (tls.certificate.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({.private_key = tls.key, .cert_chain = tls.certificate});
  return grpc::SslServerCredentials(options);
}

class Client {
 public:
  Client(const std::string& target, const Tls& tls)
      : channel_(Connect(target, tls)), stub_(Echo::NewStub(channel_)), absent_(Absent::NewStub(channel_)) {}

  void Run(const Plan& plan) {
    if (plan.method == "wait") {
      std::cout << "waiting" << std::endl;
      std::string line;
      std::getline(std::cin, line);
      return;
    }
    for (int i = 0; i < plan.count; ++i) {
      const auto start = std::chrono::steady_clock::now();
      const grpc::Status status = Call(plan);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      Outcome& outcome = outcomes_[{plan.method, static_cast<int>(status.error_code())}];
      ++outcome.calls;
      outcome.seconds += took.count();
    }
  }

  void Print() const {
    std::string text;
    for (const auto& [key, outcome] : outcomes_) {
      char line[200];
      std::snprintf(line, sizeof(line), "%s{\"method\": \"%s\", \"code\": %d, \"calls\": %d, \"seconds\": %.9f}",
                    text.empty() ? "" : ", ", key.first.c_str(), key.second, outcome.calls, outcome.seconds);
      text += line;
    }
    std::cout << '[' << text << ']' << std::endl;
  }

 private:
  grpc::Status Call(const Plan& plan) {
    grpc::ClientContext context;
    Ask ask;
    ask.set_code(plan.code);
    ask.set_answers(kMessages);
    ask.set_body("hello");
    if (plan.what == "slow") ask.set_sleep_ms(30);
    if (plan.what == "deadline" || plan.what == "cancel") ask.set_sleep_ms(kForever_ms);
    if (plan.what == "deadline") {
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
    }
    Answer answer;
    if (plan.method == "unary") {
      if (plan.what != "cancel") return stub_->Unary(&context, ask, &answer);
      std::jthread cancel([&context] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        context.TryCancel();
      });
      return stub_->Unary(&context, ask, &answer);
    }
    if (plan.method == "client") {
      const auto writer = stub_->ClientStream(&context, &answer);
      for (int i = 0; i < kMessages; ++i) writer->Write(ask);
      writer->WritesDone();
      return writer->Finish();
    }
    if (plan.method == "server") {
      const auto reader = stub_->ServerStream(&context, ask);
      while (reader->Read(&answer)) {
        if (plan.what == "cancel") context.TryCancel();
      }
      return reader->Finish();
    }
    if (plan.method == "chat") {
      const auto stream = stub_->Chat(&context);
      for (int i = 0; i < kMessages; ++i) {
        stream->Write(ask);
        stream->Read(&answer);
      }
      if (plan.what == "cancel") {
        context.TryCancel();
      } else {
        stream->WritesDone();
      }
      return stream->Finish();
    }
    return absent_->Unary(&context, ask, &answer);
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Echo::Stub> stub_;
  std::unique_ptr<Absent::Stub> absent_;
  std::map<std::pair<std::string, int>, Outcome> outcomes_;
};

void WaitForTheEndOfInput() {
  while (std::cin.get() != std::char_traits<char>::eof()) continue;
}

int Serve(const std::string& address, const Tls& tls) {
  Server service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, CredentialsOf(tls));
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  std::cout << "listening" << std::endl;
  WaitForTheEndOfInput();
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  Tls tls;
  if (arguments.size() > 3 && arguments[0] == "--tls") {
    tls = {.certificate = ContentsOf(arguments[1]), .key = ContentsOf(arguments[2])};
    arguments.erase(arguments.begin(), arguments.begin() + 3);
  }
  if (arguments.size() == 2 && arguments[0] == "serve") return Serve(arguments[1], tls);
  if (arguments.size() < 3 || arguments[0] != "call") {
    std::cerr
        << "grpc_echo: [--tls CERTIFICATE KEY] serve ADDRESS:PORT, or call ADDRESS:PORT METHOD:COUNT:CODE[:WHAT]...\n";
    return 2;
  }
  Client client(arguments[1], tls);
  for (std::size_t i = 2; i < arguments.size(); ++i) client.Run(Parse(arguments[i]));
  client.Print();
  WaitForTheEndOfInput();
  return 0;
}
