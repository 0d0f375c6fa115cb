#include "base/log.h"

#include <unistd.h>

#include <atomic>

#include "base/clock.h"

namespace wiregauge::log {
namespace {

std::atomic<Level> minimum_level{Level::kInfo};
std::atomic<Format> line_format{Format::kLogfmt};

std::string_view Name(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarn: return "warn";
    case Level::kError: return "error";
  }
  return "info";
}

// Escapes for JSON strings and for quoted logfmt values, which share their rules.
void AppendQuoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char raw : text) {
    const auto byte = static_cast<unsigned char>(raw);
    switch (raw) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (byte < 0x20 || byte == 0x7f) {
          out += fmt::format("\\u{:04x}", byte);
        } else {
          out.push_back(raw);
        }
    }
  }
  out.push_back('"');
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char raw : text) {
    const auto byte = static_cast<unsigned char>(raw);
    if (byte <= 0x20 || byte == 0x7f || raw == '"' || raw == '=' || raw == '\\') return true;
  }
  return false;
}

void AppendPair(std::string& out, Format format, std::string_view key, std::string_view value, bool always_quote) {
  if (format == Format::kJson) {
    out += out.size() == 1 ? "" : ",";
    AppendQuoted(out, key);
    out.push_back(':');
    AppendQuoted(out, value);
    return;
  }
  if (!out.empty()) out.push_back(' ');
  out += key;
  out.push_back('=');
  if (always_quote || NeedsQuotes(value)) {
    AppendQuoted(out, value);
  } else {
    out += value;
  }
}

}  // namespace

void Configure(Level minimum, Format format) {
  minimum_level = minimum;
  line_format = format;
}

bool Enabled(Level level) { return level >= minimum_level.load(std::memory_order_relaxed); }

std::string Render(Format format, std::string_view time, Level level, std::string_view source, std::string_view message,
                   std::initializer_list<Field> fields) {
  std::string line = format == Format::kJson ? "{" : "";
  AppendPair(line, format, "time", time, false);
  AppendPair(line, format, "level", Name(level), false);
  AppendPair(line, format, "source", source, false);
  AppendPair(line, format, "msg", message, true);
  for (const Field& field : fields) AppendPair(line, format, field.key, field.value, false);
  if (format == Format::kJson) line.push_back('}');
  return line;
}

void Write(Level level, std::string_view source, std::string_view message, std::initializer_list<Field> fields) {
  if (!Enabled(level)) return;
  std::string line = Render(line_format.load(std::memory_order_relaxed), FormatRfc3339(UnixMilliseconds()), level,
                            source, message, fields);
  line.push_back('\n');
  // A log line that stderr refuses has nowhere else to go.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace wiregauge::log
