// Events as lines on stderr: logfmt (`time=… level=info source=probe msg="…" key=value`) or one JSON object a line.
// The shape is that of Prometheus' own programs, so that the pipelines users have keep working. Thread-safe: a line
// is one write(2).
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace wiregauge::log {

enum class Level { kDebug, kInfo, kWarn, kError };
enum class Format { kLogfmt, kJson };

// One key and its value, formatted when the line is wanted. Keys are snake_case literals.
struct Field {
  std::string_view key;
  std::string value;

  template <typename T>
  Field(std::string_view k, const T& v) : key(k), value(fmt::format("{}", v)) {}
};

// Level below which Write does nothing, and the line's format. Call before threads start, or any time: atomic.
void Configure(Level minimum, Format format);
bool Enabled(Level level);

// The line without its newline; pure, for Write and for tests. `time` is RFC 3339.
std::string Render(Format format, std::string_view time, Level level, std::string_view source, std::string_view message,
                   std::initializer_list<Field> fields);

// debug: for developers. info: life-cycle events. warn: something is lost or off, the program goes on.
// error: a person should act. `source` is the room's name.
void Write(Level level, std::string_view source, std::string_view message, std::initializer_list<Field> fields = {});

inline void Debug(std::string_view source, std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kDebug, source, message, fields);
}
inline void Info(std::string_view source, std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kInfo, source, message, fields);
}
inline void Warn(std::string_view source, std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kWarn, source, message, fields);
}
inline void Error(std::string_view source, std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kError, source, message, fields);
}

}  // namespace wiregauge::log
