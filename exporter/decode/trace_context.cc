#include "exporter/decode/trace_context.h"

#include <cstddef>
#include <span>

namespace wiregauge::decode {
namespace {

// version "-" trace-id "-" parent-id "-" trace-flags
constexpr std::size_t kTraceIdAt = 3;
constexpr std::size_t kSpanIdAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::size_t kVersion00Bytes = 55;
constexpr int kSampledFlag = 1;

constexpr int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The byte that two lower-case digits name, or -1.
constexpr int HexByte(std::string_view digits) {
  const int high = HexValue(digits[0]);
  const int low = HexValue(digits[1]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

// False when a digit is none or all are zero.
bool ReadId(std::string_view digits, std::span<std::uint8_t> id) {
  int any = 0;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const int byte = HexByte(digits.substr(2 * i, 2));
    if (byte < 0) return false;
    any |= byte;
    id[i] = static_cast<std::uint8_t>(byte);
  }
  return any != 0;
}

}  // namespace

std::optional<Trace> ParseTraceparent(std::string_view value) {
  if (value.size() < kVersion00Bytes) return {};
  const int version = HexByte(value.substr(0, 2));
  if (version < 0 || version == 0xff) return {};
  if (value.size() > kVersion00Bytes && (version == 0 || value[kVersion00Bytes] != '-')) return {};
  if (value[kTraceIdAt - 1] != '-' || value[kSpanIdAt - 1] != '-' || value[kFlagsAt - 1] != '-') return {};
  Trace trace;
  if (!ReadId(value.substr(kTraceIdAt), trace.trace_id) || !ReadId(value.substr(kSpanIdAt), trace.span_id)) return {};
  const int flags = HexByte(value.substr(kFlagsAt, 2));
  if (flags < 0 || (flags & kSampledFlag) == 0) return {};
  return trace;
}

}  // namespace wiregauge::decode
