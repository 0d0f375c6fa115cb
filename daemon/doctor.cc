#include "daemon/doctor.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "daemon/http/listener.h"
#include "daemon/planes.h"
#include "daemon/security/web_config.h"

namespace wiregauge::daemon {
namespace {

int ExporterOff() {
  std::fputs("wiregauge: the exporter is switched off\n", stderr);
  return EXIT_FAILURE;
}

std::string_view StateOf(const ReportRow& row) {
  if (row.ok) return "ok";
  return row.wanted ? "MISSING" : "off";
}

}  // namespace

Status Validate(const config::Settings& settings) {
  for (const std::string& text : settings.listen_addresses) {
    if (const auto address = http::ParseListenAddress(text); !address) return address.error();
  }
  if (settings.web_config_file.empty()) return {};
  const auto state = security::LoadWebState(settings.web_config_file);
  return state ? Status() : Status(state.error().Within("--web.config.file"));
}

std::string RenderReport(const Report& report) {
  std::size_t width = 0;
  for (const ReportRow& row : report) width = std::max(width, row.name.size());
  std::string out;
  for (const ReportRow& row : report) {
    std::string line = fmt::format("{:<8} {:<{}}  {}", StateOf(row), row.name, width, row.detail);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

int Doctor(const config::Settings& settings) {
  const Planes planes = MakePlanes(settings);
  if (planes.exporter == nullptr) return ExporterOff();
  const Report report = planes.exporter->Doctor();
  std::fputs(RenderReport(report).c_str(), stdout);
  const bool missing = std::any_of(report.begin(), report.end(), [](const auto& row) { return row.wanted && !row.ok; });
  return missing ? EXIT_FAILURE : EXIT_SUCCESS;
}

int Explain(const config::Settings& settings, int pid) {
  const Planes planes = MakePlanes(settings);
  if (planes.exporter == nullptr) return ExporterOff();
  const Result<std::string> text = planes.exporter->Explain(pid);
  if (!text) {
    std::fprintf(stderr, "wiregauge: %s\n", text.error().message.c_str());
    return EXIT_FAILURE;
  }
  std::fputs(text->c_str(), stdout);
  return EXIT_SUCCESS;
}

}  // namespace wiregauge::daemon
