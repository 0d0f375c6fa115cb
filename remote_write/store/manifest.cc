#include "remote_write/store/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "remote_write/store/checksum.h"

namespace wiregauge::store {
namespace {

constexpr std::string_view kFirstLine = "wiregauge-store 1\n";

// The space-separated words of one line.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}

  std::string_view Next() {
    const std::size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return word;
  }

  template <typename T>
  T Number() {
    T value{};
    const std::string_view word = Next();
    const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), value);
    ok_ = ok_ && failed == std::errc{} && end == word.data() + word.size();
    return value;
  }

  [[nodiscard]] bool AllRead() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

bool ParseLine(std::string_view line, Manifest& manifest) {
  Words words(line);
  const std::string_view kind = words.Next();
  if (kind == "next_part") {
    manifest.next_part = words.Number<std::uint64_t>();
  } else if (kind == "first_segment") {
    manifest.first_segment = words.Number<std::uint64_t>();
  } else if (kind == "catalogue") {
    manifest.catalogue_segment = words.Number<std::uint64_t>();
    manifest.catalogue_offset = words.Number<std::uint64_t>();
  } else if (kind == "largest_series") {
    manifest.largest_series = words.Number<std::uint64_t>();
  } else if (kind == "part") {
    PartFacts part;
    part.number = words.Number<std::uint64_t>();
    part.partition = words.Number<std::int64_t>();
    part.level = words.Number<std::uint32_t>();
    part.bytes = words.Number<std::uint64_t>();
    part.samples = words.Number<std::uint64_t>();
    part.first_ms = words.Number<std::int64_t>();
    part.last_ms = words.Number<std::int64_t>();
    manifest.parts.push_back(part);
  } else {
    return false;
  }
  return words.AllRead();
}

}  // namespace

std::string RenderManifest(const Manifest& manifest) {
  std::string out(kFirstLine);
  out += fmt::format("next_part {}\nfirst_segment {}\n", manifest.next_part, manifest.first_segment);
  out += fmt::format("catalogue {} {}\n", manifest.catalogue_segment, manifest.catalogue_offset);
  out += fmt::format("largest_series {}\n", manifest.largest_series);
  for (const PartFacts& part : manifest.parts) {
    out += fmt::format("part {} {} {} {} {} {} {}\n", part.number, part.partition, part.level, part.bytes, part.samples,
                       part.first_ms, part.last_ms);
  }
  out += fmt::format("checksum {:016x}\n", Checksum(AsBytes(out)));
  return out;
}

Result<Manifest> ParseManifest(std::string_view text) {
  const std::size_t sum_at = text.rfind("checksum ");
  if (sum_at == std::string_view::npos ||
      text.substr(sum_at) != fmt::format("checksum {:016x}\n", Checksum(AsBytes(text.substr(0, sum_at))))) {
    return Error{Code::kCorrupt, "manifest: checksum fails"};
  }
  if (text.substr(0, kFirstLine.size()) != kFirstLine) {  // another version's folder must be left alone, not repaired
    return Error{Code::kUnsupported,
                 "manifest: the first line is not \"wiregauge-store 1\", but the checksum is right"};
  }
  Manifest manifest;
  std::string_view rest = text.substr(kFirstLine.size(), sum_at - kFirstLine.size());
  for (unsigned line = 2; !rest.empty(); ++line) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos || !ParseLine(rest.substr(0, end), manifest)) {
      return Error{Code::kCorrupt, fmt::format("manifest: line {} does not parse", line)};
    }
    rest.remove_prefix(end + 1);
  }
  return manifest;
}

}  // namespace wiregauge::store
