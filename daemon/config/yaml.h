// YAML with a place for every node: the base of the strict readers (the config file, the web config file). A document
// becomes a tree of our own, so that yaml-cpp and its exceptions stay in this file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wiregauge::config {

struct YamlEntry;

struct YamlNode {
  enum class Type { kNull, kScalar, kList, kMap };

  Type type = Type::kNull;
  std::string where;               // "file:line:column", from 1
  std::string scalar;              // kScalar
  bool quoted = false;             // kScalar: "true" in quotes is text, not a boolean
  std::vector<YamlNode> items;     // kList
  std::vector<YamlEntry> entries;  // kMap: scalar keys, each once, in order

  [[nodiscard]] const YamlNode* Find(std::string_view key) const;
  // "file:line:column: sentence".
  [[nodiscard]] Error Wrong(std::string_view sentence) const;

  // The value, or an error that says what was wanted: `what` is the key's name.
  [[nodiscard]] Result<std::string> Text(std::string_view what) const;
  [[nodiscard]] Result<bool> Bool(std::string_view what) const;
  [[nodiscard]] Result<std::vector<std::string>> TextList(std::string_view what) const;
  // An error naming the first key that is not one of `known`; `what` names the map, or is empty for the document.
  [[nodiscard]] Status OnlyKeys(const std::vector<std::string_view>& known, std::string_view what) const;
};

struct YamlEntry {
  YamlNode key;
  YamlNode value;
};

// Files larger than this are somebody's mistake.
constexpr std::size_t kYamlBytesMax = 1U << 20U;

// One document; an empty one is a kNull node. kInvalidArgument with file:line:column for bad syntax, duplicate keys,
// keys that are no scalars, anchors (an alias could stand for a billion nodes), more than one document.
Result<YamlNode> ParseYaml(std::string_view text, std::string_view file_name);

// kNotFound, kIo or kTooLarge with the path; otherwise as ParseYaml.
Result<YamlNode> ReadYaml(const std::string& path);

// The whole file, at most bytes_max.
Result<std::string> ReadFile(const std::string& path, std::size_t bytes_max);

}  // namespace wiregauge::config
