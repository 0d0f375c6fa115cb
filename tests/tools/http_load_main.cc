// http_load: see --help. Prints one JSON object a stage on stdout; exit 0 when every request had the answer expected,
// 1 otherwise, with one line on stderr that says why.
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "tests/tools/http_load.h"

namespace {

using wiregauge::Code;
using wiregauge::Error;
using wiregauge::Result;
using wiregauge::Status;
using wiregauge::tools::Load;
using wiregauge::tools::LoadOptions;
using wiregauge::tools::LoadRequest;
using wiregauge::tools::TcpTotals;

struct Settings {
  LoadOptions load;
  std::vector<std::string> mix;
  bool pause = false;
  bool hold = false;
};

// "METHOD PATH [STATUS [BODY_BYTES]]"
LoadRequest ParseRequest(const std::string& text) {
  LoadRequest request;
  std::istringstream words(text);
  if (!(words >> request.method >> request.path)) throw CLI::ValidationError("--request", "want METHOD PATH: " + text);
  if (words >> request.status) words >> request.body_bytes;
  if (!words.eof()) throw CLI::ValidationError("--request", "want METHOD PATH [STATUS [BODY_BYTES]]: " + text);
  return request;
}

void Define(CLI::App& app, Settings& settings) {
  app.add_option("--host", settings.load.host, "numeric address")->capture_default_str();
  app.add_option("--port", settings.load.port)->required();
  app.add_option("-n,--requests", settings.load.requests)->capture_default_str();
  app.add_option("-c,--connections", settings.load.connections)->check(CLI::Range(1, 20'000))->capture_default_str();
  app.add_option("-p,--pipeline", settings.load.pipeline, "requests on their way on a connection")
      ->check(CLI::Range(1, 1'024))
      ->capture_default_str();
  app.add_option("-r,--request", settings.mix, "\"METHOD PATH [STATUS [BODY_BYTES]]\", repeatable: taken in turn");
  app.add_option("--send-bytes", settings.load.send_bytes, "body of each POST, PUT and PATCH");
  app.add_flag("--close", settings.load.close, "one request a connection");
  app.add_option("--timeout", settings.load.timeout_s, "seconds for the whole run")->capture_default_str();
  app.add_flag("--pause", settings.pause, "after connecting, print a line and wait for one on stdin");
  app.add_flag("--hold", settings.hold, "after the run, keep connections open until stdin ends, then print again");
}

void Print(const char* stage, const Load& load, const TcpTotals& totals) {
  nlohmann::json line = load.report();
  line["stage"] = stage;
  line["tcp_info"] = totals;
  std::cout << line.dump() << std::endl;
}

Status PrintWithTotals(const char* stage, const Load& load) {
  const Result<TcpTotals> totals = load.Totals();
  if (!totals) return totals.error();
  Print(stage, load, *totals);
  return {};
}

Status Execute(const Settings& settings) {
  Load load(settings.load);
  if (const Status connected = load.Connect(); !connected) return connected;
  std::string ignored;
  if (settings.pause) {
    if (const Status printed = PrintWithTotals("connected", load); !printed) return printed;
    std::getline(std::cin, ignored);
  }
  const Status ran = load.Run();
  if (const Status printed = PrintWithTotals("done", load); !printed) return printed;
  if (!ran) return ran;
  if (settings.hold) {
    while (std::getline(std::cin, ignored)) continue;
    if (const Status printed = PrintWithTotals("closing", load); !printed) return printed;
  }
  if (load.report().mismatched == 0) return {};
  return Error{Code::kCorrupt, std::to_string(load.report().mismatched) + " answers were not as expected"};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Sends a known number of HTTP/1.1 requests and accounts for each answer.", "http_load");
  Settings settings;
  Define(app, settings);
  try {
    app.parse(argc, argv);
    for (const std::string& text : settings.mix) settings.load.mix.push_back(ParseRequest(text));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  if (const Status done = Execute(settings); !done) {
    std::fprintf(stderr, "http_load: %s\n", done.error().message.c_str());
    return 1;
  }
  return 0;
}
