#include "exporter/expose/escape.h"

#include <cstddef>
#include <cstdint>

namespace wiregauge::expose {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// How many bytes of `text` (not empty, its first byte not ASCII) are one well-formed character: 2 to 4, or 0; then
// `broken` says how many to replace.
std::size_t CharacterSize(std::string_view text, std::size_t& broken) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  broken = 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const std::size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xbf;
  if (lead == 0xe0) low = 0xa0;   // overlong
  if (lead == 0xed) high = 0x9f;  // surrogates
  if (lead == 0xf0) low = 0x90;   // overlong
  if (lead == 0xf4) high = 0x8f;  // above U+10FFFF
  for (std::size_t i = 1; i < size; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) {
      broken = i;
      return 0;
    }
    low = 0x80;
    high = 0xbf;
  }
  return size;
}

enum class Escape { kNothing, kNewlines, kNewlinesAndQuotes };

bool IsPlain(char c, Escape escape) {
  if (static_cast<signed char>(c) < 0) return false;
  if (escape == Escape::kNothing) return true;
  return c != '\\' && c != '\n' && !(escape == Escape::kNewlinesAndQuotes && c == '"');
}

void Append(std::string_view text, Escape escape, std::string& out) {
  std::size_t plain = 0;  // begin of the run that is copied as it is
  for (std::size_t i = 0; i < text.size();) {
    if (IsPlain(text[i], escape)) {
      ++i;
      continue;
    }
    std::size_t broken = 0;
    const bool ascii = static_cast<signed char>(text[i]) >= 0;
    if (const std::size_t size = ascii ? 0 : CharacterSize(text.substr(i), broken); size > 0) {
      i += size;
      continue;
    }
    out.append(text.substr(plain, i - plain));
    if (ascii) {
      out += '\\';
      out += text[i] == '\n' ? 'n' : text[i];
    } else {
      out += kReplacement;
    }
    i += ascii ? 1 : broken;
    plain = i;
  }
  out.append(text.substr(plain));
}

}  // namespace

void AppendUtf8(std::string_view text, std::string& out) { Append(text, Escape::kNothing, out); }

void AppendEscaped(std::string_view text, bool escape_quotes, std::string& out) {
  Append(text, escape_quotes ? Escape::kNewlinesAndQuotes : Escape::kNewlines, out);
}

}  // namespace wiregauge::expose
