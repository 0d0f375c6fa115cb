#include "remote_write/receive/labels.h"

#include <algorithm>

#include <fmt/format.h>

#include "remote_write/receive/wire.h"

namespace wiregauge::receive {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool ParseLabel(Bytes message, Label& label) {
  WireReader reader(message);
  while (!reader.AtEnd()) {
    const std::uint32_t tag = reader.ReadTag();
    if (tag == Tag(1, WireType::kLength)) {
      label.name = AsText(reader.ReadLength());
    } else if (tag == Tag(2, WireType::kLength)) {
      label.value = AsText(reader.ReadLength());
    } else if (reader.ok()) {
      reader.Skip(tag);
    }
  }
  return reader.ok();
}

std::optional<Refusal> CheckName(const Label& label) {
  if (label.name.empty()) return Refusal{Reason::kEmptyLabelName, "a label name is empty"};
  if (label.name.size() > kMaxLabelNameBytes) {
    return Refusal{Reason::kLabelNameTooLong,
                   fmt::format("label name of {} bytes, max {}", label.name.size(), kMaxLabelNameBytes)};
  }
  if (IsValidLabelName(label.name)) return std::nullopt;
  if (!IsValidUtf8(label.name)) return Refusal{Reason::kInvalidUtf8, "a label name is not UTF-8"};
  return Refusal{Reason::kInvalidLabelName, fmt::format("label name {} is not [a-zA-Z_][a-zA-Z0-9_]*", label.name)};
}

std::optional<Refusal> CheckValue(const Label& label) {
  if (label.value.size() > kMaxLabelValueBytes) {
    return Refusal{Reason::kLabelValueTooLong, fmt::format("value of label {} has {} bytes, max {}", label.name,
                                                           label.value.size(), kMaxLabelValueBytes)};
  }
  if (!IsValidUtf8(label.value)) {
    return Refusal{Reason::kInvalidUtf8, fmt::format("value of label {} is not UTF-8", label.name)};
  }
  if (label.name == kMetricName && !IsValidMetricName(label.value)) {
    return Refusal{Reason::kInvalidMetricName,
                   fmt::format("metric name {} is not [a-zA-Z_:][a-zA-Z0-9_:]*", label.value)};
  }
  return std::nullopt;
}

// The number of continuation bytes after `lead` and the smallest code point that may need them; 0 for a bad lead.
struct Utf8Lead {
  int continuation = 0;
  std::uint32_t bits = 0;
  std::uint32_t smallest = 0;
};

Utf8Lead ReadLead(std::uint8_t lead) {
  if ((lead & 0xe0) == 0xc0) return {1, lead & 0x1fU, 0x80};
  if ((lead & 0xf0) == 0xe0) return {2, lead & 0x0fU, 0x800};
  if ((lead & 0xf8) == 0xf0) return {3, lead & 0x07U, 0x10000};
  return {};
}

}  // namespace

Status ParseLabels(Bytes raw, std::vector<Label>& out) {
  out.clear();
  WireReader reader(raw);
  while (!reader.AtEnd()) {
    if (reader.ReadTag() != Tag(1, WireType::kLength)) reader.Fail();
    Label label;
    if (!ParseLabel(reader.ReadLength(), label)) reader.Fail();
    if (reader.ok()) out.push_back(label);
  }
  if (!reader.ok()) return Error{Code::kInvalidArgument, "write request: malformed protobuf in a label"};
  return {};
}

std::optional<Refusal> Canonicalise(std::vector<Label>& labels) {
  const auto used = static_cast<std::size_t>(
      std::count_if(labels.begin(), labels.end(), [](const Label& label) { return !label.value.empty(); }));
  if (used > kMaxLabels) {
    return Refusal{Reason::kTooManyLabels, fmt::format("{} labels, max {}", used, kMaxLabels)};
  }
  for (const Label& label : labels) {
    if (auto refusal = CheckName(label)) return refusal;
  }
  std::sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
  const auto same =
      std::adjacent_find(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.name == b.name; });
  if (same != labels.end()) return Refusal{Reason::kDuplicateLabel, fmt::format("label {} twice", same->name)};
  std::erase_if(labels, [](const Label& label) { return label.value.empty(); });
  bool named = false;
  for (const Label& label : labels) {
    if (auto refusal = CheckValue(label)) return refusal;
    named = named || label.name == kMetricName;
  }
  if (!named) return Refusal{Reason::kMissingMetricName, "no __name__ label"};
  return std::nullopt;
}

void AppendRawLabel(std::string& raw, std::string_view name, std::string_view value) {
  std::string pair;
  pair.push_back(static_cast<char>(Tag(1, WireType::kLength)));
  AppendVarint(pair, name.size());
  pair.append(name);
  pair.push_back(static_cast<char>(Tag(2, WireType::kLength)));
  AppendVarint(pair, value.size());
  pair.append(value);
  raw.push_back(static_cast<char>(Tag(1, WireType::kLength)));
  AppendVarint(raw, pair.size());
  raw.append(pair);
}

bool LabelsBefore(const std::vector<Label>& a, const std::vector<Label>& b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](const Label& x, const Label& y) {
    return x.name != y.name ? x.name < y.name : x.value < y.value;
  });
}

bool IsValidUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i++]);
    if (lead < 0x80) continue;
    const Utf8Lead start = ReadLead(lead);
    if (start.continuation == 0 || text.size() - i < static_cast<std::size_t>(start.continuation)) return false;
    std::uint32_t point = start.bits;
    for (int k = 0; k < start.continuation; ++k) {
      const auto byte = static_cast<std::uint8_t>(text[i++]);
      if ((byte & 0xc0) != 0x80) return false;
      point = point << 6 | (byte & 0x3f);
    }
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (point < start.smallest || point > 0x10ffff || surrogate) return false;
  }
  return true;
}

bool IsValidMetricName(std::string_view name) {
  if (name.empty() || (!IsNameStart(name[0]) && name[0] != ':')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return IsNameStart(c) || IsDigit(c) || c == ':'; });
}

bool IsValidLabelName(std::string_view name) {
  if (name.empty() || !IsNameStart(name[0])) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return IsNameStart(c) || IsDigit(c); });
}

}  // namespace wiregauge::receive
